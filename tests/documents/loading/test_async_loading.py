"""Loading on an event loop, with clients whose methods are awaited and with those that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import psutil
import pytest

from managed_sync.documents import DocumentLoader, Loaded, LoadFailure, LoadProgress
from managed_sync.errors import AuthenticationError, ConfigurationError, NotFoundError
from managed_sync.models import FileContent, SyncedRecord
from tests.documents.misbehaving_parsers import by_instruction
from tests.documents.text_files import client_of, load
from tests.support.record_source import AsyncRecordSource, RecordSource


def aload(client: RecordSource | AsyncRecordSource, **options: Any) -> list[Loaded]:
    async def collect() -> list[Loaded]:
        return [one async for one in DocumentLoader(client, **options).aload("x", "files")]

    return asyncio.run(collect())


def many(count: int) -> RecordSource:
    return client_of(**{f"r{number}": f"text {number}" for number in range(count)})


def test_it_loads_the_same_as_synchronously_and_in_the_same_order() -> None:
    error = NotFoundError("gone", status=404)
    client = client_of(r1="one", r2=error, r3="three")
    expected = load(client)
    assert aload(AsyncRecordSource(client)) == aload(client) == expected
    assert isinstance(expected[1], LoadFailure)


def test_records_can_be_given_as_a_list_or_as_an_asynchronous_iterator() -> None:
    client = many(3)

    async def collect() -> tuple[list[Loaded], list[Loaded]]:
        loader = DocumentLoader(AsyncRecordSource(client))
        listed = AsyncRecordSource(client).iter_records("x", "files")
        return (
            [one async for one in loader.aload_records(client.records)],
            [one async for one in loader.aload_records(listed)],
        )

    first, second = asyncio.run(collect())
    assert first == second == load(client)


def test_downloads_overlap_up_to_the_limit() -> None:
    client = AsyncRecordSource(many(30), delay=0.01)
    assert len(aload(client, downloads=5)) == 30
    assert client.most == 5


def test_what_is_ready_comes_first_where_order_is_not_asked_for() -> None:
    class FirstIsSlow(AsyncRecordSource):
        async def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
            await asyncio.sleep(1 if record_id == "r0" else 0)
            return self.client.download_content(record_id)

    loaded = aload(FirstIsSlow(many(4)), keep_order=False)
    assert loaded[-1].object_id == "file:r0"


def test_the_loop_goes_on_while_a_client_that_blocks_lists_and_downloads() -> None:
    listed, downloaded = threading.Event(), threading.Event()

    class Blocking(RecordSource):
        def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
            assert listed.wait(30)
            return super().iter_records(integration, sync_type)

        def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
            assert downloaded.wait(30)
            return super().download_content(record_id)

    class Lazy(Blocking):
        def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
            yield from super().iter_records(integration, sync_type)

    async def collect() -> list[Loaded]:
        client = Lazy(many(2).records, many(2).contents)
        # Only a loop that goes on gets to set them.
        asyncio.get_running_loop().call_later(0.01, listed.set)
        asyncio.get_running_loop().call_later(0.02, downloaded.set)
        return [one async for one in DocumentLoader(client).aload("x", "files")]

    assert len(asyncio.run(collect())) == 2


def test_the_caller_hears_how_far_it_is() -> None:
    heard: list[LoadProgress] = []
    aload(AsyncRecordSource(many(2)), on_progress=heard.append)
    assert heard == [LoadProgress(1, 0, 2), LoadProgress(2, 0, 2)]


def test_what_would_hit_every_record_is_raised() -> None:
    error = AuthenticationError("expired", status=401)
    with pytest.raises(AuthenticationError):
        aload(AsyncRecordSource(client_of(r1="one", r2=error)))


def test_an_asynchronous_client_cannot_load_synchronously() -> None:
    with pytest.raises(ConfigurationError, match="aload"):
        load(AsyncRecordSource(many(1)))  # type: ignore[arg-type]


def test_cancelling_a_load_leaves_no_process_and_no_thread() -> None:
    before, threads_before = set(psutil.Process().children()), set(threading.enumerate())

    def started() -> set[psutil.Process]:
        return set(psutil.Process().children()) - before

    async def cancelled() -> None:
        loader = DocumentLoader(AsyncRecordSource(client_of(r1="hang")), parser=by_instruction)

        async def collect() -> None:
            async for _ in loader.aload("x", "files"):
                pass

        loading = asyncio.create_task(collect())
        while not started():  # noqa: ASYNC110 - nobody tells when one starts
            await asyncio.sleep(0.01)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading

    asyncio.run(cancelled())
    assert not started()
    assert not [
        thread
        for thread in set(threading.enumerate()) - threads_before
        if thread.name.startswith("managed-sync")
    ]


def test_a_caller_who_has_seen_enough_stops_the_downloads() -> None:
    client = AsyncRecordSource(many(100))

    async def first() -> Loaded:
        async with aclosing(DocumentLoader(client, downloads=2).aload("x", "files")) as loading:
            return await anext(loading)

    assert asyncio.run(first()).object_id == "file:r0"
    assert len(client.client.downloads) <= 8
