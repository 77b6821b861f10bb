"""Trouble of the server's own is never taken for success, nor for the fault of a file."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from managed_sync.errors import ConfigurationError
from managed_sync.server.failures import database_failure
from managed_sync.server.storage import database
from managed_sync.server.storage.database import Database
from managed_sync.server.sync import runner as pipelines
from tests.server.company import FILES, Caller, Company

resource = pytest.importorskip("resource", reason="Windows has no such limits")

Configured = Callable[..., Caller]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The nearest thing to a full disk that needs no privileges."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@contextmanager
def full_database(state: Path) -> Iterator[None]:
    """Lets the database's file grow no more, as on a full disk."""
    grown = Database.exclusively

    @contextmanager
    def exclusively(database: Database, connection: Any, *further: Any) -> Iterator[None]:
        with grown(database, connection, *further):
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            try:
                yield
            finally:
                connection.exec_driver_sql("PRAGMA max_page_count = 4294967294")

    Database.exclusively = exclusively  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Database.exclusively = grown  # type: ignore[method-assign]


def test_a_full_disk_fails_the_sync_and_what_was_in_force_stays(
    configured: Configured, company: Company
) -> None:
    caller = configured(content="blobs")
    before = caller.enable(FILES)
    assert before["status"] == "IDLE"
    company.write_file("handbook.md", b"new" + b"x" * 20_000_000)
    company.write_file("new.bin", b"x" * 20_000_000)
    with files_no_larger_than(8_000_000):
        failed = caller.enable(FILES)
    assert failed["status"] == "ERROR"
    assert "Free some space" in failed["error"]
    assert failed["lastSyncedAt"] == before["lastSyncedAt"]
    handbook = caller.records(FILES)["/handbook.md"]["id"]
    content = caller.get(f"sync/records/{handbook}/content")
    assert content.text == "# Handbook\n\nBe kind.\n"
    assert caller.enable(FILES)["status"] == "IDLE"
    assert "/new.bin" in caller.records(FILES)


def test_a_full_database_fails_the_sync_with_the_reason(
    configured: Configured, company: Company, state: Path
) -> None:
    caller = configured()
    before = caller.enable(FILES)
    for number in range(300):
        company.write_file(f"Many/{'x' * 200}{number}.txt")
    with full_database(state):
        response = caller.post("sync/enable", FILES)
        if response.status_code == 507:
            assert "full" in response.json()["detail"]
        else:
            failed = caller.wait(FILES)
            assert failed["status"] == "ERROR"
            assert "The disk of the database is full" in failed["error"]
            assert failed["lastSyncedAt"] == before["lastSyncedAt"]
        assert set(caller.records(FILES)) < set(caller.records(FILES)) | {"/Many"}
        assert "/Many" not in caller.records(FILES)
    assert caller.enable(FILES)["status"] == "IDLE"
    assert "/Many" in caller.records(FILES)


def test_a_failure_that_cannot_be_saved_is_shown_all_the_same(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = configured()
    assert caller.enable(FILES)["status"] == "IDLE"

    def fail(*_arguments: object) -> None:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("UPDATE", {}, full)

    with monkeypatch.context() as patch:
        patch.setattr(pipelines, "save_started", fail)
        patch.setattr(pipelines, "save_failure", fail)
        failed = caller.enable(FILES)
    assert failed["status"] == "ERROR"
    assert "The disk of the database is full" in failed["error"]
    assert caller.enable(FILES)["status"] == "IDLE"


def test_a_thread_that_the_system_does_not_give_leaves_no_sync_under_way_for_ever(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Threads(ThreadPoolExecutor):
        refused = True

        def submit(self, *arguments: Any, **keywords: Any) -> Any:
            if Threads.refused:
                raise RuntimeError("can't start new thread")
            return super().submit(*arguments, **keywords)

    monkeypatch.setattr(pipelines, "ThreadPoolExecutor", Threads)
    caller = configured()
    assert caller.post("sync/enable", FILES).status_code == 500
    assert caller.get("sync/status", **FILES).json()["status"] == "ERROR"
    Threads.refused = False
    assert caller.enable(FILES)["status"] == "IDLE"


def test_nobody_is_told_to_delete_a_database_that_is_only_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.1)
    place = tmp_path / "server.db"
    Database(place).close()
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigurationError, match="keeps the database locked") as refused:
            Database(place)
    assert "delete the file" not in str(refused.value)


class TestDatabaseFailure:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            (sqlite3.SQLITE_BUSY, 503),
            (sqlite3.SQLITE_BUSY_SNAPSHOT, 503),
            (sqlite3.SQLITE_FULL, 507),
            (sqlite3.SQLITE_IOERR_WRITE, 503),
            (sqlite3.SQLITE_CORRUPT, 503),
            (sqlite3.SQLITE_CANTOPEN, 503),
        ],
    )
    def test_of_sqlite(self, code: int, status: int) -> None:
        original = sqlite3.OperationalError("x")
        original.sqlite_errorcode = code
        failure = database_failure(OperationalError("SELECT", {}, original))
        assert failure is not None
        assert failure.status == status

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            (None, 503),
            ("53100", 507),
            ("55P03", 503),
            ("57014", 503),
            ("57P01", 503),
            ("58030", 503),
        ],
    )
    def test_of_postgresql(self, state: str | None, status: int) -> None:
        psycopg = pytest.importorskip("psycopg")
        original = psycopg.OperationalError("x")
        original.sqlstate = state
        failure = database_failure(OperationalError("SELECT", {}, original))
        assert failure is not None
        assert failure.status == status

    def test_a_wrong_statement_is_no_failure_of_the_database(self) -> None:
        with (
            closing(sqlite3.connect(":memory:")) as connection,
            pytest.raises(sqlite3.OperationalError) as wrong,
        ):
            connection.execute("SELEC 1")
        assert database_failure(OperationalError("SELEC", {}, wrong.value)) is None
        assert database_failure(ProgrammingError("x", {}, Exception("x"))) is None
