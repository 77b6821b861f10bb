"""Searches of a LangChain vector store, for a retrieval plan.

Searches are not traced: callbacks and tracers would see hits that are withheld later.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.documents.vectors import Vector
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.conversion import indexed_text
from managed_sync.langchain.searches.arguments import (
    refuse_unknown_arguments,
    search_parameters,
)
from managed_sync.langchain.stores.base import Found
from managed_sync.langchain.stores.registry import adapter_of
from managed_sync.langchain.tracing import untraced
from managed_sync.retrieval.diversity import Diversity, comparable_vectors
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit, hit_of
from managed_sync.stores.base import AT_LEAST_THE_LIMIT, FilterableSearch, checked_question
from managed_sync.stores.failures import asearched, searched

__all__ = ["StoreQuestion", "StoreSearch", "document_of", "hits_of"]


class StoreSearch(FilterableSearch):
    """Searches a vector store, all of it or some objects only.

    Attributes:
        by_vector: The store's adapter, if a search by the question's vector is the same as one by
            its text.
    """

    def __init__(
        self,
        store: VectorStore,
        search_type: str,
        search_kwargs: Mapping[str, Any],
        object_filter: ObjectFilter | None,
        object_ids: ObjectIds = OWN_FIELD,
    ) -> None:
        self.with_threshold = search_type == "similarity_score_threshold"
        if self.with_threshold and "score_threshold" not in search_kwargs:
            raise ConfigurationError(
                "search_type='similarity_score_threshold' needs search_kwargs={'score_threshold': "
                "...}, a number from 0 to 1."
            )
        left_out = {"k", "fetch_k", "lambda_mult"} if search_type == "mmr" else {"k"}
        if self.with_threshold:
            left_out.add("score_threshold")
        own = {key: value for key, value in search_kwargs.items() if key not in left_out}
        adapter = adapter_of(store)
        refuse_unknown_arguments(adapter, type(store), own)
        super().__init__(adapter, own, object_filter, object_ids)
        self.store = store
        self.threshold = search_kwargs.get("score_threshold")
        self.name = type(store).__name__
        self.diversity = _diversity(search_kwargs) if search_type == "mmr" else None
        is_the_same = adapter.is_original and adapter.is_dense and store.embeddings is not None
        self.by_vector = adapter if is_the_same else None

    def question(self, text: str) -> StoreQuestion:
        """Returns a question to the store."""
        return StoreQuestion(self, text)

    def narrowed(self, *filters: object) -> StoreSearch:
        """Returns this search with filters of the caller's, which hold together with all others.

        Raises:
            ConfigurationError: The store cannot apply one, or not together with another one.
        """
        if any(each is not None for each in filters) and not self._takes_filter:
            raise ConfigurationError(
                f"filter is not available for {self.name}: its search has no such "
                f"argument. Pass its own argument in search_kwargs."
            )
        return super().narrowed(*filters)

    def arguments(self, step: Search) -> dict[str, Any] | None:
        """Returns the arguments of one search, without its limit."""
        found = super().arguments(step)
        if found is None or self.adapter.is_known:
            return found
        # The defaults of a store's own arguments are for the few hits of its default limit.
        defaults = {
            name: max(parameter.default, step.limit)
            for name, parameter in self._parameters.items()
            if name in AT_LEAST_THE_LIMIT and type(parameter.default) is int
        }
        return {**defaults, **found}

    @property
    def _takes_filter(self) -> bool:
        return self.adapter.is_known or "filter" in self._parameters

    @property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return search_parameters(type(self.store))

    @property
    def has_scores(self) -> bool:
        """Returns whether the store has a search that returns scores."""
        kind = type(self.store)
        return kind.similarity_search_with_score is not VectorStore.similarity_search_with_score

    @property
    def has_async_scores(self) -> bool:
        """Returns whether the store has an asynchronous search that returns scores."""
        kind, base = type(self.store), VectorStore.asimilarity_search_with_score
        return self.has_scores or kind.asimilarity_search_with_score is not base

    def as_relevant(self, found: Found) -> Found:
        """Returns the hits as LangChain's search with relevance scores does."""
        relevance = self.store._select_relevance_score_fn()  # noqa: SLF001 - private in langchain-core 1.0 to 1.8
        scored = [(document, relevance(float(score or 0.0))) for document, score in found]
        least = self.threshold
        return [pair for pair in scored if least is None or pair[1] >= least]


