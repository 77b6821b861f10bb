"""How a LangChain vector store, or another retriever, is searched for a retrieval plan.

Searches are not traced: callbacks and tracers would see what is withheld later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from managed_sync.errors import ConfigurationError
from managed_sync.langchain.object_filters import chunk_count, object_filter_for
from managed_sync.langchain.tracing import untraced, untraced_run
from managed_sync.permissions.object_filter import ObjectFilter
from managed_sync.permissions.ranking import Hit
from managed_sync.permissions.steps import Search

__all__ = ["RetrieverSearch", "StoreSearch", "diverse", "scored"]


class StoreSearch:
    """Searches a vector store, all of it or some objects only."""

    widens = True

    def __init__(
        self,
        store: VectorStore,
        search_type: str,
        search_kwargs: dict[str, Any],
        object_filter: ObjectFilter | None,
    ) -> None:
        self._store = store
        self._with_threshold = search_type == "similarity_score_threshold"
        if self._with_threshold and "score_threshold" not in search_kwargs:
            raise ConfigurationError(
                "search_type='similarity_score_threshold' needs search_kwargs={'score_threshold': "
                "...}, a number from 0 to 1."
            )
        left_out = {"k", "fetch_k", "lambda_mult"} if search_type == "mmr" else {"k"}
        self._kwargs = {key: v for key, v in search_kwargs.items() if key not in left_out}
        known = object_filter or object_filter_for(store)
        self.object_filter = known
        # The caller's own filter would be lost where both use the same argument of the store.
        self.can_filter = known is None or not (
            known.search_kwargs([""]).keys() & self._kwargs.keys()
        )
        self.name = type(store).__name__

    def chunk_count(self) -> int | None:
        """How many chunks the store holds, if it can say."""
        return chunk_count(self._store)

    def run(self, query: str, step: Search) -> list[Hit]:
        """The hits of one search, best first."""
        kwargs = self._arguments(step)
        with untraced():
            if self._with_threshold:
                return _hits(self._store.similarity_search_with_relevance_scores(query, **kwargs))
            return _hits(self._store.similarity_search_with_score(query, **kwargs))

    async def arun(self, query: str, step: Search) -> list[Hit]:
        """Like ``run``, without blocking the event loop."""
        kwargs = self._arguments(step)
        with untraced():
            if self._with_threshold:
                found = await self._store.asimilarity_search_with_relevance_scores(query, **kwargs)
            else:
                found = await self._store.asimilarity_search_with_score(query, **kwargs)
            return _hits(found)

    def _arguments(self, step: Search) -> dict[str, Any]:
        confined = {}
        if step.objects is not None and self.object_filter is not None:
            confined = self.object_filter.search_kwargs(step.objects)
        return {**self._kwargs, **confined, "k": step.limit}


class RetrieverSearch:
    """Asks another retriever: for as much as is wanted where it has a ``k``, else once."""

    object_filter: ObjectFilter | None = None
    can_filter = False

    def __init__(self, retriever: BaseRetriever) -> None:
        self._retriever = retriever
        self.widens = isinstance(getattr(retriever, "k", None), int)
        self.name = type(retriever).__name__

    def chunk_count(self) -> int | None:
        """Unknown."""
        return None

    def run(self, query: str, step: Search) -> list[Hit]:
        """The hits of one search, best first."""
        run = untraced_run(CallbackManagerForRetrieverRun)
        retriever = self._asked_for(step.limit)
        with untraced():
            # One that yields its documents works only now.
            found = list(retriever._get_relevant_documents(query, run_manager=run))
            return _hits([(document, None) for document in found])

    async def arun(self, query: str, step: Search) -> list[Hit]:
        """Like ``run``, without blocking the event loop."""
        run = untraced_run(AsyncCallbackManagerForRetrieverRun)
        retriever = self._asked_for(step.limit)
        with untraced():
            found = list(await retriever._aget_relevant_documents(query, run_manager=run))
            return _hits([(document, None) for document in found])

    def _asked_for(self, limit: int) -> BaseRetriever:
        if not self.widens:
            return self._retriever
        return self._retriever.model_copy(update={"k": limit})


def scored(hit: Hit) -> Document:
    """The document of a hit, with its score in the metadata, where it has one."""
    document: Document = hit.passage
    if hit.score is None:
        return document
    return document.model_copy(update={"metadata": {**document.metadata, "score": hit.score}})


def diverse(
    query: str,
    documents: list[Document],
    *,
    k: int,
    embeddings: Embeddings | None,
    lambda_mult: float,
) -> list[Document]:
    """The ``k`` documents that are near the question and unlike each other, by MMR.

    They are chosen among what the user may read, so that what is withheld has no influence.

    Raises:
        ConfigurationError: The store does not say how it embeds.
    """
    if embeddings is None:
        raise ConfigurationError(
            "search_type='mmr' needs the store's embeddings, and this store does not have them."
        )
    if len(documents) <= 1:
        return documents[:k]
    import numpy as np  # noqa: PLC0415 - comes with the stores that need it

    chosen = maximal_marginal_relevance(
        np.array(embeddings.embed_query(query)),
        embeddings.embed_documents([document.page_content for document in documents]),
        lambda_mult=lambda_mult,
        k=k,
    )
    return [documents[position] for position in chosen]


def _hits(found: Sequence[tuple[Document, float | None]]) -> list[Hit]:
    hits = []
    for document, score in found:
        object_id = document.metadata.get("object_id")
        chunk_id = document.metadata.get("chunk_id", document.id)
        hits.append(
            Hit(
                object_id=object_id if isinstance(object_id, str) else None,
                chunk_id=chunk_id if isinstance(chunk_id, str) else None,
                passage=document,
                score=None if score is None else float(score),
                project_id=document.metadata.get("project_id"),
            )
        )
    return hits
