"""Every engine gives the same decisions."""

from __future__ import annotations

import pytest

from managed_sync.server.graph.engine import PermissionGraph
from managed_sync.server.graph.schema import SCHEMA, GraphQuery
from tests.server.graph.graphs import Edge, MakeGraph

MARIA = "user:maria@x"
DAN = "user:dan@x"


def _allowed(graph: PermissionGraph, subject: str, relation: str, object_id: str) -> bool:
    question = GraphQuery(subject, relation, object_id)
    (answer,) = graph.check([question])
    assert graph.expand(question).granted is answer
    return answer


def test_a_member_of_a_nested_group(graphs: MakeGraph) -> None:
    graph = graphs(
        {
            ("file:a", "viewer", "group:all"),
            ("group:all", "member", "group:sales"),
            ("group:sales", "member", "group:emea"),
            ("group:emea", "member", MARIA),
        }
    )
    assert _allowed(graph, MARIA, "viewer", "file:a")
    assert _allowed(graph, "group:emea", "viewer", "file:a")
    assert _allowed(graph, MARIA, "member", "group:all")
    assert not _allowed(graph, MARIA, "editor", "file:a")
    assert not _allowed(graph, MARIA, "member", "group:other")
    assert graph.list_objects(MARIA, "member") == ["group:all", "group:emea", "group:sales"]
    assert graph.list_objects("group:emea", "member") == ["group:all", "group:sales"]
    assert graph.list_users("member", "group:all") == ["maria@x"]


def test_a_missing_parent_tuple_cuts_everything_above_off(graphs: MakeGraph) -> None:
    graph = graphs(
        {
            ("folder:root", "owner", MARIA),
            ("folder:open", "parent", "folder:root"),
            ("file:a", "parent", "folder:open"),
            ("file:b", "parent", "folder:closed"),
        }
    )
    assert _allowed(graph, MARIA, "viewer", "file:a")
    assert not _allowed(graph, MARIA, "viewer", "file:b")
    assert graph.list_objects(MARIA, "owner") == ["file:a", "folder:open", "folder:root"]


@pytest.mark.parametrize(
    ("held", "implied"),
    [
        ("owner", {"owner", "editor", "viewer"}),
        ("editor", {"editor", "viewer"}),
        ("viewer", {"viewer"}),
    ],
)
def test_implied_relations(graphs: MakeGraph, held: str, implied: set[str]) -> None:
    graph = graphs({("file:x", held, MARIA)})
    asked = ("owner", "editor", "viewer", "member", "parent", "", "*", "view")
    assert {name for name in asked if _allowed(graph, MARIA, name, "file:x")} == implied


def test_what_is_public_is_open_to_every_user_and_to_nobody_more(graphs: MakeGraph) -> None:
    graph = graphs(
        {
            ("folder:a", "viewer", "user:*"),
            ("file:x", "parent", "folder:a"),
            ("file:x", "editor", DAN),
        }
    )
    assert _allowed(graph, MARIA, "viewer", "file:x")
    assert not _allowed(graph, MARIA, "editor", "file:x")
    assert not _allowed(graph, "group:sales", "viewer", "file:x")
    assert not _allowed(graph, "user:*", "viewer", "file:x")
    assert not _allowed(graph, "user:*", "editor", "file:x")
    assert graph.list_users("viewer", "file:x") == ["*", "dan@x"]
    assert graph.list_users("editor", "file:x") == ["dan@x"]
    assert graph.list_objects(MARIA, "viewer") == ["file:x", "folder:a"]
    assert graph.list_objects("user:*", "viewer") == []


def test_the_whole_organization(graphs: MakeGraph) -> None:
    graph = graphs(
        {
            ("organization", "member", MARIA),
            ("organization", "member", "group:partners"),
            ("group:partners", "member", DAN),
            ("deal:d", "viewer", "organization"),
        }
    )
    assert _allowed(graph, MARIA, "viewer", "deal:d")
    assert _allowed(graph, DAN, "viewer", "deal:d")
    assert _allowed(graph, DAN, "member", "organization")
    assert not _allowed(graph, "user:guest@x", "viewer", "deal:d")
    assert graph.list_users("viewer", "deal:d") == ["dan@x", "maria@x"]


@pytest.mark.parametrize("kind", ["folder", "file", "contact", "company", "deal", "ticket"])
def test_every_type_of_content_inherits_from_a_folder(graphs: MakeGraph, kind: str) -> None:
    graph = graphs({(f"{kind}:x", "parent", "folder:a"), ("folder:a", "editor", MARIA)})
    assert _allowed(graph, MARIA, "viewer", f"{kind}:x")
    assert graph.list_objects(MARIA, "viewer", kind) == sorted(
        {f"{kind}:x", *(["folder:a"] if kind == "folder" else [])}
    )