@dataclass(slots=True, eq=False, repr=False)
class StoreQuestion:
    """One question to a store, which is embedded once, however often it is searched for.

    Attributes:
        text: The question.
    """

    _search: StoreSearch
    text: str
    _vector: Vector | None = None

    @property
    def query(self) -> str:
        """Returns the question."""
        return self.text

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
            StoreSearchError: The store cannot be searched, or returns something else.
        """
        with untraced():
            if self._search.by_vector:
                # The model's errors are about the question only.
                self._embedded()
            return searched(self._search.name, lambda: self._hits(step))

    async def asearch(self, step: Search) -> list[Hit] | None:
        """Like ``search``, without blocking the event loop."""
        with untraced():
            if self._search.by_vector:
                await self._aembedded()
            return await asearched(self._search.name, lambda: self._ahits(step))

    def _hits(self, step: Search) -> list[Hit] | None:
        arguments = self._search.arguments(step)
        if arguments is None:
            return None
        return hits_of(self._found({**arguments, "k": step.limit}), self._search.object_ids)

    async def _ahits(self, step: Search) -> list[Hit] | None:
        arguments = self._search.arguments(step)
        if arguments is None:
            return None
        found = await self._afound({**arguments, "k": step.limit})
        return hits_of(found, self._search.object_ids)

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> list[Hit]:
        """Returns the ``k`` hits that are near the question and unlike each other, by MMR.

        Raises:
            ConfigurationError: The store does not say how it embeds.
        """
        if len(hits) <= 1:
            return list(hits)
        with untraced():
            vectors = self._embeddings().embed_documents(_texts(hits))
            return _by_mmr(self._embedded(), vectors, hits, k, diversity)

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> list[Hit]:
        """Like ``diverse``, without blocking the event loop."""
        if len(hits) <= 1:
            return list(hits)
        with untraced():
            vectors = await self._embeddings().aembed_documents(_texts(hits))
            query = await self._aembedded()
            return await asyncio.to_thread(_by_mmr, query, vectors, hits, k, diversity)

    def _found(self, arguments: dict[str, Any]) -> Found:
        search, store, query = self._search, self._search.store, self.text
        if adapter := search.by_vector:
            by_vector = getattr(store, adapter.vector_search)
            found: Found = by_vector(self._embedded(), **{**arguments, **adapter.vector_options})
            return search.as_relevant(found) if search.with_threshold else found
        if search.with_threshold:
            return store.similarity_search_with_relevance_scores(
                query, score_threshold=search.threshold, **arguments
            )
        if search.has_scores:
            return store.similarity_search_with_score(query, **arguments)
        return [(document, None) for document in store.similarity_search(query, **arguments)]

    async def _afound(self, arguments: dict[str, Any]) -> Found:
        search, store, query = self._search, self._search.store, self.text
        if adapter := search.by_vector:
            arguments = {**arguments, **adapter.vector_options}
            vector = await self._aembedded()
            found: Found
            if adapter.awaits_vectors:
                found = await getattr(store, f"a{adapter.vector_search}")(vector, **arguments)
            else:
                by_vector = getattr(store, adapter.vector_search)
                found = await asyncio.to_thread(by_vector, vector, **arguments)
            return search.as_relevant(found) if search.with_threshold else found
        if search.with_threshold:
            return await store.asimilarity_search_with_relevance_scores(
                query, score_threshold=search.threshold, **arguments
            )
        if search.has_async_scores:
            return await store.asimilarity_search_with_score(query, **arguments)
        documents = await store.asimilarity_search(query, **arguments)
        return [(document, None) for document in documents]

    def _embedded(self) -> Vector:
        if self._vector is None:
            embeddings: Any = self._search.store.embeddings
            self._vector = checked_question(embeddings.embed_query(self.text))
        return self._vector

    async def _aembedded(self) -> Vector:
        if self._vector is None:
            embeddings: Any = self._search.store.embeddings
            self._vector = checked_question(await embeddings.aembed_query(self.text))
        return self._vector

    def _embeddings(self) -> Any:
        embeddings = self._search.store.embeddings
        if embeddings is None:
            raise ConfigurationError(
                "search_type='mmr' needs the store's embeddings, and this store does not have them."
            )
        return embeddings


def document_of(hit: Hit) -> Document:
    """Returns the document of a hit, with metadata that a caller can change safely.

    The hit's score is not added to it: chains compare documents by their metadata.
    """
    document: Document = hit.passage
    return document.model_copy(update={"metadata": dict(document.metadata)})


def hits_of(found: Found, object_ids: ObjectIds) -> list[Hit]:
    """Returns the hits for documents and their scores.

    Args:
        found: The documents, with their scores.
        object_ids: Finds the id of a document's object in its metadata.
    """
    return [
        hit_of(
            document,
            # A keyword index keeps texts without additions, and both must tell a passage alike.
            text=indexed_text(document),
            metadata=document.metadata,
            store_id=document.id,
            score=score,
            object_ids=object_ids,
        )
        for document, score in found
    ]


def _texts(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.page_content for hit in hits]


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
    import numpy as np  # noqa: PLC0415 - comes with the stores that need it
    from langchain_core.vectorstores.utils import (  # noqa: PLC0415
        maximal_marginal_relevance,
    )

    chosen = maximal_marginal_relevance(
        np.array(query), vectors, lambda_mult=diversity.relevance, k=k
    )
    return [hits[number] for number in chosen]


def _diversity(search_kwargs: Mapping[str, Any]) -> Diversity:
    """Returns the settings of MMR, with LangChain's defaults."""
    relevance = search_kwargs.get("lambda_mult")
    return Diversity(
        0.5 if relevance is None else float(relevance), pool=search_kwargs.get("fetch_k") or 20
    )
