from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from managed_sync.models import RelationshipNode
from managed_sync.server.graph.schema import GraphQuery
from tests.server.graph.graphs import Edge, MakeGraph

MARIA = "user:maria@x"

Expand = Callable[..., RelationshipNode]


def _expander(graphs: MakeGraph) -> Expand:
    def expand(*edges: Edge) -> RelationshipNode:
        return graphs(edges).expand(GraphQuery(MARIA, "viewer", "file:x"))

    return expand


@pytest.fixture
def expand(graphs: MakeGraph) -> Expand:
    return _expander(graphs)


@pytest.fixture
def expand_in_sql(sql_graphs: MakeGraph) -> Expand:
    return _expander(sql_graphs)


def _nodes(tree: RelationshipNode) -> Iterator[RelationshipNode]:
    yield tree
    for child in tree.children:
        yield from _nodes(child)


def _deciding_path(tree: RelationshipNode) -> list[str]:
    path = []
    node: RelationshipNode | None = tree
    while node is not None:
        path.append(f"{node.via} {node.object} {node.relation}")
        node = next((child for child in node.children if child.granted), None)
    return path


def test_a_direct_grant(expand: Expand) -> None:
    tree = expand(("file:x", "viewer", MARIA))
    assert tree.subjects == ("maria@x",)
    assert _deciding_path(tree) == ["self file:x viewer"]


def test_an_implied_relation(expand: Expand) -> None:
    tree = expand(("file:x", "owner", MARIA))
    assert _deciding_path(tree) == [
        "self file:x viewer",
        "implied file:x editor",
        "implied file:x owner",
    ]


def test_a_group_of_a_parent(expand: Expand) -> None:
    tree = expand(
        ("file:x", "parent", "folder:a"),
        ("folder:a", "parent", "folder:b"),
        ("folder:b", "viewer", "group:all"),
        ("group:all", "member", "group:sales"),
        ("group:all", "member", "group:other"),
        ("group:sales", "member", MARIA),
    )
    assert _deciding_path(tree) == [
        "self file:x viewer",
        "parent folder:a viewer",
        "parent folder:b viewer",
        "member group:all member",
        "member group:sales member",
    ]
    assert "group:other" not in {node.object for node in _nodes(tree)}


def test_who_else_may_is_named_but_not_marked(expand: Expand) -> None:
    tree = expand(("file:x", "viewer", "user:dan@x"), ("file:x", "viewer", "group:sales"))
    assert tree.subjects == ("group:sales", "dan@x")
    assert not any(node.granted for node in _nodes(tree))


def test_it_stays_bounded_and_keeps_what_decides(expand_in_sql: Expand) -> None:
    depth = 300
    tree = expand_in_sql(
        ("file:x", "parent", "folder:0"),
        *((f"folder:{n}", "parent", f"folder:{n + 1}") for n in range(depth)),
        *((f"folder:{n}", "viewer", f"group:other-{n}") for n in range(depth)),
        *((f"folder:{depth}", "viewer", f"user:u{n:04}@x") for n in range(500)),
        (f"folder:{depth}", "viewer", "group:0"),
        *((f"group:{n}", "member", f"group:{n + 1}") for n in range(depth)),
        *((f"group:{n}", "member", "organization") for n in range(depth)),
        *(("organization", "member", f"user:u{n:04}@x") for n in range(500)),
        (f"group:{depth}", "member", MARIA),
    )
    nodes = list(_nodes(tree))
    assert len(nodes) < 200
    assert max(len(node.subjects) for node in nodes) <= 100
    path = _deciding_path(tree)
    assert f"parent folder:{depth} viewer" in path
    assert path[-1] == f"member group:{depth} member"
    # The reader of the answer must be able to parse it.
    assert RelationshipNode.model_validate_json(tree.model_dump_json(by_alias=True)) == tree


def test_every_group_is_explained_once(expand: Expand) -> None:
    width = 12
    tree = expand(
        *(("file:x", "viewer", f"group:{n}") for n in range(width)),
        *((f"group:{n}", "member", "group:core") for n in range(width)),
        ("group:core", "member", "group:inner"),
        ("group:inner", "member", MARIA),
    )
    inner = [node for node in _nodes(tree) if node.object == "group:inner"]
    assert len(inner) == 1
    assert len(list(_nodes(tree))) < 3 * width


def test_everybody_is_named_and_leads(expand: Expand) -> None:
    tree = expand(("file:x", "parent", "folder:a"), ("folder:a", "viewer", "user:*"))
    assert _deciding_path(tree) == ["self file:x viewer", "parent folder:a viewer"]
    assert tree.children[-1].subjects == ("*",)


def test_both_of_two_containers_are_explained(expand: Expand) -> None:
    tree = expand(
        ("file:x", "parent", "folder:a"),
        ("file:x", "parent", "folder:b"),
        ("folder:b", "viewer", MARIA),
    )
    assert [(node.object, node.granted) for node in tree.children if node.via == "parent"] == [
        ("folder:a", False),
        ("folder:b", True),
    ]
