"""A listing with malformed records, or one that breaks off, costs none of the good ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from managed_sync.documents import LoadFailure
from managed_sync.errors import ApiConnectionError, MalformedRecordsError, ManagedSyncError
from managed_sync.langchain import ManagedSyncLoader
from managed_sync.llama_index import ManagedSyncReader
from managed_sync.models import MalformedRecord, SyncedRecord
from tests.documents.text_files import client_of
from tests.support.record_source import AsyncRecordSource, RecordSource

MALFORMED = (MalformedRecord("odd", "data: not an object"), MalformedRecord(None, "no id"))


def ending_with(error: ManagedSyncError) -> RecordSource:
    """A source of twenty files, whose listing raises when all were handed out."""
    client = client_of(**{f"r{number}": f"text {number}" for number in range(20)})
    listed = client.iter_records

    def iter_records(integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        yield from listed(integration, sync_type)
        raise error

    client.iter_records = iter_records  # type: ignore[method-assign]
    return client


def with_malformed() -> RecordSource:
    return ending_with(MalformedRecordsError("2 malformed records", malformed=MALFORMED))


def langchain(client: Any, **options: Any) -> tuple[list[Any], list[LoadFailure]]:
    loader = ManagedSyncLoader(client, integration="x", sync_type="files", processes=0, **options)
    return list(loader.lazy_load()), loader.failures


def langchain_async(client: Any, **options: Any) -> tuple[list[Any], list[LoadFailure]]:
    loader = ManagedSyncLoader(
        AsyncRecordSource(client), integration="x", sync_type="files", processes=0, **options
    )

    async def collect() -> list[Any]:
        return [one async for one in loader.alazy_load()]

    return asyncio.run(collect()), loader.failures


def llama_index(client: Any, **options: Any) -> tuple[list[Any], list[LoadFailure]]:
    reader = ManagedSyncReader(client, integration="x", sync_type="files", processes=0, **options)
    return reader.load_data(), reader.failures


def llama_index_async(client: Any, **options: Any) -> tuple[list[Any], list[LoadFailure]]:
    reader = ManagedSyncReader(
        AsyncRecordSource(client), integration="x", sync_type="files", processes=0, **options
    )
    return asyncio.run(reader.aload_data()), reader.failures


def llama_index_resources(client: Any, **options: Any) -> tuple[list[Any], list[LoadFailure]]:
    reader = ManagedSyncReader(client, integration="x", sync_type="files", processes=0, **options)
    return reader.list_resources(), reader.failures


def llama_index_resources_async(client: Any, **options: Any) -> tuple[list[Any], list[LoadFailure]]:
    reader = ManagedSyncReader(
        AsyncRecordSource(client), integration="x", sync_type="files", processes=0, **options
    )
    return asyncio.run(reader.alist_resources()), reader.failures


ALL = [
    langchain,
    langchain_async,
    llama_index,
    llama_index_async,
    llama_index_resources,
    llama_index_resources_async,
]


@pytest.mark.parametrize("load", ALL)
def test_all_others_are_handed_out_and_the_malformed_ones_reported(load: Any) -> None:
    loaded, failures = load(with_malformed())

    assert len(loaded) == 20
    assert [(each.record_id, each.reason) for each in failures] == [
        ("odd", "odd cannot be read. data: not an object"),
        ("", "a record without an id cannot be read. no id"),
    ]


@pytest.mark.parametrize("load", ALL)
def test_a_malformed_record_raises_where_the_first_failure_should(load: Any) -> None:
    with pytest.raises(ManagedSyncError, match="odd cannot be read"):
        load(with_malformed(), raise_on_failure=True)


@pytest.mark.parametrize("load", ALL)
def test_a_listing_that_breaks_off_is_an_error(load: Any) -> None:
    with pytest.raises(ApiConnectionError, match="broke"):
        load(ending_with(ApiConnectionError("the connection broke")))


def test_what_was_listed_before_it_broke_off_is_handed_out_first() -> None:
    loader = ManagedSyncLoader(
        ending_with(ApiConnectionError("the connection broke")),
        integration="x",
        sync_type="files",
        processes=0,
    )
    documents = loader.lazy_load()

    assert len([next(documents) for _ in range(20)]) == 20
    with pytest.raises(ApiConnectionError):
        next(documents)
