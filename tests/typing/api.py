"""Intended uses of the clients, which the type checker accepts; nothing here is ever run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import httpx
from pydantic import SecretStr

from managed_sync import (
    AccessCheck,
    AccessChecker,
    AsyncManagedSyncClient,
    FileContent,
    ManagedSyncClient,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
    acting_as,
)


def ask() -> str:
    return "token"


def ask_for_secret() -> SecretStr:
    return SecretStr("token")


async def ask_later() -> str:
    return "token"


def synchronous(progress: list[SyncStatus]) -> None:
    ManagedSyncClient("p1", "token")
    ManagedSyncClient("p1", SecretStr("token"))
    ManagedSyncClient("p1", ask)
    ManagedSyncClient("p1", token=ask_for_secret)
    ManagedSyncClient(project_id="p1", signing_key="key", user_id="u1")
    ManagedSyncClient("p1", "token", transport=httpx.HTTPTransport(), timeout=5)
    ManagedSyncClient("p1", "token", http_client=httpx.Client(), retry_budget=0)
    assert_type(ManagedSyncClient.from_env(), ManagedSyncClient)
    ManagedSyncClient.from_env(token=ask, retry_budget=5, http_client=httpx.Client())

    with ManagedSyncClient("p1", "token") as client:
        assert_type(client, ManagedSyncClient)
        assert_type(client.enable_sync("box", "files", frequency="1h"), SyncStatus)
        client.wait_until_idle("box", "files", on_progress=progress.append)
        assert_type(client.list_records("box", "files", None), RecordPage)
        assert_type(client.iter_records("box", "files"), Iterator[SyncedRecord])
        assert_type(client.iter_changes("box", "files", "c1"), Iterator[RecordPage])
        assert_type(client.download_content("r1", max_bytes=1), FileContent)
        with client.stream_content("r1") as content:
            assert_type(content.filename, str | None)
            for part in content:
                assert_type(part, bytes)
        checks = [AccessCheck(subject="a", relation="viewer", object="file:1")]
        assert_type(client.batch_check_access(checks), list[bool])
        assert_type(client.expand("a", "viewer", "file:1"), RelationshipNode)
        assert_type(client.retry_count, int)
        assert_type(AccessChecker(client).allowed("a", ["file:1"]), set[str])


async def asynchronous() -> None:
    AsyncManagedSyncClient("p1", ask)
    AsyncManagedSyncClient("p1", ask_later)
    AsyncManagedSyncClient("p1", "token", transport=httpx.AsyncHTTPTransport())
    AsyncManagedSyncClient("p1", "token", http_client=httpx.AsyncClient())

    AsyncManagedSyncClient.from_env(token=ask_later, transport=httpx.AsyncHTTPTransport())
    async with AsyncManagedSyncClient.from_env() as client:
        assert_type(client, AsyncManagedSyncClient)
        assert_type(await client.get_sync_status("box", "files"), SyncStatus)
        assert_type(client.iter_records("box", "files"), AsyncIterator[SyncedRecord])
        assert_type(client.iter_changes("box", "files", None), AsyncIterator[RecordPage])
        async for record in client.iter_records("box", "files"):
            assert_type(record, SyncedRecord)
        async with client.stream_content("r1") as content:
            async for part in content:
                assert_type(part, bytes)
        checks = [AccessCheck(subject="a", relation="viewer", object="file:1")]
        assert_type(await client.batch_check_access(checks), list[bool])
        assert_type(await client.check_access("a", "viewer", "file:1"), bool)
        assert_type(await AccessChecker(client).aallowed("a", ["file:1"]), set[str])


@acting_as("a")
def count(passages: int) -> str:
    return str(passages)


def act_as_a_user() -> None:
    with acting_as("a") as subject:
        assert_type(subject, str)
    assert_type(count(1), str)
