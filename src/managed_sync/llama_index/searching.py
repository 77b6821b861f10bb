"""How a LlamaIndex index, or another retriever, is searched for a retrieval plan.

Searches are not traced: events and spans would show what is withheld later.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.base import BaseIndex
from llama_index.core.schema import NodeWithScore, QueryBundle

from managed_sync.llama_index.conversion import leading_nowhere
from managed_sync.llama_index.object_filters import chunk_count, object_filter_for
from managed_sync.llama_index.tracing import untraced
from managed_sync.permissions.object_filter import ObjectFilter
from managed_sync.permissions.ranking import Hit
from managed_sync.permissions.steps import Search

__all__ = ["IndexSearch", "RetrieverSearch"]


class IndexSearch:
    """Searches an index, all of it or some objects only."""

    widens = True

    def __init__(
        self,
        index: BaseIndex[Any],
        retriever_kwargs: dict[str, Any],
        object_filter: ObjectFilter | None,
    ) -> None:
        self._index = index
        self._kwargs = retriever_kwargs
        known = object_filter or object_filter_for(index)
        self.object_filter = known
        # The caller's own filters would be lost where both use the same argument.
        self.can_filter = known is None or not (
            known.search_kwargs([""]).keys() & retriever_kwargs.keys()
        )
        self.name = type(getattr(index, "vector_store", index)).__name__

    def chunk_count(self) -> int | None:
        """How many chunks the index holds, if it can say."""
        return chunk_count(self._index)

    def run(self, query: QueryBundle, step: Search) -> list[Hit]:
        """The hits of one search, best first."""
        with untraced():
            return _run(self._retriever(step), query)

    async def arun(self, query: QueryBundle, step: Search) -> list[Hit]:
        """Like ``run``, without blocking the event loop."""
        with untraced():
            return await _arun(self._retriever(step), query)

    def _retriever(self, step: Search) -> BaseRetriever:
        confined = {}
        if step.objects is not None and self.object_filter is not None:
            confined = self.object_filter.search_kwargs(step.objects)
        kwargs = {**self._kwargs, **confined, "similarity_top_k": step.limit}
        return self._index.as_retriever(**kwargs)


class RetrieverSearch:
    """Asks another retriever: for as much as is wanted where it can be told, else once."""

    object_filter: ObjectFilter | None = None
    can_filter = False

    def __init__(self, retriever: BaseRetriever) -> None:
        self._retriever = retriever
        self.widens = isinstance(getattr(retriever, "similarity_top_k", None), int)
        self.name = type(retriever).__name__

    def chunk_count(self) -> int | None:
        """Unknown."""
        return None

    def run(self, query: QueryBundle, step: Search) -> list[Hit]:
        """The hits of one search, best first."""
        with untraced():
            return _run(self._asked_for(step.limit), query)

    async def arun(self, query: QueryBundle, step: Search) -> list[Hit]:
        """Like ``run``, without blocking the event loop."""
        with untraced():
            return await _arun(self._asked_for(step.limit), query)

    def _asked_for(self, limit: int) -> BaseRetriever:
        if not self.widens:
            return self._retriever
        # A copy, since others may be searching with it at the same time.
        asked: Any = copy.copy(self._retriever)
        asked.similarity_top_k = limit
        retriever: BaseRetriever = asked
        return retriever


def _run(retriever: BaseRetriever, query: QueryBundle) -> list[Hit]:
    return _hits(retriever._retrieve(query))


async def _arun(retriever: BaseRetriever, query: QueryBundle) -> list[Hit]:
    if type(retriever)._aretrieve is BaseRetriever._aretrieve:
        # The base class would block the event loop.
        return await asyncio.to_thread(_run, retriever, query)
    return _hits(await retriever._aretrieve(query))


def _hits(found: Sequence[NodeWithScore]) -> list[Hit]:
    hits = []
    for scored in found:
        object_id = scored.node.metadata.get("object_id")
        hits.append(
            Hit(
                object_id=object_id if isinstance(object_id, str) else None,
                chunk_id=scored.node.node_id,
                passage=leading_nowhere(scored),
                score=scored.score,
                project_id=scored.node.metadata.get("project_id"),
            )
        )
    return hits
