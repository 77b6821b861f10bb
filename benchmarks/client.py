"""The clients against plain httpx: records per second, memory, and the time of a batch of checks.

    python -m benchmarks.client --records 100000 --rounds 3     # a first look
    python -m benchmarks.client --update-docs                   # in full, into docs/

The service that is asked runs in a process of its own; the ways of asking it take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sync_service import PAGE_SIZE, served
from benchmarks.tables import update_page
from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient

__all__ = ["Kind", "Results", "as_markdown", "main", "run"]

_ROOT = Path(__file__).resolve().parent.parent
_DOCS = _ROOT / "docs" / "benchmarks"
_PAGES_A_ROUND = 200
_CHECKS = [
    AccessCheck(subject="a@x.example", relation="viewer", object=f"f:{n}") for n in range(100)
]
_CHECKS_BODY = {"checks": [check.model_dump() for check in _CHECKS]}
_HEADERS = {"Authorization": "Bearer t"}
_ROOT_PATH = "/projects/p1"
# What the operating system counts memory in.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Kind:
    """What was measured of one client.

    Attributes:
        client: Its name.
        plain_records_per_second: With httpx and ``json.loads`` alone, in the best round, by the
            clock.
        records_per_second: With the client, which validates each record, in its best round.
        ratio: Of the two.
        check_ms: A batch of 100 checks with httpx and ``json.loads`` alone: the median.
        own_check_ms: What the client adds to that.
        memory_mb: How much the most memory grew while all records were read.
    """

    client: str
    plain_records_per_second: float
    records_per_second: float
    ratio: float
    check_ms: float
    own_check_ms: float
    memory_mb: float


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    records: int
    rounds: int
    cores: int
    python: str
    versions: Mapping[str, str]
    kinds: Sequence[Kind]


def run(*, records: int, rounds: int) -> Results:
    """Measures both clients, one after the other."""
    with served(_PAGES_A_ROUND) as url:
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
        plain_records_per_second=round(_PAGES_A_ROUND * PAGE_SIZE / min(plain)),
        records_per_second=round(_PAGES_A_ROUND * PAGE_SIZE / min(ours)),
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
    """How much the peak of a process grows, in MB, from its first records to its last."""
    command = [sys.executable, "-m", "benchmarks.client", "--memory-of", name]
    command += ["--records", str(records)]
    answered = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return float(answered.stdout)


def _grown(name: str, records: int) -> float:
    first = -1
    seen = 0

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT

    def consume() -> None:
        nonlocal first, seen
        seen += 1
        if seen == 10_000:
            first = peak()

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
    return round((peak() - first) / 1e6, 1)


def as_markdown(results: Results) -> str:
    """The table, with a line on what was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    lines = [
        f"{results.rounds} rounds of {_PAGES_A_ROUND * PAGE_SIZE:,} records in pages of "
        f"{PAGE_SIZE}, and {results.records:,} records for the memory; {results.cores} cores, "
        f"Python {results.python}, {versions}.",
        "",
        "| client | records per second, plain httpx | records per second | ratio | "
        "100 checks, plain httpx (ms) | "
        "added by the client (ms) | memory (MB) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {kind.client} | {kind.plain_records_per_second:,} | {kind.records_per_second:,} | "
        f"{kind.ratio:.2f} | {kind.check_ms:.2f} | {kind.own_check_ms:.2f} | {kind.memory_mb:.1f} |"
        for kind in results.kinds
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the clients, next to plain httpx."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="read for the memory")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.records < 20_000 or options.records % PAGE_SIZE or options.rounds < 1:
        parser.error("--records is a multiple of 100 from 20000 on, and --rounds at least 1")
    if options.memory_of:
        print(_grown(options.memory_of, options.records))
        return
    results = run(records=options.records, rounds=options.rounds)
    print(as_markdown(results))
    if options.update_docs:
        content = json.dumps(asdict(results), indent=1) + "\n"
        (_DOCS / "client.json").write_text(content, encoding="utf-8")
        update_page(_DOCS / "client.md", as_markdown(results))


if __name__ == "__main__":
    main()
