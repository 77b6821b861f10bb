"""Searches of another LangChain retriever, for a retrieval plan.

Searches are not traced: callbacks and tracers would see hits that are withheld later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.retrievers import BaseRetriever

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.searches.store import hits_of
from managed_sync.langchain.tracing import untraced, untraced_run
from managed_sync.retrieval.diversity import Diversity
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit

__all__ = ["RetrieverQuestion", "RetrieverSearch"]


class RetrieverSearch:
    """Searches with another retriever: repeatedly if it has a ``k``, and otherwise once.

    Its way of searching is unknown, so none of its results is called complete.
    """

    object_filter: ObjectFilter | None = None
    can_filter = False
    diversity: Diversity | None = None

    def __init__(self, retriever: BaseRetriever, object_ids: ObjectIds = OWN_FIELD) -> None:
        self._retriever = retriever
        self.object_ids = object_ids
        self.can_return_more = isinstance(getattr(retriever, "k", None), int)
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

    def limited_to(self, limit: int) -> BaseRetriever:
        """Returns the retriever, with this limit if it has one."""
        if not self.can_return_more:
            return self._retriever
        return self._retriever.model_copy(update={"k": limit})


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
        """Returns the hits of one search, best first."""
        run = untraced_run(CallbackManagerForRetrieverRun)
        retriever = self._search.limited_to(step.limit)
        with untraced():
            # One that yields its documents works only now.
            found = list(retriever._get_relevant_documents(self.text, **_managed(retriever, run)))  # noqa: SLF001 - bypasses callbacks; langchain-core 1.0 to 1.8
            return hits_of([(document, None) for document in found], self._search.object_ids)

    async def asearch(self, step: Search) -> list[Hit]:
        """Like ``search``, without blocking the event loop."""
        run = untraced_run(AsyncCallbackManagerForRetrieverRun)
        retriever = self._search.limited_to(step.limit)
        with untraced():
            ask = retriever._aget_relevant_documents  # noqa: SLF001 - bypasses callbacks; langchain-core 1.0 to 1.8
            found = list(await ask(self.text, **_managed(retriever, run)))
            return hits_of([(document, None) for document in found], self._search.object_ids)

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the hits as they are: the other retriever chooses by MMR itself."""
        return hits

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the hits as they are."""
        return hits


def _managed(retriever: BaseRetriever, run: object) -> dict[str, Any]:
    """Returns the run's manager as an argument for retrievers that take it; older ones do not."""
    return {"run_manager": run} if retriever._new_arg_supported else {}  # noqa: SLF001 - private in langchain-core 1.0 to 1.8
