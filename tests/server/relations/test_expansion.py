from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from managed_sync.models import RelationshipNode
from managed_sync.server.relations.expansion import expand
from managed_sync.server.relations.schema import Question, RelationTuple
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database

SCOPE = 1
MARIA = "user:maria@x"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(tmp_path / "server.db")
    with database.writing() as writing:
        yield writing
    database.close()


def _expand(connection: Connection, *edges: tuple[str, str, str]) -> RelationshipNode:
    rows = [{**RelationTuple(*edge)._asdict(), "scope_id": SCOPE} for edge in edges]
    connection.execute(insert(tables.relations), rows)
    return expand(connection, SCOPE, Question(MARIA, "viewer", "file:x"))


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


def test_a_direct_grant(connection: Connection) -> None:
    tree = _expand(connection, ("file:x", "viewer", MARIA))
    assert tree.subjects == ("maria@x",)
    assert _deciding_path(tree) == ["self file:x viewer"]


def test_an_implied_relation(connection: Connection) -> None:
    tree = _expand(connection, ("file:x", "owner", MARIA))
    assert _deciding_path(tree) == [
        "self file:x viewer",
        "implied file:x editor",
        "implied file:x owner",
    ]


def test_a_group_of_a_parent(connection: Connection) -> None:
    tree = _expand(
        connection,
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


def test_who_else_may_is_named_but_not_marked(connection: Connection) -> None:
    tree = _expand(
        connection, ("file:x", "viewer", "user:dan@x"), ("file:x", "viewer", "group:sales")
    )
    assert tree.subjects == ("group:sales", "dan@x")
    assert not any(node.granted for node in _nodes(tree))


def test_it_stays_bounded_and_keeps_what_decides(connection: Connection) -> None:
    depth = 300
    tree = _expand(
        connection,
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


def test_every_group_is_explained_once(connection: Connection) -> None:
    width = 12
    tree = _expand(
        connection,
        *(("file:x", "viewer", f"group:{n}") for n in range(width)),
        *((f"group:{n}", "member", "group:core") for n in range(width)),
        ("group:core", "member", "group:inner"),
        ("group:inner", "member", MARIA),
    )
    inner = [node for node in _nodes(tree) if node.object == "group:inner"]
    assert len(inner) == 1
    assert len(list(_nodes(tree))) < 3 * width
