"""Logs and hooks see every request of both clients, and never a token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from tests.client.operations import OPERATIONS, answer
from tests.support.clients import TOKEN


@pytest.mark.parametrize("call", OPERATIONS)
def test_hooks_see_every_request_and_answer_of_both_clients(
    call: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def asee(message: httpx.Request | httpx.Response) -> None:
        seen.append(type(message).__name__)

    def see(message: httpx.Request | httpx.Response) -> None:
        seen.append(type(message).__name__)

    transport = httpx.MockTransport(answer)

    async def ask() -> None:
        hooks = {"request": [asee], "response": [asee]}
        async with httpx.AsyncClient(transport=transport, event_hooks=hooks) as http:
            await call(AsyncManagedSyncClient("p1", TOKEN, http_client=http))

    with caplog.at_level(logging.DEBUG):
        with httpx.Client(
            transport=transport, event_hooks={"request": [see], "response": [see]}
        ) as http:
            call(ManagedSyncClient("p1", TOKEN, http_client=http))
        asyncio.run(ask())

    assert seen == ["Request", "Response"] * 2
    own = [record for record in caplog.records if record.name.startswith("managed_sync")]
    assert len(own) == 2
    assert TOKEN not in caplog.text
