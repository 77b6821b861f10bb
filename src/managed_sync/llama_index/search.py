"""How a LlamaIndex index, or another retriever, is searched for a retrieval plan.

Searches are not traced: events and spans would show what is withheld later.
"""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.base import BaseIndex
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.indices.vector_store import VectorStoreIndex
from llama_index.core.indices.vector_store.retrievers import VectorIndexRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from managed_sync.indexing.targets.vectors import Vector, checked_question
from managed_sync.llama_index.conversion import without_reference
from managed_sync.llama_index.stores.object_filters import KnownStore, known_store
from managed_sync.llama_index.tracing import untraced
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit, hit_of

__all__ = ["IndexSearch", "Question", "RetrieverSearch"]

_DEFAULT = VectorStoreQueryMode.DEFAULT


@dataclass(frozen=True, slots=True)
class Diversity:
    """How MMR is to choose among the nodes that a user may read, as LlamaIndex's stores do.

    Attributes:
        threshold: From 0, as unlike each other as possible, to 1, as near the question.
        factor: It chooses among so many times the wanted number of nodes,
        pool: or among so many.
    """

    threshold: float = 0.5
    factor: float = 4.0
    pool: int | None = None

    def candidates(self, k: int) -> int:
        """Returns among how many nodes to choose ``k``."""
        return max(k, self.pool or math.ceil(k * self.factor))

    @classmethod
    def taken_from(cls, own: dict[str, Any]) -> Diversity:
        """Takes the settings of MMR out of the caller's arguments."""
        kwargs = dict(own.pop("vector_store_kwargs", None) or {})
        names = {
            "threshold": "mmr_threshold",
            "factor": "mmr_prefetch_factor",
            "pool": "mmr_prefetch_k",
        }
        given = {name: kwargs.pop(key, None) for name, key in names.items()}
        if kwargs:
            own["vector_store_kwargs"] = kwargs
        return cls(**{name: value for name, value in given.items() if value is not None})


class IndexSearch:
    """Searches an index, all of it or some objects only.

    Attributes:
        diversity: How MMR chooses, if the caller asked for it. It chooses once it is known which
            nodes the user may read, so that the others have no influence.
    """

    widens = True

    def __init__(
        self,
        index: BaseIndex[Any],
        retriever_kwargs: Mapping[str, Any],
        object_filter: ObjectFilter | None,
    ) -> None:
        self._index = index
        self._own = dict(retriever_kwargs)
        self.diversity: Diversity | None = None
        if self._own.get("vector_store_query_mode") == VectorStoreQueryMode.MMR:
            del self._own["vector_store_query_mode"]
            self.diversity = Diversity.taken_from(self._own)
        self._known = known_store(getattr(index, "vector_store", None))
        self._custom = object_filter
        self.object_filter = object_filter or self._known
        # The caller's own filters would be lost where both use the same argument. Of a custom
        # filter that is seen only once it is used.
        arguments = self._known.arguments if self._known and not object_filter else ()
        self.can_filter = self._own.keys().isdisjoint(arguments)
        self.name = type(getattr(index, "vector_store", index)).__name__
        self.gives_ids = self._known is not None

    def asked(self, query: QueryBundle) -> Question:
        """A question that is put to this index."""
        return Question(self, query)

    def retriever(self, step: Search) -> BaseRetriever | None:
        """A retriever for one search; ``None`` if it cannot be confined to the step's objects."""
        confined: dict[str, Any] = {}
        if step.objects is not None and self.object_filter is not None:
            confined = self.object_filter.search_kwargs(step.objects)
            if not self._own.keys().isdisjoint(confined):
                return None
        kwargs = {**self._own, **confined, "similarity_top_k": step.limit}
        return self._index.as_retriever(**kwargs)

    def reach(self, step: Inspect) -> Reach:
        """How far searches reach."""
        is_plain = type(self._index) is VectorStoreIndex
        reach = self._known.reach(step, self._own) if self._known and is_plain else Reach()
        if self._custom is None:
            return reach
        harmless = self._known.harmless if self._known else ()
        exact = self._custom.exact and self._own.keys() <= set(harmless)
        # Whoever made the filter says how it searches; of the rest, the store is known or not.
        return Reach(exact or (reach.exhaustive and step.objects is None), reach.chunks)

    def embed_model(self, retriever: BaseRetriever | None = None) -> Any:
        """What embeds questions and nodes."""
        return getattr(retriever or self._index, "_embed_model", None)


