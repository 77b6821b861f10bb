"""A LlamaIndex retriever that returns only what the asking user may read, now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.base import BaseIndex
from llama_index.core.schema import NodeWithScore, QueryBundle

from managed_sync.errors import ConfigurationError
from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.drivers import acarry_out, carry_out
from managed_sync.permissions.plan import Hit, Plan, post_filter
from managed_sync.permissions.report import RetrievalReport
from managed_sync.permissions.subject import UNSET, Unset, resolve_bound_subject, resolve_subject

__all__ = ["PermissionAwareRetriever"]


class PermissionAwareRetriever(BaseRetriever):
    """Finds the best ``k`` nodes among those a user may read.

    Every node that is returned was allowed by the Permissions API in this very call. If too few of
    the first hits are allowed, the search widens, so that a user who may read little still gets
    ``k`` nodes where the index holds them.

    Who asks is said by ``for_subject`` or by ``acting_as``. If nobody says, or what is said is
    empty, ``MissingSubjectError`` is raised.

    Args:
        index: An index whose nodes carry ``object_id`` in their metadata. A node without one is
            never returned.
        checker: Decides who may read what.
        k: Nodes wanted.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this; a result that is short for this
            reason has ``complete=False`` in its report.
        retriever_kwargs: Passed on to ``index.as_retriever``.

    Example:
        ```python
        retriever = PermissionAwareRetriever(index, checker=AccessChecker(client), k=6)
        with acting_as("alice@example.com"):
            nodes = retriever.retrieve("What did we decide on pricing?")
        ```
    """

    def __init__(
        self,
        index: BaseIndex[Any],
        *,
        checker: AccessChecker,
        k: int = 6,
        overfetch: int = 4,
        max_candidates: int = 10_000,
        bound_subject: str | None = None,
        **retriever_kwargs: Any,
    ) -> None:
        if min(k, overfetch, max_candidates) < 1:
            raise ConfigurationError("k, overfetch and max_candidates must be at least 1.")
        super().__init__()
        self._index = index
        self._checker = checker
        self._k = k
        self._overfetch = overfetch
        self._max_candidates = max_candidates
        self._bound_subject = bound_subject
        self._retriever_kwargs = retriever_kwargs

    def for_subject(self, subject: str) -> PermissionAwareRetriever:
        """The same retriever for one user only, as for a query or chat engine.

        Raises:
            MissingSubjectError: ``subject`` is empty.
        """
        return PermissionAwareRetriever(
            self._index,
            checker=self._checker,
            k=self._k,
            overfetch=self._overfetch,
            max_candidates=self._max_candidates,
            bound_subject=resolve_subject(subject),
            **self._retriever_kwargs,
        )

    def retrieve_with_report(
        self, query: str | QueryBundle, *, subject: str | Unset = UNSET
    ) -> tuple[list[NodeWithScore], RetrievalReport]:
        """Retrieves, and says what was searched, checked and withheld.

        Raises:
            MissingSubjectError: Nobody said for whom.
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
        """
        bundle = QueryBundle(query) if isinstance(query, str) else query
        hits, report = carry_out(
            self._plan(),
            subject=resolve_bound_subject(self._bound_subject, subject),
            checker=self._checker,
            search=lambda limit: _hits(self._searching(limit).retrieve(bundle)),
        )
        return [hit.passage for hit in hits], report

    async def aretrieve_with_report(
        self, query: str | QueryBundle, *, subject: str | Unset = UNSET
    ) -> tuple[list[NodeWithScore], RetrievalReport]:
        """Like ``retrieve_with_report``, without blocking the event loop."""
        bundle = QueryBundle(query) if isinstance(query, str) else query

        async def search(limit: int) -> Sequence[Hit]:
            return _hits(await self._searching(limit).aretrieve(bundle))

        hits, report = await acarry_out(
            self._plan(),
            subject=resolve_bound_subject(self._bound_subject, subject),
            checker=self._checker,
            search=search,
        )
        return [hit.passage for hit in hits], report

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.retrieve_with_report(query_bundle)[0]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return (await self.aretrieve_with_report(query_bundle))[0]

    # The base class follows nodes that stand for other retrievers after the check; what it would
    # bring back was never checked. The search below follows them before the check.
    def _handle_recursive_retrieval(
        self, query_bundle: QueryBundle, nodes: list[NodeWithScore]
    ) -> list[NodeWithScore]:
        return nodes

    async def _ahandle_recursive_retrieval(
        self, query_bundle: QueryBundle, nodes: list[NodeWithScore]
    ) -> list[NodeWithScore]:
        return nodes

    def _searching(self, limit: int) -> BaseRetriever:
        return self._index.as_retriever(similarity_top_k=limit, **self._retriever_kwargs)

    def _plan(self) -> Plan:
        return post_filter(self._k, overfetch=self._overfetch, max_candidates=self._max_candidates)


def _hits(found: Sequence[NodeWithScore]) -> list[Hit]:
    hits = []
    for scored in found:
        object_id = scored.node.metadata.get("object_id")
        hits.append(
            Hit(
                object_id=object_id if isinstance(object_id, str) else None,
                chunk_id=scored.node.node_id,
                passage=scored,
            )
        )
    return hits
