"""Misuses of the clients, each with the error of the type checker that refuses it.

``make types`` checks this file as it checks all others. A misuse that it allowed would have a
``type: ignore`` that is not needed, which is an error.
"""

from __future__ import annotations

import httpx

from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient


async def ask_later() -> str:
    return "token"


def ask_with(user: str) -> str:
    return user


def make_clients() -> None:
    ManagedSyncClient()  # type: ignore[call-arg]
    ManagedSyncClient("p1", 7)  # type: ignore[arg-type]
    ManagedSyncClient("p1", "t", "https://api.test")  # type: ignore[call-arg]
    ManagedSyncClient("p1", ask_later)  # type: ignore[arg-type]
    AsyncManagedSyncClient("p1", ask_with)  # type: ignore[arg-type]
    ManagedSyncClient("p1", "t", api="hosted-by-me")  # type: ignore[arg-type]
    ManagedSyncClient("p1", "t", http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    AsyncManagedSyncClient("p1", "t", transport=httpx.HTTPTransport())  # type: ignore[arg-type]
    ManagedSyncClient.from_env(batch_size=7)  # type: ignore[call-arg]
    ManagedSyncClient.from_env(retry_budget="5")  # type: ignore[arg-type]
    ManagedSyncClient.from_env(token=ask_later)  # type: ignore[arg-type]
    AsyncManagedSyncClient.from_env(http_client=httpx.Client())  # type: ignore[arg-type]


def use(client: ManagedSyncClient) -> None:
    client.batch_check_access([("alice", "viewer", "file:1")])  # type: ignore[list-item]
    client.download_content("r1", 10)  # type: ignore[call-arg]
    client.retry_count = 3  # type: ignore[misc]
    for _part in client.stream_content("r1"):  # type: ignore[attr-defined]
        pass


async def use_async(client: AsyncManagedSyncClient, checks: list[AccessCheck]) -> None:
    _allowed: bool = client.check_access("alice", "viewer", "file:1")  # type: ignore[assignment]
    _decisions: list[bool] = client.batch_check_access(checks)  # type: ignore[assignment]
    for _record in client.iter_records("box", "files"):  # type: ignore[attr-defined]
        pass
    with client.stream_content("r1") as _content:  # type: ignore[attr-defined]
        pass
