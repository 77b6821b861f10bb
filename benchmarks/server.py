"""The permission graph in SQLite, next to SpiceDB in process, as both grow.

python -m benchmarks.server --relationships 10000 100000     # a first look
python -m benchmarks.server                                  # in full
python -m benchmarks.server --update-docs                    # in full, into docs/
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from authzed.api.v1 import (
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckPermissionResponse,
    Consistency,
    RelationshipUpdate,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from rich.console import Console
from sqlalchemy import insert

from benchmarks.company_graph import AUDITOR, Company, make_company
from benchmarks.tables import update_page
from managed_sync.server.relations.graph import PermissionEngineError
from managed_sync.server.relations.schema import Question
from managed_sync.server.relations.spicedb_client import SpiceDBClient
from managed_sync.server.relations.spicedb_graph import SpiceDBGraph
from managed_sync.server.relations.spicedb_schema import PERMISSIONS, ScopedNames, schema_text
from managed_sync.server.relations.sql_graph import SqlGraph
from managed_sync.server.scope import PipelineName, Scope
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import enable_pipeline
from managed_sync.server.storage.records import record_page
from tests.server.embedded_spicedb import running_spicedb

__all__ = ["Measured", "Results", "main", "run"]

_DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
_SCOPE = Scope("benchmark", "company")
_LATEST = Consistency(fully_consistent=True)
_ALLOWED = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
_SECONDS = 10.0
_SQL, _SPICEDB = "SQLite", "SpiceDB"

# What is asked: a name, and how one repetition answers.
Operation = tuple[str, Callable[[], object]]


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

    objects: int
    repetitions: int
    seed: int
    cores: int
    python: str
    versions: dict[str, str]
    measured: list[Measured]

    def save(self, path: Path) -> None:
        """Writes the results as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def run(
    *,
    relationships: Sequence[int] = (10_000, 100_000, 1_000_000),
    repetitions: int = 10,
    seed: int = 7,
    console: Console | None = None,
) -> Results:
    """Measures both engines on the same graphs, one size after the other.

    Raises:
        ValueError: A number makes no sense.
    """
    console = console or Console(stderr=True)
    measured: list[Measured] = []
    for size in relationships:
        company = make_company(size, seed)
        with console.status(f"{size:,} relationships: {_SQL} ..."), _sqlite(company) as operations:
            asked = operations(_Questions(company, seed))
            measured.extend(_measure(size, _SQL, asked, repetitions))
        with console.status(f"{size:,} relationships: {_SPICEDB} ..."), running_spicedb() as client:
            _fill_spicedb(client, company)
            asked = _spicedb_operations(client, _Questions(company, seed))
            # Where one takes seconds, a few are enough.
            measured.extend(_measure(size, _SPICEDB, asked, min(repetitions, 3)))
    packages = ("managed-sync", "sqlalchemy", "authzed", "spicedb-embedded")
    return Results(
        objects=max(relationships) // 10,
        repetitions=repetitions,
        seed=seed,
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions={name: version(name) for name in packages},
        measured=measured,
    )


class _Questions:
    """Draws who asks for what; every repetition is about somebody else."""

    def __init__(self, company: Company, seed: int) -> None:
        self._departments = company.departments
        self._files = [file for one in company.departments for file in one.files]
        self._dice = random.Random(seed)

    def of_one_user(self, count: int) -> list[Question]:
        user = self._dice.choice(self._departments[0].users)
        files = self._dice.sample(self._files, min(count, len(self._files)))
        return [Question(user, "viewer", file) for file in files]

    def of_one_department(self) -> list[Question]:
        department = self._departments[0]
        user = self._dice.choice(department.users)
        return [Question(user, "viewer", one) for one in department.folders + department.files]

    def of_many_users(self, count: int) -> list[Question]:
        users = [user for one in self._departments for user in one.users]
        return [
            Question(self._dice.choice(users), "viewer", self._dice.choice(self._files))
            for _ in range(count)
        ]

    def file(self) -> str:
        return self._dice.choice(self._files)


