"""Graphs made of edges, in each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeAlias

from authzed.api.v1 import (
    Consistency,
    RelationshipUpdate,
    WriteRelationshipsRequest,
)
from sqlalchemy import Connection, insert, text

from managed_sync.server.domain import RelationTuple, Scope
from managed_sync.server.graph.engine import PermissionGraph
from managed_sync.server.graph.schema import follows_schema
from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.graph import SpiceDBGraph
from managed_sync.server.graph.spicedb.schema import ScopedNames
from managed_sync.server.graph.sql import SqlGraph
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database

Edge: TypeAlias = tuple[str, str, str]
# Each call makes a graph of its own, in a scope of its own.
MakeGraph: TypeAlias = Callable[[Iterable[Edge]], PermissionGraph]
_scopes = count(1)


@contextmanager
def graphs_in(place: Path | str) -> Iterator[MakeGraph]:
    database = Database(place)
    with database.writing() as connection:
        yield lambda edges: _sql_graph(connection, edges)
    database.close()


def _sql_graph(connection: Connection, edges: Iterable[Edge]) -> SqlGraph:
    scope = next(_scopes)
    if rows := [{**edge._asdict(), "scope_id": scope} for edge in _valid(edges)]:
        connection.execute(insert(tables.relations), rows)
        if connection.dialect.name == "postgresql":
            # As it does by itself after a while.
            connection.execute(text("ANALYZE relations"))
    return SqlGraph(connection, scope)


def spicedb_graph(client: SpiceDBClient, edges: Iterable[Edge]) -> SpiceDBGraph:
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
