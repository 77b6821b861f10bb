"""Lets plain httpx and a client take turns at the same requests."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from benchmarks.client.report import PAGES_A_ROUND, Kind, Results
from benchmarks.client.sync_service import PAGE_SIZE, served
from benchmarks.common.memory import peak_bytes
from benchmarks.common.processes import lines_from
from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient

__all__ = ["memory_growth", "run"]

_CHECKS = [
    AccessCheck(subject="a@x.example", relation="viewer", object=f"f:{n}") for n in range(100)
]
_CHECKS_BODY = {"checks": [check.model_dump() for check in _CHECKS]}
_HEADERS = {"Authorization": "Bearer t"}
_ROOT_PATH = "/projects/p1"


def run(*, records: int, rounds: int) -> Results:
    """Measures both clients, one after the other."""
    with served(PAGES_A_ROUND) as url:
        kinds = [
            _measured(ManagedSyncClient.__name__, list(_rounds(url, rounds)), records),
            _measured(
                AsyncManagedSyncClient.__name__, asyncio.run(_async_rounds(url, rounds)), records
            ),
        ]
    return Results(
        records=records,
        rounds=rounds,
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions={name: version(name) for name in ("managed-sync", "httpx", "pydantic")},
        kinds=kinds,
    )


Round = tuple[float, float, list[float], list[float]]


def _measured(name: str, rounds: Sequence[Round], records: int) -> Kind:
    plain, ours, plain_checks, checks = zip(*rounds, strict=True)
    check = statistics.median(chain.from_iterable(plain_checks))
    own = statistics.median(chain.from_iterable(checks)) - check
    return Kind(
        client=name,
        plain_records_per_second=round(PAGES_A_ROUND * PAGE_SIZE / min(plain)),
        records_per_second=round(PAGES_A_ROUND * PAGE_SIZE / min(ours)),
        ratio=round(min(plain) / min(ours), 3),
        check_ms=round(check * 1000, 2),
        own_check_ms=round(own * 1000, 2),
        memory_mb=_memory_of(name, records),
    )


def _rounds(url: str, rounds: int) -> Iterator[Round]:
    root = url + _ROOT_PATH
    with httpx.Client() as http, ManagedSyncClient("p1", "t", base_url=url) as client:

        def plain() -> None:
            cursor: str | None = ""
            while cursor is not None:
                answer = http.get(f"{root}/sync/records", params=_query(cursor), headers=_HEADERS)
                page = json.loads(answer.content)
                for _ in page["records"]:
                    pass
                cursor = page["nextCursor"]

        def ours() -> None:
            for _ in client.iter_records("googleDrive", "files"):
                pass

        def plain_check() -> list[bool]:
            answer = http.post(
                f"{root}/permissions/batch-check-access", json=_CHECKS_BODY, headers=_HEADERS
            )
            return [each["allowed"] for each in json.loads(answer.content)["results"]]

        for number in range(rounds + 1):
            measured = (
                _seconds(plain),
                _seconds(ours),
                *_taking_turns(plain_check, lambda: client.batch_check_access(_CHECKS)),
            )
            # The first round warms up.
            if number:
                yield measured


async def _async_rounds(url: str, rounds: int) -> list[Round]:
    root = url + _ROOT_PATH
    measured: list[Round] = []
    async with (
        httpx.AsyncClient() as http,
        AsyncManagedSyncClient("p1", "t", base_url=url) as client,
    ):

        async def plain() -> None:
            cursor: str | None = ""
            while cursor is not None:
                answer = await http.get(
                    f"{root}/sync/records", params=_query(cursor), headers=_HEADERS
                )
                page = json.loads(answer.content)
                for _ in page["records"]:
                    pass
                cursor = page["nextCursor"]

        async def ours() -> None:
            async for _ in client.iter_records("googleDrive", "files"):
                pass

        async def plain_check() -> list[bool]:
            answer = await http.post(
                f"{root}/permissions/batch-check-access", json=_CHECKS_BODY, headers=_HEADERS
            )
            return [each["allowed"] for each in json.loads(answer.content)["results"]]

        async def seconds(call: Callable[[], Any]) -> float:
            began = time.perf_counter()
            await call()
            return time.perf_counter() - began

        for number in range(rounds + 1):
            times = (
                await seconds(plain),
                await seconds(ours),
            )
            plain_checks, checks = [], []
            for _ in range(50):
                plain_checks.append(await seconds(plain_check))
                checks.append(await seconds(lambda: client.batch_check_access(_CHECKS)))
            if number:
                measured.append((*times, plain_checks, checks))
    return measured


def _query(cursor: str) -> dict[str, str]:
    query = {"integration": "googleDrive", "syncType": "files"}
    return query | {"cursor": cursor} if cursor else query


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _taking_turns(
    one: Callable[[], object], other: Callable[[], object]
) -> tuple[list[float], list[float]]:
    times = [(_seconds(one), _seconds(other)) for _ in range(50)]
    return [time for time, _ in times], [time for _, time in times]


def _memory_of(name: str, records: int) -> float:
    """Returns the growth of a process's peak memory, in MB, from its first records to its last."""
    options = ["--memory-of", name, "--records", str(records)]
    (line,) = lines_from(Path(sys.executable), ["benchmarks.client", *options])
    return float(line)


def memory_growth(name: str, records: int) -> float:
    """Reads all records; returns how much the peak of this process grew meanwhile, in MB.

    Raises:
        RuntimeError: Records were lost, or came twice.
    """
    first = -1
    seen = 0

    def consume() -> None:
        nonlocal first, seen
        seen += 1
        if seen == 10_000:
            first = peak_bytes()

    async def read(url: str) -> None:
        async with AsyncManagedSyncClient("p1", "t", base_url=url) as client:
            async for _ in client.iter_records("googleDrive", "files"):
                consume()

    with served(records // PAGE_SIZE) as url:
        if name == AsyncManagedSyncClient.__name__:
            asyncio.run(read(url))
        else:
            with ManagedSyncClient("p1", "t", base_url=url) as client:
                for _ in client.iter_records("googleDrive", "files"):
                    consume()
    if seen != records:
        raise RuntimeError(f"{seen:,} of {records:,} records came")
    return round((peak_bytes() - first) / 1e6, 1)
