"""Lets many clients ask a server at once."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from managed_sync.sample_company import copy_company
from managed_sync.server.auth.signing_key import load_or_create_signing_key
from managed_sync.server.auth.tokens import sign_token

__all__ = ["WEIGHTS", "Measured", "measure"]

PROJECT = "demo"
FILES = {"integration": "googleDrive", "syncType": "files"}
WEIGHTS = {"batch-check": 6, "list-objects": 2, "records": 2, "content": 1, "status": 1}


@dataclass
class Measured:
    """The times that all clients saw, and the memory of the server."""

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
