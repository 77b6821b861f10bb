"""A LangChain retriever that returns only what the asking user may read, now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, Field, PositiveInt

from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.drivers import acarry_out, carry_out
from managed_sync.permissions.plan import Hit, Plan, post_filter
from managed_sync.permissions.report import RetrievalReport
from managed_sync.permissions.subject import UNSET, Unset, resolve_bound_subject, resolve_subject

__all__ = ["PermissionAwareRetriever"]


class PermissionAwareRetriever(BaseRetriever):
    """Finds the best ``k`` passages among those a user may read.

    Every passage that is returned was allowed by the Permissions API in this very call. If too few
    of the first hits are allowed, the search widens, so that a user who may read little still gets
    ``k`` passages where the store holds them.

    Who asks is said, in this order, by ``for_subject``, by ``subject=`` or
    ``config={"configurable": {"subject": ...}}``, or by ``acting_as``. If nobody says, or what is
    said is empty, ``MissingSubjectError`` is raised.

    Args:
        vectorstore: Any vector store whose documents carry ``object_id`` in their metadata.
            A document without one is never returned.
        checker: Decides who may read what.
        k: Passages wanted.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this; a result that is short for this
            reason has ``complete=False`` in its report.
        search_kwargs: Passed on to the store's search.

    Example:
        ```python
        retriever = PermissionAwareRetriever(vectorstore=store, checker=AccessChecker(client), k=6)
        retriever.invoke("What did we decide on pricing?", subject="alice@example.com")
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    vectorstore: VectorStore
    checker: AccessChecker
    k: PositiveInt = 6
    overfetch: PositiveInt = 4
    max_candidates: PositiveInt = 10_000
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    bound_subject: str | None = None

    def for_subject(self, subject: str) -> PermissionAwareRetriever:
        """The same retriever for one user only, to be used where nobody can say who asks.

        Raises:
            MissingSubjectError: ``subject`` is empty.
        """
        return self.model_copy(update={"bound_subject": resolve_subject(subject)})

    def invoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Retrieves for ``subject=``, the config's subject, or the one of ``acting_as``."""
        return super().invoke(input, config, **_with_subject(config, kwargs))

    async def ainvoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Like ``invoke``, without blocking the event loop."""
        return await super().ainvoke(input, config, **_with_subject(config, kwargs))

    def retrieve_with_report(
        self, query: str, *, subject: str | Unset = UNSET
    ) -> tuple[list[Document], RetrievalReport]:
        """Retrieves, and says what was searched, checked and withheld.

        Raises:
            MissingSubjectError: Nobody said for whom.
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
        """
        hits, report = carry_out(
            self._plan(),
            subject=resolve_bound_subject(self.bound_subject, subject),
            checker=self.checker,
            search=lambda limit: _hits(
                self.vectorstore.similarity_search_with_score(query, k=limit, **self.search_kwargs)
            ),
        )
        return [hit.passage for hit in hits], report

    async def aretrieve_with_report(
        self, query: str, *, subject: str | Unset = UNSET
    ) -> tuple[list[Document], RetrievalReport]:
        """Like ``retrieve_with_report``, without blocking the event loop."""

        async def search(limit: int) -> Sequence[Hit]:
            return _hits(
                await self.vectorstore.asimilarity_search_with_score(
                    query, k=limit, **self.search_kwargs
                )
            )

        hits, report = await acarry_out(
            self._plan(),
            subject=resolve_bound_subject(self.bound_subject, subject),
            checker=self.checker,
            search=search,
        )
        return [hit.passage for hit in hits], report

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        subject: str | Unset = UNSET,
    ) -> list[Document]:
        return self.retrieve_with_report(query, subject=subject)[0]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        subject: str | Unset = UNSET,
    ) -> list[Document]:
        return (await self.aretrieve_with_report(query, subject=subject))[0]

    def _plan(self) -> Plan:
        return post_filter(self.k, overfetch=self.overfetch, max_candidates=self.max_candidates)


def _with_subject(config: RunnableConfig | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments with the config's subject, unless the call itself names one."""
    configurable = ensure_config(config).get("configurable", {})
    if "subject" in configurable and "subject" not in kwargs:
        return {**kwargs, "subject": configurable["subject"]}
    return kwargs


def _hits(found: Sequence[tuple[Document, float]]) -> list[Hit]:
    hits = []
    for document, score in found:
        object_id = document.metadata.get("object_id")
        chunk_id = document.metadata.get("chunk_id", document.id)
        passage = document.model_copy(update={"metadata": {**document.metadata, "score": score}})
        hits.append(
            Hit(
                object_id=object_id if isinstance(object_id, str) else None,
                chunk_id=chunk_id if isinstance(chunk_id, str) else None,
                passage=passage,
            )
        )
    return hits
