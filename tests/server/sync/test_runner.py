from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import update

from managed_sync.models import SyncState
from managed_sync.server import EmbeddedServer
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.graph.sql import SqlEngine
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.sources.model import ListingContext
from managed_sync.server.storage import tables
from managed_sync.server.storage.database import Database
from managed_sync.server.sync import runner as pipelines
from managed_sync.server.sync.runner import Pipelines
from tests.server.company import CONTACTS, FILES, Caller, Company

Connect = Callable[..., Caller]

SCOPE = Scope("demo", "acme")
NAME = PipelineName("salesforce", "contacts")


def seconds_until_next_sync(work: Pipelines, pipeline_id: int) -> float:
    return work._timetable._due[pipeline_id] - monotonic()


class Gate:
    """Holds syncs in the middle of their listing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Semaphore(0)
        self.inside = 0
        self.most_inside = 0
        self.passed = 0
        items = FolderSource.items

        def held(
            source: FolderSource, name: PipelineName, listing: ListingContext
        ) -> Iterator[Any]:
            self.inside += 1
            self.most_inside = max(self.inside, self.most_inside)
            self.reached.release()
            assert self.open.acquire(timeout=20)
            self.inside -= 1
            self.passed += 1
            listing.keep_going()
            return items(source, name, listing)

        monkeypatch.setattr(FolderSource, "items", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def test_a_request_during_a_sync_makes_it_run_once_more_afterwards(
    caller: Caller, company: Company, gate: Gate
) -> None:
    caller.post("sync/enable", CONTACTS)
    assert gate.reached.acquire(timeout=10)
    for _ in range(3):
        assert caller.post("sync/enable", CONTACTS).json()["status"] == "SYNCING"
    gate.open.release()
    assert gate.reached.acquire(timeout=10)
    # The first sync is done, but what was asked for is still to come.
    assert caller.get("sync/status", **CONTACTS).json()["status"] == "SYNCING"
    company.write_lines("contacts", {"id": "c-new"})
    gate.open.release()
    assert caller.wait(CONTACTS)["status"] == "IDLE"
    assert set(caller.records(CONTACTS)) == {"c-new"}
    assert gate.passed == 2
    assert gate.most_inside == 1


def test_different_pipelines_sync_at_the_same_time(caller: Caller, gate: Gate) -> None:
    caller.post("sync/enable", CONTACTS)
    caller.post("sync/enable", FILES)
    assert gate.reached.acquire(timeout=10)
    assert gate.reached.acquire(timeout=10)
    assert gate.most_inside == 2
    gate.open.release(2)
    caller.wait(CONTACTS)
    caller.wait(FILES)


def test_a_stopped_server_gives_its_sync_up_and_the_next_start_repeats_it(
    company: Company, state: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        gate = Gate(patch)
        with EmbeddedServer(company.folder, state) as first:
            connect(first).post("sync/enable", CONTACTS)
            assert gate.reached.acquire(timeout=10)
            threading.Timer(0.3, gate.open.release).start()
    with EmbeddedServer(company.folder, state) as second:
        caller = connect(second)
        assert caller.wait(CONTACTS)["status"] == "IDLE"
        assert set(caller.records(CONTACTS)) == {"c-1", "c-2"}


class TestSchedule:
    @pytest.fixture(autouse=True)
    def minutes_last_moments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def parse(text: str) -> timedelta:
            assert text in {"1m", "1d"}
            return timedelta(seconds=0.05) if text == "1m" else timedelta(days=1)

        monkeypatch.setattr(pipelines, "parse_frequency", parse)

    def _enable(self, caller: Caller) -> None:
        # Not until it is idle: where a sync takes longer than a moment, the next one is due.
        assert caller.post("sync/enable", {**CONTACTS, "frequency": "1m"}).status_code == 201
        self._wait_for(caller, "c-1")

    def _wait_for(self, caller: Caller, source_id: str) -> None:
        deadline = threading.Event()
        for _ in range(1_200):
            if source_id in caller.records(CONTACTS):
                return
            deadline.wait(0.025)
        raise AssertionError(f"{source_id} does not arrive by itself")

    def test_a_pipeline_with_a_frequency_syncs_by_itself(
        self, caller: Caller, company: Company
    ) -> None:
        self._enable(caller)
        company.write_lines("contacts", {"id": "c-new"})
        self._wait_for(caller, "c-new")

    def test_a_restart_goes_on_with_the_schedule(
        self, company: Company, state: Path, connect: Connect
    ) -> None:
        with EmbeddedServer(company.folder, state) as first:
            self._enable(connect(first))
        company.write_lines("contacts", {"id": "c-new"})
        with EmbeddedServer(company.folder, state) as second:
            self._wait_for(connect(second), "c-new")

    def test_another_frequency_replaces_the_first_one(self, company: Company, state: Path) -> None:
        database = Database(state / "server.db")
        work = Pipelines(database, SqlEngine(database), FolderSource(company.folder), "demo")
        work.start()
        try:
            work.enable(SCOPE, NAME, "1m")
            work.enable(SCOPE, NAME, "1d")
            due = seconds_until_next_sync(work, 1)
            assert due > 80_000
            work.enable(SCOPE, NAME, None)
            assert seconds_until_next_sync(work, 1) > 0
        finally:
            work.stop()
            database.close()

    @pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=-3)])
    def test_a_clock_that_was_wrong_and_is_put_right_does_not_stop_the_schedule(
        self, company: Company, state: Path, ahead: timedelta
    ) -> None:
        database = Database(state / "server.db")
        first = Pipelines(database, SqlEngine(database), FolderSource(company.folder), "demo")
        first.enable(SCOPE, NAME, "1d")
        first.stop()
        last_synced = (datetime.now(UTC) + ahead).isoformat()
        with database.writing() as connection:
            idle = update(tables.pipelines).values(status="IDLE", last_synced_at=last_synced)
            connection.execute(idle)
        second = Pipelines(database, SqlEngine(database), FolderSource(company.folder), "demo")
        second.start()
        try:
            due = seconds_until_next_sync(second, 1)
            assert due <= 86_400
        finally:
            second.stop()
            database.close()


def test_a_sync_that_a_crash_cut_short_is_not_shown_as_under_way_for_ever(
    company: Company, state: Path
) -> None:
    database = Database(state / "server.db")
    first = Pipelines(database, SqlEngine(database), FolderSource(company.folder), "demo")
    first.start()
    first.enable(SCOPE, NAME, None)
    first.stop()
    with database.writing() as connection:
        connection.execute(update(tables.pipelines).values(status="SYNCING"))
    second = Pipelines(database, SqlEngine(database), FolderSource(company.folder), "demo")
    second.start()
    second._threads.shutdown(wait=True)
    assert second.status(SCOPE, NAME).status is SyncState.IDLE
    second.stop()
    database.close()


def test_the_number_of_records_rises_during_the_first_sync(
    caller: Caller, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.write_lines("contacts", *({"id": f"c-{number}"} for number in range(1200)))
    seen: list[int] = []
    note = Pipelines._note_progress

    def spy(work: Pipelines, pipeline_id: int, read: int) -> None:
        note(work, pipeline_id, read)
        seen.append(work.status(SCOPE, NAME).record_count)

    monkeypatch.setattr(Pipelines, "_note_progress", spy)
    assert caller.enable(CONTACTS)["recordCount"] == 1200
    assert seen == [500, 1000, 1200]


def test_a_pipeline_is_never_in_error_while_it_is_being_enabled(
    company: Company, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(state / "server.db")
    pipelines = Pipelines(database, SqlEngine(database), FolderSource(company.folder), "demo")
    pipelines.start()
    seen: list[SyncState] = []
    # It is called between the note in the database and the start of the sync.
    monkeypatch.setattr(
        pipelines._timetable,
        "put",
        lambda *_args, **_kwargs: seen.append(pipelines.status(SCOPE, NAME).status),
    )
    pipelines.enable(SCOPE, NAME, "1h")
    pipelines.stop()

    assert seen == [SyncState.SYNCING]
