from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert

from managed_sync.server.relations.evaluation import PermissionGraph
from managed_sync.server.relations.expansion import expand
from managed_sync.server.relations.schema import Question, RelationTuple
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database

SCOPE = 1
MARIA = "user:maria@x"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("graph") / "server.db")
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.writing() as writing:
        yield writing
        writing.execute(delete(tables.relations))


def _write(connection: Connection, edges: set[tuple[str, str, str]], scope: int = SCOPE) -> None:
    connection.execute(delete(tables.relations).where(tables.relations.c.scope_id == scope))
    if edges:
        rows = [{**RelationTuple(*edge)._asdict(), "scope_id": scope} for edge in edges]
        connection.execute(insert(tables.relations), rows)


def _allowed(connection: Connection, subject: str, relation: str, object_id: str) -> bool:
    (answer,) = PermissionGraph(connection, SCOPE).check([Question(subject, relation, object_id)])
    return answer


def test_a_member_of_a_nested_group(connection: Connection) -> None:
    _write(
        connection,
        {
            ("file:a", "viewer", "group:all"),
            ("group:all", "member", "group:sales"),
            ("group:sales", "member", "group:emea"),
            ("group:emea", "member", MARIA),
        },
    )
    assert _allowed(connection, MARIA, "viewer", "file:a")
    assert _allowed(connection, "group:emea", "viewer", "file:a")
    assert _allowed(connection, MARIA, "member", "group:all")
    assert not _allowed(connection, MARIA, "editor", "file:a")
    assert not _allowed(connection, MARIA, "member", "group:other")


def test_groups_in_a_circle_end(connection: Connection) -> None:
    _write(
        connection,
        {
            ("group:a", "member", "group:b"),
            ("group:b", "member", "group:c"),
            ("group:c", "member", "group:a"),
            ("group:c", "member", "group:c"),
            ("group:b", "member", MARIA),
            ("file:x", "viewer", "group:c"),
            ("file:y", "viewer", "group:d"),
        },
    )
    assert _allowed(connection, MARIA, "viewer", "file:x")
    assert not _allowed(connection, MARIA, "viewer", "file:y")
    assert PermissionGraph(connection, SCOPE).list_users("viewer", "file:x") == ["maria@x"]
    assert expand(connection, SCOPE, Question(MARIA, "viewer", "file:x")).granted


def test_parents_in_a_circle_end(connection: Connection) -> None:
    _write(
        connection,
        {
            ("folder:a", "parent", "folder:b"),
            ("folder:b", "parent", "folder:a"),
            ("file:x", "parent", "folder:a"),
            ("folder:b", "viewer", MARIA),
        },
    )
    graph = PermissionGraph(connection, SCOPE)
    assert _allowed(connection, MARIA, "viewer", "file:x")
    assert not _allowed(connection, "user:dan@x", "viewer", "file:x")
    assert graph.list_objects(MARIA, "viewer") == ["file:x", "folder:a", "folder:b"]
    assert expand(connection, SCOPE, Question(MARIA, "viewer", "file:x")).granted


@pytest.mark.parametrize("depth", [50, 2_000])
def test_depth(connection: Connection, depth: int) -> None:
    edges = {("file:x", "parent", "folder:0"), (f"folder:{depth}", "owner", "group:0")}
    edges |= {(f"folder:{n}", "parent", f"folder:{n + 1}") for n in range(depth)}
    edges |= {(f"group:{n}", "member", f"group:{n + 1}") for n in range(depth)}
    _write(connection, edges | {(f"group:{depth}", "member", MARIA)})
    graph = PermissionGraph(connection, SCOPE)
    assert _allowed(connection, MARIA, "viewer", "file:x")
    assert graph.list_users("editor", "file:x") == ["maria@x"]
    assert "file:x" in graph.list_objects(MARIA, "owner")
    _write(connection, edges)
    assert not _allowed(connection, MARIA, "viewer", "file:x")


def test_a_missing_parent_tuple_cuts_everything_above_off(connection: Connection) -> None:
    _write(
        connection,
        {
            ("folder:root", "owner", MARIA),
            ("folder:open", "parent", "folder:root"),
            ("file:a", "parent", "folder:open"),
            ("file:b", "parent", "folder:closed"),
        },
    )
    assert _allowed(connection, MARIA, "viewer", "file:a")
    assert not _allowed(connection, MARIA, "viewer", "file:b")


@pytest.mark.parametrize(
    ("held", "implied"),
    [
        ("owner", {"owner", "editor", "viewer"}),
        ("editor", {"editor", "viewer"}),
        ("viewer", {"viewer"}),
    ],
)
def test_implied_relations(connection: Connection, held: str, implied: set[str]) -> None:
    _write(connection, {("file:x", held, MARIA)})
    asked = ("owner", "editor", "viewer", "member", "parent", "", "*")
    assert {name for name in asked if _allowed(connection, MARIA, name, "file:x")} == implied


