"""The engines of the permission graph, filled with one company and asked the same questions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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
from sqlalchemy import Connection, insert

from benchmarks.server.company_graph import AUDITOR, Company
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.graph.schema import GraphQuery
from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.graph import SpiceDBGraph
from managed_sync.server.graph.spicedb.schema import PERMISSIONS, ScopedNames, schema_text
from managed_sync.server.graph.sql import SqlGraph
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import StoredPipeline, enable_pipeline
from managed_sync.server.storage.records import record_page

__all__ = [
    "CHECKS",
    "LIST_OBJECTS",
    "LIST_USERS",
    "Operation",
    "Questions",
    "fill_spicedb",
    "spicedb_operations",
    "sqlite_operations",
]

_SCOPE = Scope("benchmark", "company")
_LATEST = Consistency(fully_consistent=True)
_ALLOWED = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION

CHECKS = (
    "100 checks",
    "1,000 checks",
    "1,000 checks, all of one department",
    "1,000 checks of many users",
)
LIST_USERS, LIST_OBJECTS = "list-users", "list-objects of 10,000"

# What is asked: a name, and how one repetition answers.
Operation = tuple[str, Callable[[], object]]


class Questions:
    """Draws who asks for what; every repetition is about somebody else."""

    def __init__(self, company: Company, seed: int) -> None:
        self._departments = company.departments
        self._files = [file for one in company.departments for file in one.files]
        self._dice = random.Random(seed)

    def of_one_user(self, count: int) -> list[GraphQuery]:
        """Somebody of the first department asks for files of any."""
        user = self._dice.choice(self._departments[0].users)
        files = self._dice.sample(self._files, min(count, len(self._files)))
        return [GraphQuery(user, "viewer", file) for file in files]

    def of_one_department(self) -> list[GraphQuery]:
        """Somebody asks for all of the first department, at every size the same."""
        department = self._departments[0]
        user = self._dice.choice(department.users)
        return [GraphQuery(user, "viewer", one) for one in department.folders + department.files]

    def of_many_users(self, count: int) -> list[GraphQuery]:
        """Anybody asks for anything."""
        users = [user for one in self._departments for user in one.users]
        return [
            GraphQuery(self._dice.choice(users), "viewer", self._dice.choice(self._files))
            for _ in range(count)
        ]

    def file(self) -> str:
        """Any file."""
        return self._dice.choice(self._files)


@contextmanager
def sqlite_operations(company: Company, questions: Questions) -> Iterator[list[Operation]]:
    """Fills SQLite and yields its operations."""
    with TemporaryDirectory() as name:
        database = Database(Path(name) / "server.db")
        with database.writing() as connection:
            pipeline = _fill_sqlite(connection, company)

        def graph(ask: Callable[[SqlGraph], object]) -> object:
            with database.reading() as connection:
                return ask(SqlGraph(connection, pipeline.scope_id))

        def page() -> object:
            with database.reading() as connection:
                return record_page(connection, pipeline, None)

        def check(asked: list[GraphQuery]) -> object:
            return graph(lambda one: one.check(asked))

        yield [
            *((name, partial(_ask, check, asked)) for name, asked in _checks(questions)),
            (LIST_USERS, lambda: graph(lambda one: one.list_users("viewer", questions.file()))),
            (LIST_OBJECTS, lambda: graph(lambda one: one.list_objects(AUDITOR, "viewer"))),
            ("one page of records", page),
        ]
        database.close()


def _fill_sqlite(connection: Connection, company: Company) -> StoredPipeline:
    pipeline = enable_pipeline(connection, _SCOPE, PipelineName("googleDrive", "files"), None)
    own = {"scope_id": pipeline.scope_id, "pipeline_id": pipeline.id}
    # In the table's own order and with the indexes afterwards, a million take seconds.
    indexes = list(tables.relations.indexes)
    for index in indexes:
        index.drop(connection)
    rows = ({**edge._asdict(), **own} for edge in sorted(company.tuples()))
    while batch := list(islice(rows, 10_000)):
        connection.execute(insert(tables.relations), batch)
    for index in indexes:
        index.create(connection)
    records = [
        {"id": one, "source_id": one, "object": one, "data": "{}", **own}
        for department in company.departments
        for one in department.folders + department.files
    ]
    connection.execute(insert(tables.records), records)
    return pipeline


def _checks(questions: Questions) -> list[tuple[str, Callable[[], list[GraphQuery]]]]:
    asked = (
        lambda: questions.of_one_user(100),
        lambda: questions.of_one_user(1_000),
        questions.of_one_department,
        lambda: questions.of_many_users(1_000),
    )
    return list(zip(CHECKS, asked, strict=True))


def fill_spicedb(client: SpiceDBClient, company: Company) -> None:
    """Writes a company's relationships."""
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


def spicedb_operations(client: SpiceDBClient, questions: Questions) -> list[Operation]:
    """Fills SpiceDB and yields its operations."""
    names = ScopedNames(_SCOPE)
    graph = SpiceDBGraph(client, names, _LATEST)

    def check(asked: list[GraphQuery]) -> object:
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
        *((name, partial(_ask, check, asked)) for name, asked in _checks(questions)),
        (LIST_USERS, lambda: graph.list_users("viewer", questions.file())),
        (LIST_OBJECTS, lambda: graph.list_objects(AUDITOR, "viewer")),
    ]


def _ask(
    check: Callable[[list[GraphQuery]], object], asked: Callable[[], list[GraphQuery]]
) -> object:
    return check(asked())
