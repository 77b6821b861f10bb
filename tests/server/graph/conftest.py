"""The engines under test, each of which takes a graph and answers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest
from authzed.api.v1 import (
    Consistency,
    RelationshipUpdate,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from sqlalchemy import Connection, insert, text

from managed_sync.server.domain import RelationTuple, Scope
from managed_sync.server.graph.engine import PermissionGraph
from managed_sync.server.graph.schema import follows_schema
from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.graph import SpiceDBGraph
from managed_sync.server.graph.spicedb.schema import ScopedNames, schema_text
from managed_sync.server.graph.sql import SqlGraph
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database
from tests.server.embedded_spicedb import running_spicedb

Edge: TypeAlias = tuple[str, str, str]
# Each call makes a graph of its own, in a scope of its own.
MakeGraph: TypeAlias = Callable[[Iterable[Edge]], PermissionGraph]

_scopes = count(1)


@pytest.fixture(scope="session")
def sqlite_graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeGraph]:
    with _graphs_in(tmp_path_factory.mktemp("graph") / "server.db") as make:
        yield make


@pytest.fixture(scope="session")
def postgres_graphs(postgres: Callable[[], str]) -> Iterator[MakeGraph]:
    with _graphs_in(postgres()) as make:
        yield make


@contextmanager
def _graphs_in(place: Path | str) -> Iterator[MakeGraph]:
    database = Database(place)
    with database.writing() as connection:
        yield lambda edges: _sql_graph(connection, edges)
    database.close()


@pytest.fixture(scope="session")
def spicedb() -> Iterator[SpiceDBClient]:
    with running_spicedb() as client:
        client.write_schema(WriteSchemaRequest(schema=schema_text()))
        yield client


@pytest.fixture(scope="session")
def spicedb_graphs(spicedb: SpiceDBClient) -> MakeGraph:
    return lambda edges: _spicedb_graph(spicedb, edges)


@pytest.fixture(params=["sqlite_graphs", "postgres_graphs"])
def sql_graphs(request: pytest.FixtureRequest) -> MakeGraph:
    make: MakeGraph = request.getfixturevalue(request.param)
    return make


@pytest.fixture(params=["sqlite_graphs", "postgres_graphs", "spicedb_graphs"])
def graphs(request: pytest.FixtureRequest) -> MakeGraph:
    make: MakeGraph = request.getfixturevalue(request.param)
    return make


def _sql_graph(connection: Connection, edges: Iterable[Edge]) -> SqlGraph:
    scope = next(_scopes)
    if rows := [{**edge._asdict(), "scope_id": scope} for edge in _valid(edges)]:
        connection.execute(insert(tables.relations), rows)
        if connection.dialect.name == "postgresql":
            # As it does by itself after a while.
            connection.execute(text("ANALYZE relations"))
    return SqlGraph(connection, scope)


def _spicedb_graph(client: SpiceDBClient, edges: Iterable[Edge]) -> SpiceDBGraph:
    names = ScopedNames(Scope("project", f"user {next(_scopes)}"))
    updates = [
        RelationshipUpdate(
            operation=RelationshipUpdate.OPERATION_TOUCH, relationship=names.relationship(edge)
        )
        for edge in _valid(edges)
    ]
    for first in range(0, len(updates), 1_000):
        client.write_relationships(
            WriteRelationshipsRequest(updates=updates[first : first + 1_000])
        )
    return SpiceDBGraph(client, names, Consistency(fully_consistent=True))


def _valid(edges: Iterable[Edge]) -> list[RelationTuple]:
    tuples = [RelationTuple(*edge) for edge in edges]
    assert all(map(follows_schema, tuples)), tuples
    return tuples
