"""Searches of a LlamaIndex index, or of another retriever, for a retrieval plan.

Searches are not traced: events and spans would show hits that are withheld later.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.base import BaseIndex
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.indices.vector_store.retrievers import VectorIndexRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.documents.vectors import Vector
from managed_sync.effects import Program, arun, perform, run
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index.conversion import without_reference
from managed_sync.llama_index.stores.registry import adapter_of
from managed_sync.llama_index.tracing import untraced
from managed_sync.retrieval.diversity import Diversity, comparable_vectors
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit, hit_of
from managed_sync.stores.base import FilterableSearch, checked_question
from managed_sync.stores.failures import asearched, searched

__all__ = ["IndexQuestion", "IndexSearch", "RetrieverSearch", "hits_of"]

_DEFAULT = VectorStoreQueryMode.DEFAULT


class IndexSearch(FilterableSearch):
    """Searches an index, all of it or some objects only.

    Attributes:
        diversity: The settings of MMR, if the caller asked for it.
        gives_ids: Whether the store returns nodes under the ids that it keeps them by.
        may_drop: Whether it may return fewer nodes than it was asked for although there are more.
    """

    may_drop = False

    def __init__(
        self,
        index: BaseIndex[Any],
        retriever_kwargs: Mapping[str, Any],
        object_filter: ObjectFilter | None,
        object_ids: ObjectIds = OWN_FIELD,
    ) -> None:
        own = {name: value for name, value in retriever_kwargs.items() if value is not None}
        self.diversity: Diversity | None = None
        if own.get("vector_store_query_mode") == VectorStoreQueryMode.MMR:
            del own["vector_store_query_mode"]
            self.diversity = _diversity(own)
        store = getattr(index, "vector_store", None)
        super().__init__(adapter_of(store, index), own, object_filter, object_ids)
        self._index = index
        self.name = type(getattr(index, "vector_store", index)).__name__
        self.gives_ids = self.adapter.is_known

    def question(self, query: QueryBundle) -> IndexQuestion:
        """Returns a question to the index."""
        return IndexQuestion(self, query)

    def retriever(self, step: Search) -> BaseRetriever | None:
        """Returns a retriever for one search; ``None`` if it cannot be confined as wanted."""
        arguments = self.arguments(step)
        if arguments is None:
            return None
        return self._index.as_retriever(**arguments, similarity_top_k=step.limit)

    def embed_model(self, retriever: BaseRetriever | None = None) -> Any:
        """Returns the model that embeds questions and nodes."""
        # Private in llama-index-core 0.14.
        return getattr(retriever or self._index, "_embed_model", None)


class RetrieverSearch:
    """Searches with another retriever: repeatedly if it has a limit, and otherwise once.

    Only the retriever of a vector index is known to search exhaustively, if its store does.
    """

    object_filter: ObjectFilter | None = None
    can_filter = False
    conditions: tuple[MetadataCondition, ...] = ()

    def __init__(self, retriever: BaseRetriever, object_ids: ObjectIds = OWN_FIELD) -> None:
        self._retriever = retriever
        self.object_ids = object_ids
        self.can_return_more = isinstance(getattr(retriever, "similarity_top_k", None), int)
        is_derived = isinstance(retriever, VectorIndexRetriever) and (
            type(retriever) is not VectorIndexRetriever
        )
        self.may_drop = is_derived and self.can_return_more
        self.name = type(retriever).__name__
        self.diversity: Diversity | None = None
        self._adapter = adapter_of(None)
        if type(retriever) is VectorIndexRetriever:
            self._adapter = adapter_of(retriever._vector_store)  # noqa: SLF001 - private in llama-index-core 0.14
            if retriever._vector_store_query_mode == VectorStoreQueryMode.MMR:  # noqa: SLF001 - private in llama-index-core 0.14
                own = {"vector_store_kwargs": retriever._kwargs}  # noqa: SLF001 - private in llama-index-core 0.14
                self.diversity = _diversity(own)
                ranking = copy.copy(retriever)
                ranking._vector_store_query_mode = _DEFAULT  # noqa: SLF001 - private in llama-index-core 0.14
                ranking._kwargs = own.get("vector_store_kwargs", {})  # noqa: SLF001 - private in llama-index-core 0.14
                self._retriever = ranking
        self.gives_ids = self._adapter.is_known

    def question(self, query: QueryBundle) -> IndexQuestion:
        """Returns a question to the retriever."""
        return IndexQuestion(self, query)

    def narrowed(self, *filters: object) -> RetrieverSearch:
        """Refuses filters.

        Raises:
            ConfigurationError: There is one.
        """
        if any(each is not None for each in filters):
            raise ConfigurationError(
                f"filter would be ignored over a retriever. Set it on the {self.name} that is "
                f"passed as source, or pass the index."
            )
        return self

    def retriever(self, step: Search) -> BaseRetriever:
        """Returns the retriever, with this limit if it has one."""
        if not self.can_return_more:
            return self._retriever
        # A copy, since other threads may be searching with it at the same time.
        limited: Any = copy.copy(self._retriever)
        limited.similarity_top_k = step.limit
        retriever: BaseRetriever = limited
        return retriever

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach."""
        retriever: Any = self._retriever
        if not self._adapter.is_known or retriever._vector_store_query_mode != _DEFAULT:  # noqa: SLF001 - private in llama-index-core 0.14
            return Reach()
        own = {"vector_store_kwargs": retriever._kwargs} if retriever._kwargs else {}  # noqa: SLF001 - private in llama-index-core 0.14
        return self._adapter.reach(step, own)

    def embed_model(self, retriever: BaseRetriever | None = None) -> Any:
        """Returns the model that embeds questions and nodes."""
        # Private in llama-index-core 0.14.
        return getattr(retriever or self._retriever, "_embed_model", None)


