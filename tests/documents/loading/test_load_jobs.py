"""Each result of a load comes with the value that was passed with its record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from managed_sync.documents import DocumentLoader, Loaded, SourceDocument
from managed_sync.documents.loading.results import load_jobs
from managed_sync.errors import ApiConnectionError, ConfigurationError, NotFoundError
from managed_sync.langchain import ManagedSyncLoader
from managed_sync.llama_index import ManagedSyncReader
from managed_sync.models import SyncedRecord
from tests.documents.text_files import client_of, file_record
from tests.support.record_source import AsyncRecordSource, RecordSource


class LoaderOfACaller:
    """A loader that knows nothing of jobs, and hands out results as it likes."""

    def __init__(self, client: RecordSource) -> None:
        self.loader = DocumentLoader(client, processes=0)

    def load_records(self, records: Iterable[SyncedRecord]) -> Iterator[Loaded]:
        return iter(list(self.loader.load_records(records))[::-1])


class Redacting(DocumentLoader):
    """A subclass that changes what is loaded, and knows nothing of jobs."""

    def load_records(self, records: Iterable[SyncedRecord]) -> Any:
        for loaded in super().load_records(records):
            if isinstance(loaded, SourceDocument):
                yield SourceDocument("redacted", loaded.metadata)


def langchain(client: Any) -> ManagedSyncLoader:
    return ManagedSyncLoader(client, integration="x", sync_type="files", processes=0)


def llama_index(client: Any) -> ManagedSyncReader:
    return ManagedSyncReader(client, integration="x", sync_type="files", processes=0)


def core(client: Any) -> DocumentLoader:
    return DocumentLoader(client, processes=0)


def unordered(client: Any) -> DocumentLoader:
    return DocumentLoader(client, processes=0, keep_order=False)


def redacting(client: Any) -> DocumentLoader:
    """A loader of this package with ``load_records`` replaced on the object."""
    loader = core(client)
    loader.load_records = Redacting(client, processes=0).load_records  # type: ignore[method-assign]
    return loader


@pytest.mark.parametrize("loader_of", [core, unordered, langchain, llama_index, LoaderOfACaller])
def test_each_result_comes_with_the_value_of_its_record(loader_of: Any) -> None:
    gone = NotFoundError("gone", status=404)
    client = client_of(r1="one", r2=gone, r3="three", r4="four")
    folder = file_record(9, mimeType="inode/directory")
    jobs = [(record, object()) for record in [*client.records, folder]]
    expected = {record.id: job for record, job in jobs[:-1]}

    results = list(load_jobs(loader_of(client), jobs))

    assert {loaded.record_id: job for loaded, job in results} == expected
    assert [loaded.title for loaded, _ in sorted(results, key=lambda each: each[0].record_id)] == [
        f"plan {number}.txt" for number in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    "loader_of", [lambda client: Redacting(client, processes=0), redacting], ids=["class", "object"]
)
def test_a_load_records_of_the_caller_is_never_bypassed(loader_of: Any) -> None:
    client = client_of(r1="secret")

    ((document, job),) = load_jobs(loader_of(client), [(client.records[0], 7)])

    assert isinstance(document, SourceDocument)
    assert (document.text, job) == ("redacted", 7)


def test_a_record_that_is_loaded_twice_comes_back_with_both_values() -> None:
    client = client_of(r1="one")
    (record,) = client.records

    assert [job for _, job in load_jobs(core(client), [(record, 7), (record, 8)])] == [7, 8]


def test_what_came_before_an_error_of_the_records_is_loaded_first() -> None:
    client = client_of(r1="one", r2="two")

    def jobs() -> Iterator[tuple[SyncedRecord, int]]:
        yield from zip(client.records, (1, 2), strict=True)
        raise ApiConnectionError("the connection broke")

    results = core(client).load_jobs(jobs())

    assert [job for _, job in (next(results), next(results))] == [1, 2]
    with pytest.raises(ApiConnectionError):
        next(results)


def test_an_asynchronous_client_cannot_load_jobs() -> None:
    with pytest.raises(ConfigurationError, match="aload"):
        next(core(AsyncRecordSource(client_of(r1="one"))).load_jobs([(file_record(1), 1)]))
