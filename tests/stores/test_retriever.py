"""The retriever over every store: the best that may be read, by each strategy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from managed_sync import AccessCheck, AccessChecker
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.permissions.steps import Strategy
from tests.stores.chunks import METADATA
from tests.stores.conftest import FilledStore

K = 6
OBJECTS = sorted({metadata["object_id"] for metadata in METADATA})
QUERIES = ["a question about the harbour", "another one", "Ω"]


class Service:
    """Allows some objects."""

    def __init__(self, readable: Sequence[str]) -> None:
        self.readable = set(readable)

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        return [check.object in self.readable for check in checks]

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        return sorted(self.readable)


@pytest.mark.parametrize("strategy", ["auto", "post_filter", "pre_filter"])
@pytest.mark.parametrize("readable", [0, 1, 4, 20, 40])
def test_a_user_gets_the_best_of_what_they_may_read(
    store: FilledStore, strategy: Strategy, readable: int
) -> None:
    service = Service(OBJECTS[:: max(1, 40 // readable)][:readable] if readable else [])
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(service),
        k=K,
        strategy=strategy,
        bound_subject="a@x.example",
    )
    for query in QUERIES:
        documents, report = retriever.retrieve_with_report(query)
        if store.asynchronous:
            again, _ = asyncio.run(retriever.aretrieve_with_report(query))
            assert [one.metadata["chunk_id"] for one in again] == [
                one.metadata["chunk_id"] for one in documents
            ]
        found = [document.metadata["chunk_id"] for document in documents]

        assert {document.metadata["object_id"] for document in documents} <= service.readable
        best = store.ranking_within(query, service.readable)[:K]
        if store.exact:
            assert found == best
            assert report.complete
        else:
            # Approximate search may miss some; what it says of itself must hold all the same.
            assert len(found) == len(best) or not report.complete
        assert not report.filter_ignored


class CheckingOnly:
    """A service that cannot list."""

    def __init__(self, readable: Sequence[str]) -> None:
        self.readable = set(readable)

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        return [check.object in self.readable for check in checks]


def test_a_short_result_is_complete_only_if_it_is_all_there_is_also_without_lists(
    store: FilledStore,
) -> None:
    service = CheckingOnly(OBJECTS[:1])
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(service),
        k=K,
        bound_subject="a@x.example",
    )
    for query in QUERIES:
        documents, report = retriever.retrieve_with_report(query)

        best = store.ranking_within(query, service.readable)[:K]
        assert len(documents) == len(best) or not report.complete
        assert report.complete or not store.exact