class IndexQuestion:
    """One question, which is embedded once, however often it is searched for."""

    def __init__(self, search: IndexSearch | RetrieverSearch, query: QueryBundle) -> None:
        self._search = search
        # A copy, which keeps the embedding for the next search.
        self._query = copy.copy(query)

    @property
    def query(self) -> QueryBundle:
        """Returns the question."""
        return self._query

    @property
    def text(self) -> str:
        """Returns the text of the question."""
        return self._query.query_str

    @property
    def conditions(self) -> Sequence[MetadataCondition] | None:
        """Returns the caller's filters, if a keyword index can apply all of them."""
        return self._search.conditions

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach.

        Raises:
            StoreSearchError: The store does not say.
        """
        return searched(self._search.name, lambda: self._search.reach(step))

    def search(self, step: Search) -> list[Hit] | None:
        """Returns the hits of one search, best first.

        Raises:
            StoreSearchError: The store or retriever cannot be searched, or returns something else.
        """
        with untraced():
            return run(self._searched(step, self._ask))

    async def asearch(self, step: Search) -> list[Hit] | None:
        """Like ``search``, without blocking the event loop."""
        with untraced():
            return await arun(self._searched(step, self._aask))

    def _searched(
        self,
        step: Search,
        ask: Callable[[Search], list[Hit] | Awaitable[list[Hit] | None] | None],
    ) -> Program[list[Hit] | None]:
        found: list[Hit] | None = yield from perform(ask, step)
        limit, before, most = step.limit, -1, step.most
        while self._search.may_drop and found is not None and before < len(found) < step.limit:
            if limit >= most:
                break
            limit, before = min(4 * limit, most), len(found)
            found = yield from perform(ask, Search(limit, step.objects))
        return found

    def _ask(self, step: Search) -> list[Hit] | None:
        retriever = self._retriever(step)
        return None if retriever is None else self._found(retriever)

    async def _aask(self, step: Search) -> list[Hit] | None:
        retriever = self._retriever(step)
        if retriever is None:
            return None
        if type(retriever)._aretrieve is BaseRetriever._aretrieve:  # noqa: SLF001 - bypasses events; llama-index-core 0.14
            # The base class would block the event loop.
            return await asyncio.to_thread(self._found, retriever)
        if _needs_embedding(retriever):
            await self._aembedded(retriever)
        return await asearched(self._search.name, lambda: self._aretrieved(retriever))

    def _found(self, retriever: BaseRetriever) -> list[Hit]:
        if _needs_embedding(retriever):
            # The model's errors are about the question only.
            self._embedded(retriever)
        return searched(self._search.name, lambda: self._retrieved(retriever))

    def _retriever(self, step: Search) -> BaseRetriever | None:
        return searched(self._search.name, lambda: self._search.retriever(step))

    def _retrieved(self, retriever: BaseRetriever) -> list[Hit]:
        return self._hits(retriever._retrieve(self._query))  # noqa: SLF001 - bypasses events; llama-index-core 0.14

    async def _aretrieved(self, retriever: BaseRetriever) -> list[Hit]:
        return self._hits(await retriever._aretrieve(self._query))  # noqa: SLF001 - bypasses events; llama-index-core 0.14

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> list[Hit]:
        """Returns the ``k`` hits that are near the question and unlike each other, by MMR."""
        if len(hits) <= 1:
            return list(hits)
        model = self._search.embed_model()
        with untraced():
            vectors = model.get_text_embedding_batch(_texts(hits))
            return _by_mmr(self._embedded(), vectors, hits, k, diversity)

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> list[Hit]:
        """Like ``diverse``, without blocking the event loop."""
        if len(hits) <= 1:
            return list(hits)
        model = self._search.embed_model()
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

    def _hits(self, found: Any) -> list[Hit]:
        search = self._search
        # A retriever may yield its nodes, and they are read only once.
        nodes = list(found) if isinstance(found, Iterable) else [found]
        for node in nodes:
            if not isinstance(node, NodeWithScore):
                raise ConfigurationError(
                    f"{search.name} must return nodes with scores for a question, got "
                    f"{type(node).__name__}."
                )
        # Other stores may give their nodes new ids at each search.
        return hits_of(nodes, with_ids=search.gives_ids, object_ids=search.object_ids)


def hits_of(found: Sequence[NodeWithScore], *, with_ids: bool, object_ids: ObjectIds) -> list[Hit]:
    """Returns the hits for nodes.

    Args:
        found: The nodes, with their scores.
        with_ids: Whether the same node always has the same id.
        object_ids: Finds the id of a node's object in its metadata.
    """
    return [
        hit_of(
            without_reference(scored),
            text=scored.node.get_content(MetadataMode.NONE),
            metadata=scored.node.metadata,
            store_id=scored.node.node_id if with_ids else None,
            score=scored.score,
            object_ids=object_ids,
        )
        for scored in found
    ]


def _needs_embedding(retriever: BaseRetriever) -> bool:
    """Returns whether this is the retriever of a vector index, and searches by a vector."""
    if type(retriever) is not VectorIndexRetriever:
        return False
    by_words = (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE)
    mode = retriever._vector_store_query_mode  # noqa: SLF001 - private in llama-index-core 0.14
    return retriever._vector_store.is_embedding_query and mode not in by_words  # noqa: SLF001 - private in llama-index-core 0.14


def _texts(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.node.get_content(MetadataMode.EMBED) for hit in hits]


def _by_mmr(
    query: Vector,
    vectors: Any,
    hits: Sequence[Hit],
    k: int,
    diversity: Diversity,
) -> list[Hit]:
    vectors = comparable_vectors(vectors, len(hits), query)
    if not any(query):
        # Nothing is near the question: the model found no word in it.
        return list(hits[:k])
    _, chosen = get_top_k_mmr_embeddings(
        query, vectors, similarity_top_k=k, mmr_threshold=diversity.relevance
    )
    return [hits[number] for number in chosen]


def _diversity(own: dict[str, Any]) -> Diversity:
    """Takes the settings of MMR out of the caller's arguments; the defaults are LlamaIndex's."""
    kwargs = dict(own.pop("vector_store_kwargs", None) or {})
    names = {
        "relevance": "mmr_threshold",
        "factor": "mmr_prefetch_factor",
        "pool": "mmr_prefetch_k",
    }
    given = {name: kwargs.pop(key, None) for name, key in names.items()}
    if kwargs:
        own["vector_store_kwargs"] = kwargs
    return Diversity(**{name: value for name, value in given.items() if value is not None})
