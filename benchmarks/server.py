"""The permission graph in SQLite, next to SpiceDB in process, as both grow.

python -m benchmarks.server --relationships 10000                    # a first look
python -m benchmarks.server --relationships 1000000 --update-docs    # one size, into docs/

What was measured at other sizes stays in docs/, so that each size can have a call of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console

from benchmarks.company_graph import make_company
from benchmarks.graph_engines import (
    CHECKS,
    LIST_OBJECTS,
    LIST_USERS,
    Operation,
    Questions,
    fill_spicedb,
    spicedb_operations,
    sqlite_operations,
)
from benchmarks.tables import update_page
from managed_sync.server.graph.engine import PermissionEngineError
from tests.server.embedded_spicedb import running_spicedb

__all__ = ["Measured", "Results", "main", "run"]

_DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
_SECONDS = 10.0
# A million relationships take SpiceDB longer than that to write.
_SPICEDB_MINUTES = 4.0
_SQL, _SPICEDB = "SQLite", "SpiceDB"
_TOO_LONG = "not in time"


@dataclass(frozen=True)
class Measured:
    """One operation of one engine at one size.

    Attributes:
        milliseconds: The median; without, the engine gave up.
        error: Why it gave up.
    """

    relationships: int
    engine: str
    operation: str
    milliseconds: float | None
    error: str | None = None


@dataclass(frozen=True)
class Results:
    """Everything that was measured, and on what."""

    repetitions: int
    seed: int
    cores: int
    python: str
    versions: dict[str, str]
    measured: list[Measured]

    def save(self, path: Path) -> None:
        """Writes the results as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Reads what was saved."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**content, "measured": [Measured(**one) for one in content["measured"]]})

    def joined_to(self, earlier: Results) -> Results:
        """These, and what was measured earlier at other sizes.

        Raises:
            ValueError: That was measured in another way, and cannot be compared.
        """
        if replace(earlier, measured=[]) != replace(self, measured=[]):
            raise ValueError("what was measured before was measured otherwise: measure it again")
        sizes = {one.relationships for one in self.measured}
        kept = [one for one in earlier.measured if one.relationships not in sizes]
        return replace(
            self, measured=sorted([*kept, *self.measured], key=lambda one: one.relationships)
        )


def run(
    *,
    relationships: Sequence[int] = (10_000, 100_000, 1_000_000),
    repetitions: int = 10,
    seed: int = 7,
    spicedb_minutes: float = _SPICEDB_MINUTES,
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
        with console.status(f"{size:,} relationships: {_SPICEDB} ..."):
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
    """What SpiceDB answers within its time; a process of its own can be ended, its calls cannot."""
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
        yield Measured(size, _SPICEDB, name, None, _TOO_LONG)


def _ask_spicedb(sender: Connection, size: int, seed: int, repetitions: int) -> None:
    company = make_company(size, seed)
    with running_spicedb() as client:
        fill_spicedb(client, company)
        asked = spicedb_operations(client, Questions(company, seed))
        for measured in _measure(size, _SPICEDB, asked, repetitions):
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


def as_markdown(results: Results) -> str:
    """The table, with a line on what was measured."""
    sizes = list(dict.fromkeys(one.relationships for one in results.measured))
    rows = list(dict.fromkeys((one.operation, one.engine) for one in results.measured))
    found = {(one.operation, one.engine, one.relationships): one for one in results.measured}
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    lines = [
        f"Up to {max(sizes):,} relationships of {max(sizes) // 10:,} objects, seed {results.seed}; "
        f"median of {results.repetitions} ({_SPICEDB}: of {min(results.repetitions, 3)}) in ms; "
        f"{results.cores} cores, Python {results.python}, {versions}.",
        "",
        f"| relationships | | {' | '.join(f'{size:,}' for size in sizes)} | growth |",
        f"| --- | --- | {'---: | ' * (len(sizes) + 1)}".rstrip(),
    ]
    for operation, engine in sorted(rows, key=lambda row: [one[0] for one in rows].index(row[0])):
        answers = [found[operation, engine, size] for size in sizes]
        times = [one.milliseconds for one in answers]
        growth = f"{times[-1] / times[0]:.2f}" if times[0] and times[-1] else "-"
        lines.append(f"| {operation} | {engine} | {' | '.join(map(_shown, answers))} | {growth} |")
    return "\n".join(lines)


def _shown(measured: Measured) -> str:
    if measured.milliseconds is not None:
        return f"{measured.milliseconds:,.1f}"
    return _TOO_LONG if measured.error == _TOO_LONG else "gave up"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the permission graph in SQLite, next to SpiceDB."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--relationships", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--spicedb-minutes",
        type=float,
        default=_SPICEDB_MINUTES,
        help=f"how long {_SPICEDB} may take at one size (default: {_SPICEDB_MINUTES:g})",
    )
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    options = parser.parse_args(arguments)
    try:
        results = run(
            relationships=options.relationships,
            repetitions=options.repetitions,
            seed=options.seed,
            spicedb_minutes=options.spicedb_minutes,
        )
    except ValueError as error:
        parser.error(str(error))
    markdown = as_markdown(results)
    Console(soft_wrap=True, markup=False, highlight=False).print(markdown)
    if options.update_docs:
        file = _DOCS / "server.json"
        if file.exists():
            results = results.joined_to(Results.load(file))
        results.save(file)
        update_page(_DOCS / "server.md", as_markdown(results))


if __name__ == "__main__":
    main()