@contextmanager
def _sqlite(company: Company) -> Iterator[Callable[[_Questions], list[Operation]]]:
    with TemporaryDirectory() as name:
        database = Database(Path(name) / "server.db")
        with database.writing() as connection:
            pipeline = enable_pipeline(
                connection, _SCOPE, PipelineName("googleDrive", "files"), None
            )
            own = {"scope_id": pipeline.scope_id, "pipeline_id": pipeline.id}
            rows = iter({**edge._asdict(), **own} for edge in company.tuples())
            while batch := list(islice(rows, 10_000)):
                connection.execute(insert(tables.relations), batch)
            records = [
                {"id": one, "source_id": one, "object": one, "data": "{}", **own}
                for department in company.departments
                for one in department.folders + department.files
            ]
            connection.execute(insert(tables.records), records)

        def operations(questions: _Questions) -> list[Operation]:
            def graph(ask: Callable[[SqlGraph], object]) -> object:
                with database.reading() as connection:
                    return ask(SqlGraph(connection, pipeline.scope_id))

            def check(asked: list[Question]) -> list[bool]:
                with database.reading() as connection:
                    return SqlGraph(connection, pipeline.scope_id).check(asked)

            def page() -> object:
                with database.reading() as connection:
                    return record_page(connection, pipeline, None)

            return [
                *((name, partial(_answer, check, asked)) for name, asked in _checks(questions)),
                (
                    "list-objects of 10,000",
                    lambda: graph(lambda one: one.list_objects(AUDITOR, "viewer")),
                ),
                (
                    "list-users",
                    lambda: graph(lambda one: one.list_users("viewer", questions.file())),
                ),
                ("one page of records", page),
            ]

        yield operations
        database.close()


def _checks(questions: _Questions) -> list[tuple[str, Callable[[], list[Question]]]]:
    return [
        ("100 checks", lambda: questions.of_one_user(100)),
        ("1,000 checks", lambda: questions.of_one_user(1_000)),
        ("1,000 checks, all of one department", questions.of_one_department),
        ("1,000 checks of many users", lambda: questions.of_many_users(1_000)),
    ]


def _fill_spicedb(client: SpiceDBClient, company: Company) -> None:
    client.write_schema(WriteSchemaRequest(schema=schema_text()))
    names = ScopedNames(_SCOPE)
    updates = (
        RelationshipUpdate(
            operation=RelationshipUpdate.OPERATION_TOUCH, relationship=names.relationship(edge)
        )
        for edge in company.tuples()
    )
    while batch := list(islice(updates, 1_000)):
        client.write_relationships(WriteRelationshipsRequest(updates=batch))


def _spicedb_operations(client: SpiceDBClient, questions: _Questions) -> list[Operation]:
    names = ScopedNames(_SCOPE)
    graph = SpiceDBGraph(client, names, _LATEST)

    def check(asked: list[Question]) -> list[bool]:
        # In one call and without anything of ours around it.
        items = [
            CheckBulkPermissionsRequestItem(
                resource=names.object(question.object),
                permission=PERMISSIONS[question.relation],
                subject=names.subject(question.subject),
            )
            for question in asked
        ]
        pairs = client.check_bulk(
            CheckBulkPermissionsRequest(consistency=_LATEST, items=items)
        ).pairs
        return [pair.item.permissionship == _ALLOWED for pair in pairs]

    return [
        *((name, partial(_answer, check, asked)) for name, asked in _checks(questions)),
        ("list-objects of 10,000", lambda: graph.list_objects(AUDITOR, "viewer")),
        ("list-users", lambda: graph.list_users("viewer", questions.file())),
    ]


def _answer(
    check: Callable[[list[Question]], list[bool]], asked: Callable[[], list[Question]]
) -> list[bool]:
    return check(asked())


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
        f"Up to {max(sizes):,} relationships of {results.objects:,} objects, seed {results.seed}; "
        f"median of {results.repetitions} ({_SPICEDB}: of {min(results.repetitions, 3)}) in ms; "
        f"{results.cores} cores, Python {results.python}, {versions}.",
        "",
        f"| relationships | | {' | '.join(f'{size:,}' for size in sizes)} | growth |",
        f"| --- | --- | {'---: | ' * (len(sizes) + 1)}".rstrip(),
    ]
    for operation, engine in sorted(rows, key=lambda row: [one[0] for one in rows].index(row[0])):
        times = [found[operation, engine, size].milliseconds for size in sizes]
        growth = f"{times[-1] / times[0]:.2f}" if times[0] and times[-1] else "-"
        shown = " | ".join("gave up" if one is None else f"{one:,.1f}" for one in times)
        lines.append(f"| {operation} | {engine} | {shown} | {growth} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the permission graph in SQLite, next to SpiceDB."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--relationships", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    options = parser.parse_args(arguments)
    try:
        results = run(
            relationships=options.relationships,
            repetitions=options.repetitions,
            seed=options.seed,
        )
    except ValueError as error:
        parser.error(str(error))
    markdown = as_markdown(results)
    Console(soft_wrap=True, markup=False, highlight=False).print(markdown)
    if options.update_docs:
        results.save(_DOCS / "server.json")
        update_page(_DOCS / "server.md", markdown)


if __name__ == "__main__":
    main()
