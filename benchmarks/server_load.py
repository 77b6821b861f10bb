"""Many clients at once: does the server answer them all, how fast, and is its memory flat?

    python -m benchmarks.server_load --clients 50 --seconds 60                  # a minute
    python -m benchmarks.server_load --clients 50 --seconds 60 --update-docs    # into docs/

The server runs in a process of its own, over the sample company. Every client is a connected user
of its own that asks like a retrieval does: mostly batches of checks, then lists, pages of records
and contents.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from benchmarks.tables import update_page
from managed_sync.sample_company import copy_company
from managed_sync.server.auth.signing_key import load_or_create_signing_key
from managed_sync.server.auth.tokens import sign_token

_DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
PROJECT = "demo"
FILES = {"integration": "googleDrive", "syncType": "files"}
WEIGHTS = {"batch-check": 6, "list-objects": 2, "records": 2, "content": 1, "status": 1}
_MEGABYTE = 1 << 20


@dataclass
class Measured:
    """What all clients saw, and what the server took."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int]] = field(default_factory=list)


@contextmanager
def running_server(folder: Path) -> Iterator[tuple[psutil.Process, str, Path]]:
    """Runs a server over the sample company; gives its process, its address and its keys."""
    state = folder / "state"
    state.mkdir()
    config = folder / "server.yaml"
    project = {"folder": str(copy_company(folder / "company")), "keys": str(state)}
    # JSON is YAML.
    config.write_text(json.dumps({"state": str(state), "port": 0, "projects": {PROJECT: project}}))
    log = folder / "log"
    command = [sys.executable, "-c", "from managed_sync.cli import main; main()"]
    with (
        log.open("wb") as output,
        subprocess.Popen([*command, "serve", "--config", str(config)], stderr=output) as process,
    ):
        try:
            while not (found := re.search(r'Serving \S+ at ([^"\s]+)', log.read_text())):
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.05)
            yield psutil.Process(process.pid), found[1], state
        finally:
            process.terminate()


class Client:
    """One connected user with a connection of its own."""

    def __init__(self, number: int, base_url: str, token: str) -> None:
        self._random = random.Random(number)
        self._http = httpx.AsyncClient(
            base_url=f"{base_url}/projects/{PROJECT}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )
        self._files: list[dict[str, Any]] = []
        self._people: list[str] = []

    async def prepare(self, people: list[str]) -> None:
        """Syncs the user's files and reads which there are."""
        self._people = people
        (await self._http.post("/sync/enable", json=FILES)).raise_for_status()
        while True:
            status = await self._http.get("/sync/status", params=FILES)
            if status.raise_for_status().json()["status"] == "IDLE":
                break
            await asyncio.sleep(0.2)
        page = (await self._http.get("/sync/records", params=FILES)).raise_for_status().json()
        folder = "inode/directory"
        self._files = [one for one in page["records"] if one["data"]["mimeType"] != folder]

    async def ask_until(self, end: float, measured: Measured) -> None:
        """Asks one question after the other, and times each."""
        operations: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "batch-check": self._batch_check,
            "list-objects": self._list_objects,
            "records": lambda: self._http.get("/sync/records", params=FILES),
            "content": self._content,
            "status": lambda: self._http.get("/sync/status", params=FILES),
        }
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        while time.monotonic() < end:
            (name,) = self._random.choices(names, weights)
            begin = time.perf_counter()
            try:
                response = await operations[name]()
            except httpx.HTTPError as error:
                measured.errors[f"{name}: {type(error).__name__}"] += 1
                continue
            measured.seconds[name].append(time.perf_counter() - begin)
            if response.status_code != 200:
                measured.errors[f"{name}: {response.status_code}"] += 1

    async def close(self) -> None:
        """Closes its connection."""
        await self._http.aclose()

    async def _batch_check(self) -> httpx.Response:
        subject = self._random.choice(self._people)
        checks = [
            {"subject": subject, "relation": "viewer", "object": f"file:{one['id']}"}
            for one in self._random.sample(self._files, min(30, len(self._files)))
        ]
        return await self._http.post("/permissions/batch-check-access", json={"checks": checks})

    async def _list_objects(self) -> httpx.Response:
        body = {"subject": self._random.choice(self._people), "relation": "viewer"}
        return await self._http.post("/permissions/list-objects", json=body)

    async def _content(self) -> httpx.Response:
        return await self._http.get(
            f"/sync/records/{self._random.choice(self._files)['id']}/content"
        )


