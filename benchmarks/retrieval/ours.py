"""This package's retriever, with each of its strategies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from benchmarks.retrieval.contenders import OURS, Contender, unfiltered
from benchmarks.retrieval.permission_service import PermissionService
from benchmarks.retrieval.vector_store import ExactVectorStore
from managed_sync import AccessCheck, AccessChecker
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.retrieval.effects import Strategy

__all__ = ["contenders", "permission_aware"]


def contenders(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
    """Each strategy, over one store and one permission service."""
    # The service's lists are whole, however long they are.
    checker = AccessChecker(_Client(service), list_limit=None)
    return [
        unfiltered(store, k, beside=OURS),
        *(
            Contender(f"{OURS} {strategy}", _asking(store, checker, k, strategy))
            for strategy in get_args(Strategy)
        ),
    ]


def permission_aware(
    store: VectorStore, service: PermissionService, k: int, **settings: Any
) -> PermissionAwareRetriever:
    """This package's retriever, with its default strategy."""
    return PermissionAwareRetriever(
        vectorstore=store,
        checker=AccessChecker(_Client(service), list_limit=None),
        k=k,
        # Other stores are known, and would ignore the arguments of this one.
        object_filter=_ObjectFilter() if isinstance(store, ExactVectorStore) else None,
        **settings,
    )


def _asking(
    store: ExactVectorStore, checker: AccessChecker, k: int, strategy: Strategy
) -> Callable[[str, str], Sequence[Document]]:
    retriever = PermissionAwareRetriever(
        vectorstore=store, checker=checker, k=k, strategy=strategy, object_filter=_ObjectFilter()
    )
    return lambda question, subject: retriever.invoke(question, subject=subject)


class _ObjectFilter:
    """The object filter of the benchmark's store."""

    max_objects: int | None = None
    exact = True

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        return {"object_ids": object_ids}


class _Client:
    """The permission service, in the terms of ``ManagedSyncClient``; any number fits a request."""

    def __init__(self, service: PermissionService) -> None:
        self._service = service

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        return self._service.check(checks[0].subject, [check.object for check in checks])

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        return self._service.list_objects(subject)