class RetrieverSearch:
    """Asks another retriever: for as much as is wanted where it can be told, else once.

    Only the retriever of a vector index is known to search exhaustively, if its store does.
    """

    object_filter: ObjectFilter | None = None
    can_filter = False

    def __init__(self, retriever: BaseRetriever) -> None:
        self._retriever = retriever
        self.widens = isinstance(getattr(retriever, "similarity_top_k", None), int)
        self.name = type(retriever).__name__
        self.diversity: Diversity | None = None
        self._known: KnownStore | None = None
        if type(retriever) is VectorIndexRetriever:
            self._known = known_store(retriever._vector_store)
            if retriever._vector_store_query_mode == VectorStoreQueryMode.MMR:
                own = {"vector_store_kwargs": retriever._kwargs}
                self.diversity = Diversity.taken_from(own)
                ranking = copy.copy(retriever)
                ranking._vector_store_query_mode = _DEFAULT
                ranking._kwargs = own.get("vector_store_kwargs", {})
                self._retriever = ranking
        self.gives_ids = self._known is not None

    def asked(self, query: QueryBundle) -> Question:
        """A question that is put to this retriever."""
        return Question(self, query)

    def retriever(self, step: Search) -> BaseRetriever:
        """The retriever, asked for as much if it can be."""
        if not self.widens:
            return self._retriever
        # A copy, since others may be searching with it at the same time.
        asked: Any = copy.copy(self._retriever)
        asked.similarity_top_k = step.limit
        retriever: BaseRetriever = asked
        return retriever

    def reach(self, step: Inspect) -> Reach:
        """How far searches reach."""
        retriever: Any = self._retriever
        if self._known is None or retriever._vector_store_query_mode != _DEFAULT:
            return Reach()
        own = {"vector_store_kwargs": retriever._kwargs} if retriever._kwargs else {}
        return self._known.reach(step, own)

    def embed_model(self, retriever: BaseRetriever | None = None) -> Any:
        """What embeds questions and nodes."""
        return getattr(retriever or self._retriever, "_embed_model", None)


class Question:
    """One question, which is embedded once, however often it is searched for."""

    def __init__(self, search: IndexSearch | RetrieverSearch, query: QueryBundle) -> None:
        self._search = search
        # A copy, which keeps the embedding for the next search.
        self._query = copy.copy(query)

    def run(self, step: Search) -> list[Hit] | None:
        """Returns the hits of one search, best first."""
        with untraced():
            retriever = self._search.retriever(step)
            return None if retriever is None else self._found(retriever)

    async def arun(self, step: Search) -> list[Hit] | None:
        """Like ``run``, without blocking the event loop."""
        with untraced():
            retriever = self._search.retriever(step)
            if retriever is None:
                return None
            if type(retriever)._aretrieve is BaseRetriever._aretrieve:
                # The base class would block the event loop.
                return await asyncio.to_thread(self._found, retriever)
            if _needs_embedding(retriever):
                await self._aembedded(retriever)
            return self._hits(await retriever._aretrieve(self._query))

    def _found(self, retriever: BaseRetriever) -> list[Hit]:
        if _needs_embedding(retriever):
            self._embedded(retriever)
        return self._hits(retriever._retrieve(self._query))

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach."""
        return self._search.reach(step)

    def diverse(self, hits: Sequence[Hit], k: int) -> list[Hit]:
        """Returns the ``k`` hits that are near the question and unlike each other, by MMR."""
        diversity, model = self._search.diversity, self._search.embed_model()
        if diversity is None or len(hits) <= 1:
            return list(hits)
        with untraced():
            vectors = model.get_text_embedding_batch(_texts(hits))
            return _by_mmr(self._embedded(), vectors, hits, k, diversity)

    async def adiverse(self, hits: Sequence[Hit], k: int) -> list[Hit]:
        """Like ``diverse``, without blocking the event loop."""
        diversity, model = self._search.diversity, self._search.embed_model()
        if diversity is None or len(hits) <= 1:
            return list(hits)
        with untraced():
            query = await self._aembedded()
            vectors = await model.aget_text_embedding_batch(_texts(hits))
            return await asyncio.to_thread(_by_mmr, query, vectors, hits, k, diversity)

    def _embedded(self, retriever: BaseRetriever | None = None) -> Vector:
        if self._query.embedding is None:
            model = self._search.embed_model(retriever)
            self._query.embedding = model.get_agg_embedding_from_queries(self._query.embedding_strs)
        vector: Vector = checked_question(self._query.embedding)
        return vector

    async def _aembedded(self, retriever: BaseRetriever | None = None) -> Vector:
        if self._query.embedding is None:
            model = self._search.embed_model(retriever)
            self._query.embedding = await model.aget_agg_embedding_from_queries(
                self._query.embedding_strs
            )
        vector: Vector = checked_question(self._query.embedding)
        return vector

    def _hits(self, found: Sequence[NodeWithScore]) -> list[Hit]:
        return [
            hit_of(
                without_reference(scored),
                text=scored.node.get_content(MetadataMode.NONE),
                metadata=scored.node.metadata,
                # Other stores may give their nodes new ids at each search.
                store_id=scored.node.node_id if self._search.gives_ids else None,
                score=scored.score,
            )
            for scored in found
        ]


def _needs_embedding(retriever: BaseRetriever) -> bool:
    """Returns whether this is the retriever of a vector index, and searches by a vector."""
    if type(retriever) is not VectorIndexRetriever:
        return False
    by_words = (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE)
    mode = retriever._vector_store_query_mode
    return retriever._vector_store.is_embedding_query and mode not in by_words


def _texts(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.node.get_content(MetadataMode.EMBED) for hit in hits]


def _by_mmr(
    query: list[float],
    vectors: list[list[float]],
    hits: Sequence[Hit],
    k: int,
    diversity: Diversity,
) -> list[Hit]:
    _, chosen = get_top_k_mmr_embeddings(
        query, vectors, similarity_top_k=k, mmr_threshold=diversity.threshold
    )
    return [hits[place] for place in chosen]