async def watch(process: psutil.Process, begin: float, end: float, measured: Measured) -> None:
    """Notes the server's memory once a second."""
    while time.monotonic() < end:
        measured.memory.append((time.monotonic() - begin, process.memory_info().rss))
        await asyncio.sleep(1)


async def measure(clients: int, seconds: float, folder: Path) -> Measured:
    """Lets the clients ask, all at once."""
    measured = Measured()
    with running_server(folder) as (process, base_url, keys):
        key = load_or_create_signing_key(keys)
        lasting = int(seconds) + 3600
        tokens = [
            sign_token(key, project_id=PROJECT, user_id=f"user-{number}", seconds=lasting)
            for number in range(clients)
        ]
        users = [Client(number, base_url, token) for number, token in enumerate(tokens)]
        people = [f"{name}@harbor.example" for name in ("elena", "carol", "maria", "sam")]
        for user in users:
            await user.prepare(people)
        begin = time.monotonic()
        end = begin + seconds
        await asyncio.gather(
            watch(process, begin, end, measured), *(user.ask_until(end, measured) for user in users)
        )
        await asyncio.gather(*(user.close() for user in users))
    return measured


def summary(measured: Measured, clients: int, seconds: float) -> dict[str, Any]:
    """The figures: percentiles in milliseconds, and memory at the end against after the warm-up."""
    everything = sorted(one for some in measured.seconds.values() for one in some)
    settled = [rss for at, rss in measured.memory if at >= seconds / 4]
    quarter = max(1, len(settled) // 4)
    first, last = median(settled[:quarter]), median(islice(reversed(settled), quarter))
    return {
        "clients": clients,
        "seconds": seconds,
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "requests": len(everything),
        "errors": dict(measured.errors),
        "requests_per_second": round(len(everything) / seconds, 1),
        "milliseconds": {
            "all": _percentiles(everything),
            **{name: _percentiles(sorted(some)) for name, some in sorted(measured.seconds.items())},
        },
        "memory_mb": {"settled": round(first / _MEGABYTE, 1), "end": round(last / _MEGABYTE, 1)},
        "memory_growth": round(last / first, 3),
    }


def as_markdown(found: dict[str, Any]) -> str:
    """The figures as a table."""
    errors = ", ".join(f"{count} times {name}" for name, count in found["errors"].items())
    memory = found["memory_mb"]
    rows = [
        f"| {name} | {share:.0%} | {times['p50']:.0f} | {times['p95']:.0f} | {times['p99']:.0f} |"
        for name, times in found["milliseconds"].items()
        for share in [WEIGHTS.get(name, sum(WEIGHTS.values())) / sum(WEIGHTS.values())]
    ]
    return "\n".join(
        [
            f"{found['clients']} clients for {found['seconds']:g} s on {found['cores']} cores, "
            f"Python {found['python']}: {found['requests']:,} requests, "
            f"{found['requests_per_second']:.0f} a second; errors: **{errors or 'none'}**; the "
            f"server's memory after the first quarter and at the end: {memory['settled']:.0f} and "
            f"{memory['end']:.0f} MB.",
            "",
            "| request | share | median ms | p95 ms | p99 ms |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
        ]
    )


def _percentiles(ordered: list[float]) -> dict[str, float]:
    return {
        f"p{percent}": round(
            ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 1
        )
        for percent in (50, 95, 99)
    }


def main() -> None:
    """Measures a server under load; fails if there was an error or its memory grew."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="managed-sync-load-") as folder:
        measured = asyncio.run(measure(options.clients, options.seconds, Path(folder)))
    found = summary(measured, options.clients, options.seconds)
    print(as_markdown(found))
    if options.update_docs:
        (_DOCS / "server_load.json").write_text(
            json.dumps(found, indent=2) + "\n", encoding="utf-8"
        )
        update_page(_DOCS / "server_load.md", as_markdown(found))
    if found["errors"] or found["memory_growth"] > 1.1:
        sys.exit("There were errors, or the server's memory grew by more than a tenth.")


if __name__ == "__main__":
    main()
