from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from authzed.api.v1 import WriteRelationshipsRequest, WriteSchemaRequest
from sqlalchemy import delete, insert

from managed_sync.server.domain import RelationChanges, RelationTuple, Scope
from managed_sync.server.graph.engine import PermissionEngineError
from managed_sync.server.graph.schema import GraphQuery
from managed_sync.server.graph.spicedb import engine as spicedb_engine
from managed_sync.server.graph.spicedb.client import SpiceDBClient, connect
from managed_sync.server.graph.spicedb.engine import SpiceDBEngine
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.scopes import ensure_scope
from tests.support.spicedb import running_spicedb

SCOPE, OTHER = Scope("demo", "acme"), Scope("demo", "other")
MARIA, DAN = "user:maria@x", "user:dan@x"


class Watched(SpiceDBClient):
    """A SpiceDB whose writes can be watched, and can fail."""

    def __init__(self, client: SpiceDBClient) -> None:
        super().__init__(client._permissions, client._schema, client.close)
        self.before_write: Callable[[], None] = lambda: None
        self.sizes: list[int] = []

    def write_relationships(self, request: WriteRelationshipsRequest) -> None:
        self.before_write()
        self.sizes.append(len(request.updates))
        super().write_relationships(request)


@pytest.fixture
def client() -> Iterator[Watched]:
    with running_spicedb() as running:
        yield Watched(running)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "server.db")
    yield opened
    opened.close()


@pytest.fixture
def engine(database: Database, client: Watched) -> SpiceDBEngine:
    return SpiceDBEngine(database, client)


def _publish(
    engine: SpiceDBEngine,
    database: Database,
    *,
    add: Any = (),
    remove: Any = (),
    scope: Scope = SCOPE,
) -> None:
    """Writes a change and its note in one transaction, as a sync does."""
    added = [RelationTuple(*edge) for edge in add]
    removed = [RelationTuple(*edge) for edge in remove]
    with engine.publishing(scope) as publication, database.writing() as connection:
        publication.stage(lambda: RelationChanges(removed, added))
        number = ensure_scope(connection, scope)
        for edge in removed:
            where = [tables.relations.c[name] == value for name, value in edge._asdict().items()]
            connection.execute(delete(tables.relations).where(*where))
        rows = [{**edge._asdict(), "scope_id": number} for edge in added]
        if rows:
            connection.execute(insert(tables.relations), rows)


def _allowed(
    engine: SpiceDBEngine, object_id: str = "file:x", subject: str = MARIA, scope: Scope = SCOPE
) -> bool:
    with engine.graph(scope) as graph:
        return graph.check([GraphQuery(subject, "viewer", object_id)]) == [True]


def test_what_a_sync_changes_holds_at_the_very_next_check(
    engine: SpiceDBEngine, database: Database
) -> None:
    assert not _allowed(engine)
    _publish(engine, database, add=[("file:x", "viewer", MARIA)])
    assert _allowed(engine)
    _publish(
        engine, database, add=[("file:y", "viewer", MARIA)], remove=[("file:x", "viewer", MARIA)]
    )
    assert not _allowed(engine)
    assert _allowed(engine, "file:y")
    assert not _allowed(engine, "file:y", scope=OTHER)


def test_changes_that_fit_into_one_call_are_one(
    engine: SpiceDBEngine, database: Database, client: Watched
) -> None:
    _publish(engine, database, add=[("file:x", "viewer", MARIA)])
    _publish(
        engine,
        database,
        add=[(f"file:{n}", "viewer", MARIA) for n in range(999)],
        remove=[("file:x", "viewer", MARIA)],
    )
    assert client.sizes == [1, 1_000]


def test_changes_of_several_calls_show_as_a_whole(
    engine: SpiceDBEngine, database: Database, client: Watched
) -> None:
    _publish(engine, database, add=[("file:old", "viewer", MARIA)])
    seen = []

    def look() -> None:
        questions = [
            GraphQuery(MARIA, "viewer", name) for name in ("file:old", "file:0", "file:2499")
        ]
        with engine.graph(SCOPE) as graph:
            seen.append((graph.check(questions), len(graph.list_objects(MARIA, "viewer"))))

    def look_from_another_thread() -> None:
        thread = Thread(target=look)
        thread.start()
        thread.join()

    client.before_write = look_from_another_thread
    _publish(
        engine,
        database,
        add=[(f"file:{n}", "viewer", MARIA) for n in range(2_500)],
        remove=[("file:old", "viewer", MARIA)],
    )
    assert len(seen) == 3
    assert seen == [([True, False, False], 1)] * 3
    client.before_write = lambda: None
    look()
    assert seen[-1] == ([False, True, True], 2_500)


def test_a_transaction_that_fails_changes_nothing(
    engine: SpiceDBEngine, database: Database, client: Watched
) -> None:
    _publish(engine, database, add=[("file:x", "viewer", MARIA)])

    def publish() -> None:
        with engine.publishing(SCOPE) as publication:
            added = [RelationTuple("file:y", "viewer", MARIA)]
            publication.stage(lambda: RelationChanges([], added))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        publish()
    assert _allowed(engine)
    assert not _allowed(engine, "file:y")


