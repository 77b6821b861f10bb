"""Random graphs: every engine, in every way of asking, against a naive evaluation."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from managed_sync.server.graph.engine import PermissionEngineError, PermissionGraph
from managed_sync.server.graph.schema import GraphQuery
from tests.server.graph.graphs import Edge, MakeGraph
from tests.server.graph.naive_graph import (
    CONTENT,
    EVERYBODY,
    FOLDERS,
    GROUPS,
    QUESTIONS,
    USERS,
    facts_that_follow,
    graphs_with_circles,
    graphs_without_circles,
)
from tests.support.draws import draws

_settings = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=draws(20),
)
# SpiceDB's store in memory reads through all there is for each question.
_few = settings(_settings, max_examples=draws(6), phases=(Phase.explicit, Phase.generate))


def _agrees(graph: PermissionGraph, edges: set[Edge]) -> None:
    facts = facts_that_follow(edges)
    expected = [question in facts for question in QUESTIONS]
    assert graph.check(QUESTIONS) == expected
    for subject in [*USERS, GROUPS[0]]:
        for relation in ("editor", "member"):
            assert graph.list_objects(subject, relation) == sorted(
                target for holder, held, target in facts if (holder, held) == (subject, relation)
            )
    for object_id in CONTENT + FOLDERS:
        # Everybody is listed where a grant to everybody leads.
        everybody = facts_that_follow(
            {(name, held, "user:x" if one == EVERYBODY else one) for name, held, one in edges}
        )
        found = {
            holder for holder, held, target in facts if (held, target) == ("viewer", object_id)
        }
        named = {
            holder
            for holder, held, target in everybody
            if (held, target) == ("viewer", object_id) and holder in USERS
        }
        is_public = ("user:x", "viewer", object_id) in everybody
        assert not is_public or found >= set(USERS)
        assert graph.list_users("viewer", object_id) == sorted(
            [*(name.removeprefix("user:") for name in named), *(["*"] if is_public else [])]
        )


@_settings
@given(graphs_with_circles)
@example({("group:a", "member", "group:b"), ("group:b", "member", "group:a")})
def test_sqlite_agrees_with_a_naive_evaluation(sqlite_graphs: MakeGraph, edges: set[Edge]) -> None:
    _agrees(sqlite_graphs(edges), edges)


@_settings
@given(graphs_with_circles)
def test_postgresql_agrees_with_a_naive_evaluation(
    postgres_graphs: MakeGraph, edges: set[Edge]
) -> None:
    _agrees(postgres_graphs(edges), edges)


@_few
@given(graphs_without_circles)
def test_spicedb_agrees_with_a_naive_evaluation_and_with_sqlite(
    spicedb_graphs: MakeGraph, sqlite_graphs: MakeGraph, edges: set[Edge]
) -> None:
    spicedb, sqlite = spicedb_graphs(edges), sqlite_graphs(edges)
    _agrees(spicedb, edges)
    assert spicedb.check(QUESTIONS) == sqlite.check(QUESTIONS)
    for subject in USERS[:1] + GROUPS[:1]:
        question = GraphQuery(subject, "viewer", CONTENT[0])
        assert spicedb.expand(question) == sqlite.expand(question)


_READERS: set[Edge] = {
    ("group:b", "member", "user:a@x"),
    ("folder:b", "viewer", "group:a"),
    ("file:a", "parent", "folder:a"),
}


@pytest.mark.parametrize(
    "circle",
    [
        {("group:a", "member", "group:a"), ("group:a", "member", "group:b")},
        {("group:a", "member", "group:b"), ("group:b", "member", "group:a")},
        {
            ("group:a", "member", "group:b"),
            ("group:b", "member", "group:c"),
            ("group:c", "member", "group:a"),
        },
        {("folder:a", "parent", "folder:a"), ("folder:a", "viewer", "group:b")},
        {("folder:a", "parent", "folder:b"), ("folder:b", "parent", "folder:a")},
        {
            ("group:a", "member", "group:b"),
            ("group:b", "member", "group:a"),
            ("folder:a", "parent", "folder:b"),
            ("folder:b", "parent", "folder:a"),
        },
    ],
    ids=["itself", "two groups", "three groups", "a folder", "two folders", "both"],
)
def test_spicedb_never_allows_more_than_follows_from_a_circle(
    spicedb_graphs: MakeGraph, circle: set[Edge]
) -> None:
    _allows_no_more_than_follows(spicedb_graphs(_READERS | circle), _READERS | circle)


@pytest.mark.slow  # Some circles keep SpiceDB at work for minutes, also after it has answered.
@settings(_few, max_examples=draws(5))
@given(graphs_with_circles)
def test_spicedb_never_allows_more_than_follows_where_there_are_circles(
    spicedb_alone: MakeGraph, edges: set[Edge]
) -> None:
    """SpiceDB may also raise an error if cycles cost more time than its own limit."""
    _allows_no_more_than_follows(spicedb_alone(edges), edges)


def _allows_no_more_than_follows(graph: PermissionGraph, edges: set[Edge]) -> None:
    facts = facts_that_follow(edges)
    some = QUESTIONS[::5]
    with suppress(PermissionEngineError):
        answers = zip(some, graph.check(some), strict=True)
        assert {question for question, allowed in answers if allowed} <= facts
    for subject in USERS:
        with suppress(PermissionEngineError):
            listed = graph.list_objects(subject, "viewer")
            assert {(subject, "viewer", name) for name in listed} <= facts


@_settings
@given(graphs_with_circles)
def test_explanations_agree_with_a_naive_evaluation(
    sqlite_graphs: MakeGraph, edges: set[Edge]
) -> None:
    graph = sqlite_graphs(edges)
    facts = facts_that_follow(edges)
    for question in QUESTIONS[::3]:
        assert graph.expand(question).granted is (question in facts)
