"""Every operation of both clients against Prism, which knows the specification and nothing else.

Prism refuses requests that the specification does not allow, and answers with what it does.

See ``docs/decisions/0022-client-contract.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from managed_sync import (
    AccessCheck,
    AsyncManagedSyncClient,
    ManagedSyncClient,
    RelationshipNode,
    SyncedRecord,
    SyncState,
    SyncStatus,
)
from managed_sync.errors import ResponseFormatError, SyncFailedError
from tests.support.clients import Driven, FakeClock

CHECK = AccessCheck(subject="a@x.example", relation="viewer", object="file:1")


@pytest.fixture(params=[ManagedSyncClient, AsyncManagedSyncClient], ids=["sync", "async"])
def client(request: pytest.FixtureRequest, prism_url: str) -> Iterator[Driven]:
    made = request.param("p1", "t", base_url=prism_url, clock=FakeClock())
    with asyncio.Runner() as runner:
        driven = Driven(made, runner, made._clock)
        yield driven
        driven.close()
    assert made.retry_count <= 6


def is_the_status(status: SyncStatus) -> bool:
    return (status.status, status.integration) == (SyncState.SYNCING, "string")


def is_the_record(record: SyncedRecord) -> bool:
    assert record.updated_at is not None
    return (record.id, record.sync_type, record.updated_at.year) == ("string", "string", 2019)


def test_enable_sync(client: Driven) -> None:
    assert is_the_status(client.enable_sync("googleDrive", "files"))
    assert is_the_status(client.enable_sync("googleDrive", "files", "15m"))


def test_get_sync_status(client: Driven) -> None:
    assert is_the_status(client.get_sync_status("googleDrive", "files"))


def test_wait_until_idle(client: Driven) -> None:
    seen: list[SyncStatus] = []

    with pytest.raises(SyncFailedError, match="still running"):
        client.wait_until_idle("googleDrive", "files", timeout=1, on_progress=seen.append)

    assert len(seen) > 2
    assert all(is_the_status(status) for status in seen)


@pytest.mark.parametrize("cursor", [None, "c/1 ä?&"])
def test_list_records(client: Driven, cursor: str | None) -> None:
    page = client.list_records("googleDrive", "files", cursor)

    assert [is_the_record(record) for record in page.records] == [True]
    assert page.next_cursor == "string"


def test_iter_records_follows_the_cursor_and_notices_that_it_never_changes(client: Driven) -> None:
    records = iter(client.iter_records("googleDrive", "files"))

    assert is_the_record(next(records))
    with pytest.raises(ResponseFormatError, match="does not end: page 2 repeats"):
        list(records)


@pytest.mark.parametrize("record_id", ["r1", "../a b?ä/%2F"])
def test_get_record(client: Driven, record_id: str) -> None:
    assert is_the_record(client.get_record(record_id))


def test_download_content(client: Driven) -> None:
    content = client.download_content("r1")

    assert (content.data, content.content_type) == (b"string", "application/octet-stream")


def test_stream_content(client: Driven) -> None:
    with client.stream_content("r1") as content:
        assert b"".join(content) == b"string"


def test_check_access(client: Driven) -> None:
    assert client.check_access("a@x.example", "viewer", "file:1") is True


def test_batch_check_access(client: Driven) -> None:
    assert client.batch_check_access([CHECK]) == [True]


def test_list_users_without_a_body_names_nobody(client: Driven) -> None:
    assert client.list_users("file:1", "viewer") == []


def test_list_objects_without_a_body_names_nothing(client: Driven) -> None:
    assert client.list_objects("a@x.example", "viewer") == []
    assert client.list_objects("a@x.example", "viewer", "file") == []


def test_expand_without_a_body_says_what_a_check_says(client: Driven) -> None:
    assert client.expand("a@x.example", "viewer", "file:1") == RelationshipNode(
        object="file:1", relation="viewer", granted=True
    )


def test_prism_would_refuse_what_the_specification_does_not_allow(prism_url: str) -> None:
    root = f"{prism_url}/projects/p1"
    headers = {"Authorization": "Bearer t"}

    assert httpx.get(f"{root}/sync/status", headers=headers).status_code == 422
    assert httpx.post(f"{root}/permissions/check-access", json={}, headers=headers).is_error
    assert httpx.get(f"{root}/sync/records/r1").status_code == 401
