"""Asks both engines the same questions over the same graphs."""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from multiprocessing.connection import Connection

from rich.console import Console

from benchmarks.server.company_graph import make_company
from benchmarks.server.graph_engines import (
    CHECKS,
    LIST_OBJECTS,
    LIST_USERS,
    Operation,
    Questions,
    fill_spicedb,
    spicedb_operations,
    sqlite_operations,
)
from benchmarks.server.report import SPICEDB, TOO_LONG, Measured, Results
from managed_sync.server.graph.engine import PermissionEngineError
from tests.support.spicedb import running_spicedb

__all__ = ["SPICEDB_MINUTES", "run"]

_SQL = "SQLite"
_SECONDS = 10.0
# A million relationships take SpiceDB longer than that to write.
SPICEDB_MINUTES = 4.0


def run(
    *,
    relationships: Sequence[int] = (10_000, 100_000, 1_000_000),
    repetitions: int = 10,
    seed: int = 7,
    spicedb_minutes: float = SPICEDB_MINUTES,
    console: Console | None = None,
) -> Results:
    """Measures both engines on the same graphs, one size after the other.

    Args:
        relationships: The sizes.
        repetitions: Of each question.
        seed: Of the graphs.
        spicedb_minutes: How long SpiceDB may take at one size, filling included.
        console: Where the progress is shown.

    Raises:
        ValueError: A number makes no sense.
    """
    console = console or Console(stderr=True)
    measured: list[Measured] = []
    for size in relationships:
        company = make_company(size, seed)
        with (
            console.status(f"{size:,} relationships: {_SQL} ..."),
            sqlite_operations(company, Questions(company, seed)) as asked,
        ):
            measured.extend(_measure(size, _SQL, asked, repetitions))
        with console.status(f"{size:,} relationships: {SPICEDB} ..."):
            # Where one takes seconds, a few are enough.
            measured.extend(_spicedb_in_time(size, seed, min(repetitions, 3), spicedb_minutes * 60))
    packages = ("managed-sync", "sqlalchemy", "authzed", "spicedb-embedded")
    return Results(
        repetitions=repetitions,
        seed=seed,
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions={name: version(name) for name in packages},
        measured=measured,
    )


def _spicedb_in_time(size: int, seed: int, repetitions: int, seconds: float) -> Iterator[Measured]:
    """Measures SpiceDB within a time limit, in a process, since its calls cannot be ended."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_ask_spicedb, args=(sender, size, seed, repetitions))
    process.start()
    sender.close()
    deadline = time.monotonic() + seconds
    missing = [*CHECKS, LIST_USERS, LIST_OBJECTS]
    try:
        while missing and receiver.poll(max(0, deadline - time.monotonic())):
            measured = receiver.recv()
            missing.remove(measured.operation)
            yield measured
    finally:
        process.kill()
        process.join()
    for name in missing:
        yield Measured(size, SPICEDB, name, None, TOO_LONG)


def _ask_spicedb(sender: Connection, size: int, seed: int, repetitions: int) -> None:
    company = make_company(size, seed)
    with running_spicedb() as client:
        fill_spicedb(client, company)
        asked = spicedb_operations(client, Questions(company, seed))
        for measured in _measure(size, SPICEDB, asked, repetitions):
            sender.send(measured)


def _measure(
    size: int,
    engine: str,
    operations: Sequence[Operation],
    repetitions: int,
) -> Iterator[Measured]:
    for name, answer in operations:
        seconds: list[float] = []
        try:
            # The first one warms up, unless it takes so long that it counts.
            while len(seconds) <= repetitions and sum(seconds) < _SECONDS:
                begin = time.perf_counter()
                answer()
                seconds.append(time.perf_counter() - begin)
            seconds = seconds[1:] or seconds
        except PermissionEngineError as error:
            yield Measured(size, engine, name, None, str(error))
        else:
            yield Measured(size, engine, name, round(statistics.median(seconds) * 1_000, 2))
