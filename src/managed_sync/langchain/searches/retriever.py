"""Searches of another LangChain retriever, for a retrieval plan.

Searches are not traced: callbacks and tracers would see hits that are withheld later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.effects import Program, arun, perform, run
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.searches.store import hits_of
from managed_sync.langchain.searches.widening import (
    can_be_widened,
    folds_hits,
    hit_count,
    widened,
)
from managed_sync.langchain.tracing import untraced, untraced_run
from managed_sync.retrieval.diversity import Diversity
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit
from managed_sync.stores.failures import asearched, searched

__all__ = ["RetrieverQuestion", "RetrieverSearch"]


class RetrieverSearch:
    """Searches with another retriever: repeatedly if it has a limit, and otherwise once.

    Its way of searching is unknown, so none of its results is called complete.

    Args:
        retriever: A retriever, or another runnable that returns documents for a question.
        object_ids: Finds the id of a document's object in its metadata.

    Attributes:
        retriever: The retriever.
        folds_hits: Whether it may return fewer documents than it found hits.
    """

    object_filter: ObjectFilter | None = None
    can_filter = False
    diversity: Diversity | None = None

    def __init__(self, retriever: Runnable[Any, Any], object_ids: ObjectIds = OWN_FIELD) -> None:
        self.retriever = retriever
        self.object_ids = object_ids
        self.can_return_more = can_be_widened(retriever)
        self.folds_hits = folds_hits(retriever)
        self.name = type(retriever).__name__

    def question(self, text: str) -> RetrieverQuestion:
        """Returns a question to the retriever."""
        return RetrieverQuestion(self, text)

    def narrowed(self, *filters: object) -> RetrieverSearch:
        """Refuses filters.

        Raises:
            ConfigurationError: There is one.
        """
        if any(each is not None for each in filters):
            raise ConfigurationError(
                f"filter is for a vector store. Set it on the {self.name} that is passed to "
                f"from_retriever()."
            )
        return self


@dataclass(slots=True, eq=False, repr=False)
class RetrieverQuestion:
    """One question to another retriever.

    Attributes:
        text: The question.
    """

    _search: RetrieverSearch
    text: str

    conditions: tuple[MetadataCondition, ...] = ()

    @property
    def query(self) -> str:
        """Returns the question."""
        return self.text

    def reach(self, step: Inspect) -> Reach:
        """Returns that nothing is known."""
        return Reach()

    def search(self, step: Search) -> list[Hit]:
        """Returns the hits of one search, best first.

        Raises:
            StoreSearchError: The retriever failed.
        """
        program = self._searched(step, self._ask, self._count)
        with untraced():
            return searched(self._search.name, lambda: run(program))

    async def asearch(self, step: Search) -> list[Hit]:
        """Like ``search``, without blocking the event loop."""
        with untraced():
            count = partial(asyncio.to_thread, self._count)
            program = self._searched(step, self._aask, count)
            return await asearched(self._search.name, lambda: arun(program))

    def _searched(
        self,
        step: Search,
        ask: Callable[[int], list[Document] | Awaitable[list[Document]]],
        count: Callable[[], int | Awaitable[int]],
    ) -> Program[list[Hit]]:
        wanted = step.limit
        found = yield from perform(ask, wanted)
        if self._search.can_return_more and len(found) < wanted:
            # It may drop hits, or return one document for several: there can be more.
            limit, most = wanted, min((yield from perform(count)), step.most)
            while len(found) < wanted and limit < most:
                limit, before = min(4 * limit, most), len(found)
                found = yield from perform(ask, limit)
                if len(found) <= before and not self._search.folds_hits:
                    break
        return hits_of([(document, None) for document in found], self._search.object_ids)

    def _count(self) -> int:
        return hit_count(self._search.retriever)

    def _ask(self, limit: int) -> list[Document]:
        retriever = widened(self._search.retriever, limit)
        if not isinstance(retriever, BaseRetriever):
            return _documents(self._search, retriever.invoke(self.text))
        run_manager = untraced_run(CallbackManagerForRetrieverRun)
        ask = retriever._get_relevant_documents  # noqa: SLF001 - bypasses callbacks; langchain-core 1.0 to 1.8
        # One that yields its documents works only now.
        return _documents(self._search, ask(self.text, **_managed(retriever, run_manager)))

    async def _aask(self, limit: int) -> list[Document]:
        retriever = widened(self._search.retriever, limit)
        if not isinstance(retriever, BaseRetriever):
            return _documents(self._search, await retriever.ainvoke(self.text))
        run_manager = untraced_run(AsyncCallbackManagerForRetrieverRun)
        ask = retriever._aget_relevant_documents  # noqa: SLF001 - bypasses callbacks; langchain-core 1.0 to 1.8
        found = await ask(self.text, **_managed(retriever, run_manager))
        if isinstance(found, list):
            return _documents(self._search, found)
        return await asyncio.to_thread(_documents, self._search, found)

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the hits as they are: the other retriever chooses by MMR itself."""
        return hits

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the hits as they are."""
        return hits


def _documents(search: RetrieverSearch, found: Any) -> list[Document]:
    """Returns what a retriever or another runnable returned, if it is documents.

    Raises:
        ConfigurationError: It is something else.
    """
    documents = (
        list(found) if isinstance(found, Iterable) and not isinstance(found, str) else [found]
    )
    for document in documents:
        if not isinstance(document, Document):
            raise ConfigurationError(
                f"The {search.name} that is passed to from_retriever() must return documents for a "
                f"question, got {type(document).__name__}."
            )
    return documents


def _managed(retriever: BaseRetriever, run: object) -> dict[str, Any]:
    """Returns the run's manager as an argument for retrievers that take it; older ones do not."""
    return {"run_manager": run} if retriever._new_arg_supported else {}  # noqa: SLF001 - private in langchain-core 1.0 to 1.8
