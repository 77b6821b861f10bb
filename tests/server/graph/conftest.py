"""The engines under test, each of which takes a graph and answers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from authzed.api.v1 import (
    WriteSchemaRequest,
)

from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.schema import schema_text
from tests.server.graph.graphs import MakeGraph, graphs_in, spicedb_graph
from tests.support.spicedb import running_spicedb


@pytest.fixture(scope="session")
def sqlite_graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeGraph]:
    with graphs_in(tmp_path_factory.mktemp("graph") / "server.db") as make:
        yield make


@pytest.fixture(scope="session")
def postgres_graphs(postgres: Callable[[], str]) -> Iterator[MakeGraph]:
    with graphs_in(postgres()) as make:
        yield make


@contextmanager
def _spicedb_with_schema() -> Iterator[SpiceDBClient]:
    with running_spicedb() as client:
        client.write_schema(WriteSchemaRequest(schema=schema_text()))
        yield client


@pytest.fixture(scope="session")
def spicedb() -> Iterator[SpiceDBClient]:
    with _spicedb_with_schema() as client:
        yield client


@pytest.fixture(scope="session")
def spicedb_graphs(spicedb: SpiceDBClient) -> MakeGraph:
    return lambda edges: spicedb_graph(spicedb, edges)


@pytest.fixture
def spicedb_alone() -> Iterator[MakeGraph]:
    """A SpiceDB of the test's own, for questions that keep it at work."""
    with _spicedb_with_schema() as client:
        yield lambda edges: spicedb_graph(client, edges)


@pytest.fixture(params=["sqlite_graphs", "postgres_graphs"])
def sql_graphs(request: pytest.FixtureRequest) -> MakeGraph:
    make: MakeGraph = request.getfixturevalue(request.param)
    return make


@pytest.fixture(params=["sqlite_graphs", "postgres_graphs", "spicedb_graphs"])
def graphs(request: pytest.FixtureRequest) -> MakeGraph:
    make: MakeGraph = request.getfixturevalue(request.param)
    return make
