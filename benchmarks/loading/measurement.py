"""Loads, downloads and parses the same files, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import psutil

from benchmarks.loading.mixed_files import write_mixed_files
from benchmarks.loading.report import Measured, Results
from managed_sync import ManagedSyncClient
from managed_sync.documents import DocumentLoader, LoadFailure
from managed_sync.documents.parsing.pool import (
    DEFAULT_MAX_MEMORY,
    DEFAULT_PARSE_TIMEOUT,
    ParsingPool,
    available_cores,
)
from managed_sync.documents.parsing.registry import chosen_parser
from managed_sync.server import EmbeddedServer

__all__ = ["ROUNDS", "run"]

_PIPELINE = ("googleDrive", "files")
_USER = "reader@manual.example"
_DOWNLOADS = 8
ROUNDS = 3
Place = TypeVar("Place")


def run(manual: Path, *, files: int = 1000, rounds: int = ROUNDS) -> Results:
    """Measures everything.

    Raises:
        ValueError: The manual has too few pages.
    """
    with TemporaryDirectory() as name:
        company, quarter = Path(name, "company"), Path(name, "quarter")
        characters = write_mixed_files(manual, company, files)
        write_mixed_files(manual, quarter, files // 4)
        with _served(company) as address:
            # They take turns, so that what else the computer does meets all alike.
            measured = [
                [
                    _apart(_download, address),
                    _apart(_parse, company),
                    _apart(_load, address),
                ]
                for _ in range(rounds)
            ]
        with _served(quarter) as address:
            smaller = [_apart(_load, address) for _ in range(rounds)]
    download, parse, load = (_median(column) for column in zip(*measured, strict=True))
    load_quarter = _median(smaller)
    return Results(
        files=files,
        prose_characters=characters,
        rounds=rounds,
        cores=available_cores(),
        python=platform.python_version(),
        download=download,
        parse=parse,
        load=load,
        load_quarter=load_quarter,
        ratio=round(load.seconds / max(download.seconds, parse.seconds), 3),
        memory_ratio=round(load.peak_megabytes / load_quarter.peak_megabytes, 3),
    )


@dataclass(frozen=True)
class _Address:
    """The address and credentials of the server, for another process."""

    base_url: str
    signing_key: str

    def client(self) -> ManagedSyncClient:
        return ManagedSyncClient(
            "demo", signing_key=self.signing_key, user_id=_USER, base_url=self.base_url
        )


@contextmanager
def _served(company: Path) -> Iterator[_Address]:
    """A server in a process of its own, with everything synced."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(company, theirs), daemon=True)
    server.start()
    address = _Address(*ours.recv())
    try:
        with address.client() as client:
            client.enable_sync(*_PIPELINE)
            client.wait_until_idle(*_PIPELINE)
        yield address
    finally:
        server.terminate()
        server.join()


def _serve(company: Path, pipe: multiprocessing.connection.Connection) -> None:
    with EmbeddedServer(company, company.with_name(f"{company.name}-state")) as server:
        pipe.send((server.base_url, server.signing_key))
        threading.Event().wait()


def _apart(measure: Callable[[Place], tuple[int, int]], place: Place) -> Measured:
    """Measures in a process of its own, so that memory is that of one way alone."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(_measured, measure, place).result()


def _measured(measure: Callable[[Place], tuple[int, int]], place: Place) -> Measured:
    with _peak_memory() as peak:
        started = time.perf_counter()
        files, documents = measure(place)
        seconds = time.perf_counter() - started
    return Measured(files, round(seconds, 3), round(peak[0] / 1e6, 1), documents)


def _load(address: _Address) -> tuple[int, int]:
    files = documents = 0
    with address.client() as client:
        for loaded in DocumentLoader(client, downloads=_DOWNLOADS).load(*_PIPELINE):
            files += 1
            documents += not isinstance(loaded, LoadFailure)
    return files, documents


def _download(address: _Address) -> tuple[int, int]:
    with address.client() as client, ThreadPoolExecutor(_DOWNLOADS) as threads:
        contents = threads.map(
            lambda record: len(client.download_content(record.id).data),
            (record for record in client.iter_records(*_PIPELINE) if not record.is_folder),
        )
        files = sum(1 for _ in contents)
    return files, 0


def _parse(company: Path) -> tuple[int, int]:
    cores = available_cores()
    pool = ParsingPool(
        chosen_parser(None),
        processes=cores,
        timeout=DEFAULT_PARSE_TIMEOUT,
        max_memory=DEFAULT_MAX_MEMORY,
    )

    def parse(path: Path) -> str:
        return pool.parse(
            path.read_bytes(), content_type="application/octet-stream", filename=path.name
        )

    with ThreadPoolExecutor(cores + 1) as threads:
        documents = sum(1 for _ in threads.map(parse, sorted((company / "files").iterdir())))
    pool.close()
    return documents, documents


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """The resident memory of this process and those it started, looked at again and again."""
    peak = [0]
    stopped = threading.Event()
    this = psutil.Process(os.getpid())

    def watch() -> None:
        while not stopped.wait(0.05):
            total = 0
            for process in (this, *this.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stopped.set()
        thread.join()


def _median(rounds: Sequence[Measured]) -> Measured:
    return Measured(
        files=rounds[0].files,
        seconds=round(median(one.seconds for one in rounds), 3),
        peak_megabytes=round(median(one.peak_megabytes for one in rounds), 1),
        documents=rounds[0].documents,
    )
