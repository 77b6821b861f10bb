"""Promises of the SQL engine alone: cycles, any depth, and no work that grows with the table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from managed_sync.server.graph.schema import GraphQuery
from managed_sync.server.graph.sql import SqlGraph
from managed_sync.server.storage.database import Database
from tests.server.graph.graphs import Edge, MakeGraph

MARIA = "user:maria@x"


def test_groups_in_a_circle_end(sql_graphs: MakeGraph) -> None:
    graph = sql_graphs(
        {
            ("group:a", "member", "group:b"),
            ("group:b", "member", "group:c"),
            ("group:c", "member", "group:a"),
            ("group:c", "member", "group:c"),
            ("group:b", "member", MARIA),
            ("file:x", "viewer", "group:c"),
            ("file:y", "viewer", "group:d"),
        }
    )
    asked = [GraphQuery(MARIA, "viewer", "file:x"), GraphQuery(MARIA, "viewer", "file:y")]
    assert graph.check(asked) == [True, False]
    assert graph.list_users("viewer", "file:x") == ["maria@x"]
    assert graph.expand(asked[0]).granted


def test_parents_in_a_circle_end(sql_graphs: MakeGraph) -> None:
    graph = sql_graphs(
        {
            ("folder:a", "parent", "folder:b"),
            ("folder:b", "parent", "folder:a"),
            ("file:x", "parent", "folder:a"),
            ("folder:b", "viewer", MARIA),
        }
    )
    asked = [GraphQuery(MARIA, "viewer", "file:x"), GraphQuery("user:dan@x", "viewer", "file:x")]
    assert graph.check(asked) == [True, False]
    assert graph.list_objects(MARIA, "viewer") == ["file:x", "folder:a", "folder:b"]
    assert graph.expand(asked[0]).granted
    assert not graph.expand(asked[1]).granted


@pytest.mark.parametrize("depth", [50, 500])
def test_depth(sql_graphs: MakeGraph, depth: int) -> None:
    edges: set[Edge] = {("file:x", "parent", "folder:0"), (f"folder:{depth}", "owner", "group:0")}
    edges |= {(f"folder:{n}", "parent", f"folder:{n + 1}") for n in range(depth)}
    edges |= {(f"group:{n}", "member", f"group:{n + 1}") for n in range(depth)}
    question = GraphQuery(MARIA, "viewer", "file:x")
    graph = sql_graphs(edges | {(f"group:{depth}", "member", MARIA)})
    assert graph.check([question]) == [True]
    assert graph.list_users("editor", "file:x") == ["maria@x"]
    assert "file:x" in graph.list_objects(MARIA, "owner")
    assert graph.expand(question).granted
    assert sql_graphs(edges).check([question]) == [False]


def test_no_query_on_sqlite_reads_the_table_from_begin_to_end(tmp_path: Path) -> None:
    database = Database(tmp_path / "server.db")
    plans: list[str] = []

    def explain(
        connection: Connection, _cursor: object, statement: str, parameters: Any, *_further: object
    ) -> None:
        if not statement.startswith(("EXPLAIN", "BEGIN")):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(str(row[-1]) for row in rows)

    with database.writing() as connection:
        graph = SqlGraph(connection, 1)
        event.listen(connection, "before_cursor_execute", explain)
        question = GraphQuery(MARIA, "viewer", "file:x")
        graph.check([question, GraphQuery("group:a", "editor", "folder:y")])
        graph.list_users("viewer", "file:x")
        graph.list_objects(MARIA, "viewer")
        graph.expand(question)
    database.close()
    of_the_table = [plan for plan in plans if re.search(r"\b(relations|edge|held)\b", plan)]
    assert len(of_the_table) >= 6
    for plan in of_the_table:
        assert re.match(r"SEARCH .* \(scope_id=\? AND (object|subject)=\?", plan), plan
