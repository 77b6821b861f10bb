"""How a LangChain vector store, or another retriever, is searched for a retrieval plan.

Searches are not traced: callbacks and tracers would see what is withheld later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore

from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.vectors import Vector, checked_question
from managed_sync.langchain.stores.object_filters import Found, KnownStore, known_store
from managed_sync.langchain.tracing import untraced, untraced_run
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit, hit_of

__all__ = ["RetrieverSearch", "StoreQuestion", "StoreSearch", "document_of"]


class StoreSearch:
    """Searches a vector store, all of it or some objects only."""

    can_return_more = True

    def __init__(
        self,
        store: VectorStore,
        search_type: str,
        search_kwargs: Mapping[str, Any],
        object_filter: ObjectFilter | None,
    ) -> None:
        self.store = store
        self.with_threshold = search_type == "similarity_score_threshold"
        if self.with_threshold and "score_threshold" not in search_kwargs:
            raise ConfigurationError(
                "search_type='similarity_score_threshold' needs search_kwargs={'score_threshold': "
                "...}, a number from 0 to 1."
            )
        left_out = {"k", "fetch_k", "lambda_mult"} if search_type == "mmr" else {"k"}
        if self.with_threshold:
            left_out.add("score_threshold")
        self.threshold = search_kwargs.get("score_threshold")
        self._own = {key: value for key, value in search_kwargs.items() if key not in left_out}
        self._known = known_store(store)
        self._custom = object_filter
        self.object_filter = object_filter or self._known
        # The caller's own filter would be lost where both use the same argument of the store. Of a
        # custom filter that is seen only once it is used.
        arguments = self._known.arguments if self._known and not object_filter else ()
        self.can_filter = self._own.keys().isdisjoint(arguments)
        self.name = type(store).__name__

    def asked(self, query: str) -> StoreQuestion:
        """A question that is put to this store."""
        return StoreQuestion(self, query)

    def arguments(self, step: Search) -> dict[str, Any] | None:
        """The arguments of one search; ``None`` if it cannot be confined to the step's objects."""
        own = self._known.completed(self._own) if self._known else self._own
        confined: dict[str, Any] = {}
        if step.objects is not None and self.object_filter is not None:
            confined = self.object_filter.search_kwargs(step.objects)
            if not own.keys().isdisjoint(confined):
                return None
        return {**own, **confined, "k": step.limit}

    def reach(self, step: Inspect) -> Reach:
        """How far searches reach."""
        reach = self._known.reach(step, self._own) if self._known else Reach()
        if self._custom is None:
            return reach
        harmless = self._known.harmless if self._known else ()
        exact = self._custom.exact and self._own.keys() <= set(harmless)
        # Whoever made the filter says how it searches; of the rest, the store is known or not.
        return Reach(exact or (reach.exhaustive and step.objects is None), reach.chunks)

    @property
    def by_vector(self) -> KnownStore | None:
        """The store, if a search by the question's vector is the same as one by its text."""
        known = self._known
        is_the_same = known and known.is_original and known.is_dense
        return known if is_the_same and self.store.embeddings is not None else None

    def as_relevant(self, found: Found) -> Found:
        """The hits as LangChain's search with relevance scores gives them, if that is wanted."""
        if not self.with_threshold:
            return found
        relevance = self.store._select_relevance_score_fn()
        scored = [(document, relevance(float(score or 0.0))) for document, score in found]
        least = self.threshold
        return [pair for pair in scored if least is None or pair[1] >= least]

    @property
    def has_scores(self) -> bool:
        """Whether the store has a search that returns scores."""
        kind = type(self.store)
        return kind.similarity_search_with_score is not VectorStore.similarity_search_with_score

    @property
    def has_async_scores(self) -> bool:
        """Whether the store has one that is awaited."""
        kind, base = type(self.store), VectorStore.asimilarity_search_with_score
        return self.has_scores or kind.asimilarity_search_with_score is not base