def test_no_scope_reaches_another(connection: Connection) -> None:
    _write(connection, {("group:a", "member", MARIA)}, scope=1)
    _write(connection, {("file:x", "viewer", "group:a"), ("file:x", "viewer", MARIA)}, scope=2)
    question = Question(MARIA, "viewer", "file:x")
    for scope, answer in ((1, False), (2, True), (3, False), (None, False)):
        graph = PermissionGraph(connection, scope)
        assert graph.check([question]) == [answer]
        assert (graph.list_users("viewer", "file:x") == ["maria@x"]) is answer
        assert (graph.list_objects(MARIA, "viewer") == ["file:x"]) is answer
        assert expand(connection, scope, question).granted is answer


def test_names_are_data_and_no_patterns(connection: Connection) -> None:
    _write(connection, {("file:x", "viewer", MARIA), ("filet:y", "viewer", MARIA)})
    graph = PermissionGraph(connection, SCOPE)
    for name in ("file:%", "file:_", "file:x' OR '1'='1", 'file:"]', "FILE:X"):
        assert not _allowed(connection, MARIA, "viewer", name)
    assert graph.list_objects(MARIA, "viewer", "f%") == []
    assert graph.list_objects(MARIA, "viewer", "file") == ["file:x"]


def test_a_thousand_checks_in_a_large_graph_are_quick(connection: Connection) -> None:
    edges = {(f"file:{n}", "parent", f"folder:{n % 500}") for n in range(20_000)}
    edges |= {(f"folder:{n}", "parent", f"folder:{n // 3}") for n in range(1, 500)}
    edges |= {("folder:1", "viewer", "group:a"), ("group:a", "member", MARIA)}
    _write(connection, edges)
    questions = [Question(MARIA, "viewer", f"file:{n}") for n in range(1_000)]
    begin = time.perf_counter()
    answers = PermissionGraph(connection, SCOPE).check(questions)
    assert time.perf_counter() - begin < 1
    assert 0 < sum(answers) < 1_000


# An independent evaluation, as naive as can be: a fixed point over single facts.

USERS = ["user:a@x", "user:b@x"]
GROUPS = ["group:a", "group:b", "group:c", "organization"]
FOLDERS = ["folder:a", "folder:b", "folder:c"]
FILES = ["file:a", "file:b"]
ROLES = ["owner", "editor", "viewer"]

_grants = st.tuples(
    st.sampled_from(FILES + FOLDERS), st.sampled_from(ROLES), st.sampled_from(USERS + GROUPS)
)
_members = st.tuples(st.sampled_from(GROUPS), st.just("member"), st.sampled_from(USERS + GROUPS))
_parents = st.dictionaries(
    st.sampled_from(FILES + FOLDERS), st.sampled_from(FOLDERS), max_size=5
).map(lambda places: {(inner, "parent", outer) for inner, outer in places.items()})
_graphs = st.tuples(st.sets(_grants, max_size=5), st.sets(_members, max_size=7), _parents).map(
    lambda parts: set[tuple[str, str, str]]().union(*parts)
)

_QUESTIONS = [
    Question(subject, relation, object_id)
    for subject in USERS + GROUPS
    for relation in [*ROLES, "reader"]
    for object_id in [*FILES, *FOLDERS, "file:unknown"]
]


def _naive(edges: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """All (subject, role, object) that follow from the edges."""
    facts = {
        (subject, relation, object_id)
        for object_id, relation, subject in edges
        if relation in ROLES
    }
    while True:
        new = set()
        for subject, role, object_id in facts:
            if role != "viewer":
                new.add((subject, ROLES[ROLES.index(role) + 1], object_id))
            for other, relation, target in edges:
                if relation == "parent" and target == object_id:
                    new.add((subject, role, other))
                if relation == "member" and other == subject:
                    new.add((target, role, object_id))
        if new <= facts:
            return facts
        facts |= new


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_graphs)
def test_every_way_of_asking_agrees_with_a_naive_evaluation(
    connection: Connection, edges: set[tuple[str, str, str]]
) -> None:
    _write(connection, edges)
    facts = _naive(edges)
    graph = PermissionGraph(connection, SCOPE)
    expected = [tuple(question) in facts for question in _QUESTIONS]
    assert graph.check(_QUESTIONS) == expected
    for subject in USERS + GROUPS:
        assert graph.list_objects(subject, "editor") == sorted(
            object_id for holder, role, object_id in facts if (holder, role) == (subject, "editor")
        )
    for object_id in FILES + FOLDERS:
        assert graph.list_users("viewer", object_id) == sorted(
            subject.removeprefix("user:")
            for subject, role, target in facts
            if (role, target) == ("viewer", object_id) and subject in USERS
        )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_graphs, st.sampled_from(USERS + GROUPS), st.sampled_from(FILES))
def test_single_checks_and_expansions_agree_with_a_naive_evaluation(
    connection: Connection, edges: set[tuple[str, str, str]], subject: str, object_id: str
) -> None:
    _write(connection, edges)
    facts = _naive(edges)
    for relation in [*ROLES, "reader"]:
        question = Question(subject, relation, object_id)
        expected = tuple(question) in facts
        assert PermissionGraph(connection, SCOPE).check([question]) == [expected]
        assert expand(connection, SCOPE, question).granted is expected
