"""Through a server that fails a fifth of all requests: everything comes, in order, none twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.client.clock import SystemClock
from tests.client.faults.server import FaultyServer, content_of

# Records, and files among them: more where all faults come together, fewer for each alone.
MANY = (3_000, 200)
FEWER = (3_000, 60)
KINDS = [
    "429",
    "429 with Retry-After",
    "500",
    "503",
    "breaks off",
    "half JSON",
    "stalls",
    "repeated page",
]
RUNS = {kind: {kind: 0.2} for kind in KINDS} | {"mixed": dict.fromkeys(KINDS, 0.2 / 3)}


class HurriedClock(SystemClock):
    """Real time, in which pauses take a thousandth of what they should."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 1000)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)


Result = tuple[list[str], list[bytes], int]


def read_with_threads(url: str, file_count: int, timeout: float) -> Result:
    with (
        ManagedSyncClient(
            "p1", "t", base_url=url, timeout=timeout, retry_budget=600, clock=HurriedClock()
        ) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        ids = [record.id for record in client.iter_records("box", "files")]
        files = pool.map(client.download_content, ids[:file_count])
        return ids, [each.data for each in files], client.retry_count


def read_with_tasks(url: str, file_count: int, timeout: float) -> Result:
    async def read() -> Result:
        async with AsyncManagedSyncClient(
            "p1", "t", base_url=url, timeout=timeout, retry_budget=600, clock=HurriedClock()
        ) as client:
            ids = [record.id async for record in client.iter_records("box", "files")]
            files = await asyncio.gather(*map(client.download_content, ids[:file_count]))
            return ids, [each.data for each in files], client.retry_count

    return asyncio.run(read())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("read", [read_with_threads, read_with_tasks], ids=["sync", "async"])
@pytest.mark.parametrize("run", RUNS)
def test_everything_comes_whole_in_order_and_once(
    run: str, read: Callable[[str, int, float], Result], caplog: pytest.LogCaptureFixture
) -> None:
    may_stall = "stalls" in RUNS[run]
    # Where nothing stalls, nobody shall be taken for stalled.
    timeout = 0.15 if may_stall else 30.0
    record_count, file_count = MANY if run == "mixed" else FEWER
    server = FaultyServer(record_count, RUNS[run], stall=2 * timeout if may_stall else 0)

    with server.running() as url, caplog.at_level(logging.WARNING, logger="managed_sync"):
        ids, contents, retries = read(url, file_count, timeout)

    assert ids == [str(number) for number in range(record_count)]
    assert contents == [content_of(number) for number in ids[:file_count]]
    faults = server.happened.total()
    assert faults > (0.15 * server.requests if run not in {"half JSON", "repeated page"} else 5)
    assert set(server.happened) == set(RUNS[run])
    # On a busy machine an answer may also be late by itself.
    assert retries >= faults if may_stall else retries == faults
    warnings = [each for each in caplog.records if "follows in" in each.getMessage()]
    assert len(warnings) == retries


def test_the_server_is_as_wrong_as_it_is_said_to_be() -> None:
    shares: dict[str, Any] = {}
    for run, faults in RUNS.items():
        server = FaultyServer(MANY[0], faults, stall=0)
        for _ in range(2000):
            server.next_fault(is_page=True, number=2)
        shares[run] = server.happened.total() / server.requests

    assert shares.pop("mixed") == pytest.approx(8 * 0.2 / 3, abs=0.04)
    assert all(share == pytest.approx(0.2, abs=0.03) for share in shares.values())