class StoreQuestion:
    """One question to a store, which is embedded once, however often it is searched for."""

    def __init__(self, search: StoreSearch, query: str) -> None:
        self._search = search
        self._store = search.store
        self._query = query
        self._vector: Vector | None = None

    def search(self, step: Search) -> list[Hit] | None:
        """Returns the hits of one search, best first."""
        kwargs = self._search.arguments(step)
        if kwargs is None:
            return None
        with untraced():
            return _hits(self._found(kwargs))

    async def asearch(self, step: Search) -> list[Hit] | None:
        """Like ``search``, without blocking the event loop."""
        kwargs = self._search.arguments(step)
        if kwargs is None:
            return None
        with untraced():
            return _hits(await self._afound(kwargs))

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach."""
        return self._search.reach(step)

    def diverse(self, hits: Sequence[Hit], k: int, lambda_mult: float) -> list[Hit]:
        """Returns the ``k`` hits that are near the question and unlike each other, by MMR.

        They are chosen among what the user may read, so that what is withheld has no influence.

        Raises:
            ConfigurationError: The store does not say how it embeds.
        """
        if len(hits) <= 1:
            return list(hits)
        with untraced():
            vectors = self._embeddings().embed_documents(_texts(hits))
            return _by_mmr(self._embedded(), vectors, hits, k, lambda_mult)

    async def adiverse(self, hits: Sequence[Hit], k: int, lambda_mult: float) -> list[Hit]:
        """Like ``diverse``, without blocking the event loop."""
        if len(hits) <= 1:
            return list(hits)
        with untraced():
            vectors = await self._embeddings().aembed_documents(_texts(hits))
            query = await self._aembedded()
            return await asyncio.to_thread(_by_mmr, query, vectors, hits, k, lambda_mult)

    def _found(self, kwargs: dict[str, Any]) -> Found:
        search, store, query = self._search, self._store, self._query
        if known := search.by_vector:
            return search.as_relevant(known.search_by_vector(self._embedded(), **kwargs))
        if search.with_threshold:
            return store.similarity_search_with_relevance_scores(
                query, score_threshold=search.threshold, **kwargs
            )
        if search.has_scores:
            return store.similarity_search_with_score(query, **kwargs)
        return [(document, None) for document in store.similarity_search(query, **kwargs)]

    async def _afound(self, kwargs: dict[str, Any]) -> Found:
        search, store, query = self._search, self._store, self._query
        if known := search.by_vector:
            vector = await self._aembedded()
            return search.as_relevant(await known.asearch_by_vector(vector, **kwargs))
        if search.with_threshold:
            return await store.asimilarity_search_with_relevance_scores(
                query, score_threshold=search.threshold, **kwargs
            )
        if search.has_async_scores:
            return await store.asimilarity_search_with_score(query, **kwargs)
        return [(document, None) for document in await store.asimilarity_search(query, **kwargs)]

    def _embedded(self) -> Vector:
        if self._vector is None:
            self._vector = checked_question(self._embeddings().embed_query(self._query))
        return self._vector

    async def _aembedded(self) -> Vector:
        if self._vector is None:
            vector = await self._embeddings().aembed_query(self._query)
            self._vector = checked_question(vector)
        return self._vector

    def _embeddings(self) -> Any:
        if self._store.embeddings is None:
            raise ConfigurationError(
                "search_type='mmr' needs the store's embeddings, and this store does not have them."
            )
        return self._store.embeddings


class RetrieverSearch:
    """Asks another retriever: for as much as is wanted where it has a ``k``, else once.

    How it searches is not known, so that no result of it is called complete.
    """

    object_filter: ObjectFilter | None = None
    can_filter = False

    def __init__(self, retriever: BaseRetriever) -> None:
        self._retriever = retriever
        self.can_return_more = isinstance(getattr(retriever, "k", None), int)
        self.name = type(retriever).__name__

    def asked(self, query: str) -> RetrieverQuestion:
        """A question that is put to this retriever."""
        return RetrieverQuestion(self, query)

    def asked_for(self, limit: int) -> BaseRetriever:
        """The retriever, asked for as much if it can be."""
        if not self.can_return_more:
            return self._retriever
        return self._retriever.model_copy(update={"k": limit})


class RetrieverQuestion:
    """One question to another retriever."""

    def __init__(self, search: RetrieverSearch, query: str) -> None:
        self._search = search
        self._query = query

    def search(self, step: Search) -> list[Hit]:
        """Returns the hits of one search, best first."""
        run = untraced_run(CallbackManagerForRetrieverRun)
        retriever = self._search.asked_for(step.limit)
        with untraced():
            # One that yields its documents works only now.
            found = list(retriever._get_relevant_documents(self._query, **_managed(retriever, run)))
            return _hits([(document, None) for document in found])

    async def asearch(self, step: Search) -> list[Hit]:
        """Like ``search``, without blocking the event loop."""
        run = untraced_run(AsyncCallbackManagerForRetrieverRun)
        retriever = self._search.asked_for(step.limit)
        with untraced():
            ask = retriever._aget_relevant_documents
            found = list(await ask(self._query, **_managed(retriever, run)))
            return _hits([(document, None) for document in found])

    def reach(self, step: Inspect) -> Reach:
        """Returns that nothing is known."""
        return Reach()


def _managed(retriever: BaseRetriever, run: object) -> dict[str, Any]:
    """The run's manager as an argument, for retrievers that take it: older ones do not."""
    return {"run_manager": run} if retriever._new_arg_supported else {}


def document_of(hit: Hit) -> Document:
    """Returns the document of a hit; what a caller does to its metadata leaves the store's alone.

    The hit's score is not added to them: chains tell documents apart by their metadata.
    """
    document: Document = hit.passage
    return document.model_copy(update={"metadata": dict(document.metadata)})


def _hits(found: Found) -> list[Hit]:
    return [
        hit_of(
            document,
            text=document.page_content,
            metadata=document.metadata,
            store_id=document.id,
            score=score,
        )
        for document, score in found
    ]


def _texts(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.page_content for hit in hits]


def _by_mmr(
    query: list[float],
    vectors: list[list[float]],
    hits: Sequence[Hit],
    k: int,
    lambda_mult: float,
) -> list[Hit]:
    import numpy as np  # noqa: PLC0415 - comes with the stores that need it
    from langchain_core.vectorstores.utils import (  # noqa: PLC0415
        maximal_marginal_relevance,
    )

    chosen = maximal_marginal_relevance(np.array(query), vectors, lambda_mult=lambda_mult, k=k)
    return [hits[place] for place in chosen]