@pytest.mark.parametrize("calls_that_arrive", [0, 1])
def test_while_a_revocation_has_not_arrived_nothing_is_answered(
    engine: SpiceDBEngine, database: Database, client: Watched, calls_that_arrive: int
) -> None:
    _publish(engine, database, add=[("file:x", "viewer", MARIA), ("file:y", "viewer", MARIA)])
    arrived: list[bool] = []

    def fail() -> None:
        if len(arrived) >= calls_that_arrive:
            raise PermissionEngineError("unreachable")
        arrived.append(True)

    client.before_write = fail
    many = [(f"file:{n}", "viewer", DAN) for n in range(1_500)]
    with pytest.raises(PermissionEngineError):
        _publish(engine, database, add=many, remove=[("file:x", "viewer", MARIA)])
    for object_id in ("file:x", "file:y", "file:0"):
        with pytest.raises(PermissionEngineError):
            _allowed(engine, object_id)
    client.before_write = lambda: None
    assert not _allowed(engine)
    assert _allowed(engine, "file:y")
    assert _allowed(engine, "file:1499", DAN)


def test_after_a_start_spicedb_is_brought_to_what_the_database_holds(
    engine: SpiceDBEngine, database: Database, client: Watched
) -> None:
    _publish(engine, database, add=[("file:x", "viewer", MARIA), ("file:y", "viewer", "user:*")])
    _publish(engine, database, add=[("file:z", "viewer", MARIA)], scope=OTHER)
    with database.writing() as connection:
        # As when the server ends between its transaction and the call to SpiceDB.
        connection.execute(delete(tables.relations).where(tables.relations.c.object == "file:x"))
        row = {**RelationTuple("file:w", "owner", MARIA)._asdict(), "scope_id": 1}
        connection.execute(insert(tables.relations), [row])
    client.sizes.clear()
    restarted = SpiceDBEngine(database, client)
    assert not _allowed(restarted)
    assert _allowed(restarted, "file:w")
    assert _allowed(restarted, "file:y", DAN)
    assert _allowed(restarted, "file:z", scope=OTHER)
    # Only what differs is written.
    assert client.sizes == [2]


def test_a_new_database_does_not_take_over_what_spicedb_still_holds(
    engine: SpiceDBEngine, database: Database, client: Watched, tmp_path: Path
) -> None:
    _publish(engine, database, add=[("file:x", "viewer", MARIA)])
    new = Database(tmp_path / "new.db")
    assert not _allowed(SpiceDBEngine(new, client))
    new.close()


def test_a_circle_of_groups_is_undecided_and_so_denied(
    engine: SpiceDBEngine, database: Database
) -> None:
    _publish(
        engine,
        database,
        add=[
            ("group:a", "member", "group:b"),
            ("group:b", "member", "group:a"),
            ("file:x", "viewer", "group:a"),
            ("file:y", "viewer", MARIA),
        ],
    )
    with engine.graph(SCOPE) as graph:
        questions = [GraphQuery(MARIA, "viewer", name) for name in ("file:x", "file:y")]
        assert graph.check(questions) == [False, True]
        with pytest.raises(PermissionEngineError, match="max depth"):
            graph.list_users("viewer", "file:x")


def test_a_folder_deeper_than_spicedb_goes_is_denied(
    engine: SpiceDBEngine, database: Database
) -> None:
    edges = [(f"folder:{n}", "parent", f"folder:{n + 1}") for n in range(80)]
    _publish(engine, database, add=[*edges, ("folder:80", "viewer", MARIA)])
    assert not _allowed(engine, "folder:0")
    assert _allowed(engine, "folder:60")


def test_a_name_that_spicedb_cannot_hold_stops_the_sync(
    engine: SpiceDBEngine, database: Database
) -> None:
    with pytest.raises(PermissionEngineError, match="long"):
        _publish(engine, database, add=[("file:" + "ä" * 400, "viewer", MARIA)])


def test_a_spicedb_that_serves_something_else_is_left_alone(
    engine: SpiceDBEngine, client: Watched
) -> None:
    client.write_schema(WriteSchemaRequest(schema="definition invoice {\n}"))
    with pytest.raises(PermissionEngineError, match="invoice"):
        _allowed(engine)


def test_a_spicedb_that_is_not_there_is_an_error_without_the_token(database: Database) -> None:
    engine = SpiceDBEngine(database, connect("127.0.0.1:1", "s3cret", tls=False))
    with pytest.raises(PermissionEngineError, match="does not answer") as caught:
        _allowed(engine)
    assert "s3cret" not in str(caught.value)
    engine.close()


def test_a_question_does_not_wait_for_ever_for_a_scope_that_is_brought_into_step(
    engine: SpiceDBEngine,
    database: Database,
    client: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spicedb_engine, "_READ_SECONDS", 0.1)
    _publish(engine, database, add=[("file:x", "viewer", MARIA)])
    again = SpiceDBEngine(database, client)
    inside, done = Event(), Event()

    def publish() -> None:
        with again.publishing(SCOPE):
            inside.set()
            assert done.wait(20)

    thread = Thread(target=publish)
    thread.start()
    assert inside.wait(20)
    with pytest.raises(PermissionEngineError, match="still being brought up to date"):
        again.graph(SCOPE).__enter__()
    done.set()
    thread.join()
    assert _allowed(again)