@pytest.mark.parametrize(
    ("subject", "relation", "object_id"),
    [
        (MARIA, "viewer", "planet:mars"),
        (MARIA, "viewer", "group:sales"),
        (MARIA, "member", "file:x"),
        (MARIA, "parent", "file:x"),
        (MARIA, "own", "file:x"),
        ("file:x", "viewer", "file:x"),
        ("folder:a", "viewer", "file:x"),
        ("group:sales", "member", "group:sales"),
        ("group:unknown", "member", "group:unknown"),
        (MARIA, "viewer", "file:" + "x" * 2_000),
        ("user:" + "m" * 2_000, "viewer", "file:x"),
    ],
)
def test_what_the_schema_does_not_know_is_denied(
    graphs: MakeGraph, subject: str, relation: str, object_id: str
) -> None:
    graph = graphs(
        {
            ("file:x", "parent", "folder:a"),
            ("folder:a", "owner", MARIA),
            ("group:sales", "member", MARIA),
        }
    )
    assert not _allowed(graph, subject, relation, object_id)
    # And it costs the other questions of its batch nothing.
    known = GraphQuery(MARIA, "viewer", "file:x")
    batch = [known, GraphQuery(subject, relation, object_id), None, known]
    assert graph.check(batch) == [True, False, False, True]


def test_lists_of_what_the_schema_does_not_know_are_empty(graphs: MakeGraph) -> None:
    graph = graphs({("file:x", "viewer", MARIA), ("group:sales", "member", MARIA)})
    assert graph.list_objects(MARIA, "reader") == []
    assert graph.list_objects(MARIA, "viewer", "planet") == []
    assert graph.list_objects(MARIA, "parent") == []
    assert graph.list_objects("folder:a", "viewer") == []
    assert graph.list_users("viewer", "planet:mars") == []
    assert graph.list_users("viewer", "group:sales") == []
    assert graph.list_users("reader", "file:x") == []


def test_no_scope_reaches_another(graphs: MakeGraph) -> None:
    members: set[Edge] = {("group:a", "member", MARIA)}
    grants: set[Edge] = {("file:x", "viewer", "group:a"), ("file:x", "viewer", MARIA)}
    question = GraphQuery(MARIA, "viewer", "file:x")
    for graph, answer in ((graphs(members), False), (graphs(grants), True), (graphs([]), False)):
        assert graph.check([question]) == [answer]
        assert (graph.list_users("viewer", "file:x") == ["maria@x"]) is answer
        assert (graph.list_objects(MARIA, "viewer") == ["file:x"]) is answer
        assert graph.expand(question).granted is answer


def test_what_is_public_in_one_scope_is_nothing_in_another(graphs: MakeGraph) -> None:
    graphs({("file:x", "viewer", "user:*"), ("folder:a", "owner", "user:*")})
    graph = graphs({("file:y", "viewer", "user:*")})
    assert not _allowed(graph, MARIA, "viewer", "file:x")
    assert graph.list_objects(MARIA, "viewer") == ["file:y"]
    assert graph.list_users("viewer", "file:x") == []


def test_names_are_data_and_no_patterns(graphs: MakeGraph) -> None:
    odd = ["file:ä/ö|=2A", "file:*", 'file:"]', "file:x' OR '1'='1", "file:a:b#viewer@c"]
    graph = graphs([("file:x", "viewer", MARIA), *((name, "viewer", DAN) for name in odd)])
    for name in (*odd, "file:%", "file:_", "FILE:X", "file:X", "file:x "):
        assert not _allowed(graph, MARIA, "viewer", name)
    for name in odd:
        assert _allowed(graph, DAN, "viewer", name)
    assert graph.list_objects(MARIA, "viewer", "f%") == []
    assert graph.list_objects(MARIA, "viewer", "file") == ["file:x"]
    assert graph.list_objects(DAN, "viewer") == sorted(odd)


def test_a_batch_of_many_subjects_and_objects(graphs: MakeGraph) -> None:
    edges = {(f"file:{n}", "parent", f"folder:{n % 7}") for n in range(100)}
    edges |= {(f"folder:{n}", "viewer", f"group:{n}") for n in range(7)}
    edges |= {(f"group:{n}", "member", f"user:{n}@x") for n in range(7)}
    questions = [
        GraphQuery(f"user:{user}@x", "viewer", f"file:{file}")
        for user in range(8)
        for file in range(100)
    ]
    expected = [user == file % 7 for user in range(8) for file in range(100)]
    assert graphs(edges).check(questions + questions[:200]) == expected + expected[:200]


def test_the_schema_has_the_types_and_relations_of_the_documentation() -> None:
    assert set(SCHEMA) == {
        *("user", "group", "organization"),
        *("folder", "file", "contact", "company", "deal", "ticket"),
    }
    assert {relation for relations in SCHEMA.values() for relation in relations} == {
        *("owner", "editor", "viewer", "parent", "member")
    }
