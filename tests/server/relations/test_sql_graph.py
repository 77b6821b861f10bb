"""What only the SQL engine promises: circles and any depth, and quick answers."""

from __future__ import annotations

import time

import pytest

from managed_sync.server.relations.schema import Question
from tests.server.relations.conftest import Edge, MakeGraph

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
    asked = [Question(MARIA, "viewer", "file:x"), Question(MARIA, "viewer", "file:y")]
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
    asked = [Question(MARIA, "viewer", "file:x"), Question("user:dan@x", "viewer", "file:x")]
    assert graph.check(asked) == [True, False]
    assert graph.list_objects(MARIA, "viewer") == ["file:x", "folder:a", "folder:b"]
    assert graph.expand(asked[0]).granted
    assert not graph.expand(asked[1]).granted


@pytest.mark.parametrize("depth", [50, 500])
def test_depth(sql_graphs: MakeGraph, depth: int) -> None:
    edges: set[Edge] = {("file:x", "parent", "folder:0"), (f"folder:{depth}", "owner", "group:0")}
    edges |= {(f"folder:{n}", "parent", f"folder:{n + 1}") for n in range(depth)}
    edges |= {(f"group:{n}", "member", f"group:{n + 1}") for n in range(depth)}
    question = Question(MARIA, "viewer", "file:x")
    graph = sql_graphs(edges | {(f"group:{depth}", "member", MARIA)})
    assert graph.check([question]) == [True]
    assert graph.list_users("editor", "file:x") == ["maria@x"]
    assert "file:x" in graph.list_objects(MARIA, "owner")
    assert graph.expand(question).granted
    assert sql_graphs(edges).check([question]) == [False]


def test_a_thousand_checks_in_a_large_graph_are_quick(sql_graphs: MakeGraph) -> None:
    edges = {(f"file:{n}", "parent", f"folder:{n % 500}") for n in range(20_000)}
    edges |= {(f"folder:{n}", "parent", f"folder:{n // 3}") for n in range(1, 500)}
    edges |= {("folder:1", "viewer", "group:a"), ("group:a", "member", MARIA)}
    graph = sql_graphs(edges)
    questions = [Question(MARIA, "viewer", f"file:{n}") for n in range(1_000)]
    begin = time.perf_counter()
    answers = graph.check(questions)
    assert time.perf_counter() - begin < 1
    assert 0 < sum(answers) < 1_000
