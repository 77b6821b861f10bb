"""Syncs leave complete, distinct states in a stable order, in either database."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from managed_sync.models import SyncState
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.graph.sql import SqlEngine
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.storage.changes import change_page, latest_cursor
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import StoredPipeline, enable_pipeline, find_pipeline
from managed_sync.server.storage.records import objects_by_id, record_page
from managed_sync.server.storage.scopes import find_scope
from managed_sync.server.storage.tables import records, relations
from managed_sync.server.sync.pipeline_sync import PipelineGoneError, synchronize
from managed_sync.server.sync.runner import Pipelines
from tests.server.company import Company

SCOPE = Scope("demo", "acme")
FILES = PipelineName("googleDrive", "files")
CONTACTS = PipelineName("salesforce", "contacts")


class Synced:
    """Pipelines of one connected user, synced when a test says so."""

    def __init__(self, database: Database, company: Company) -> None:
        self.database = database
        self.company = company
        self.source = FolderSource(company.folder)

    def sync(self, name: PipelineName, scope: Scope = SCOPE) -> StoredPipeline:
        with self.database.writing() as connection:
            pipeline = enable_pipeline(connection, scope, name)
        self.run(pipeline)
        return self.find(name, scope)

    def run(self, pipeline: StoredPipeline) -> None:
        synchronize(
            self.database,
            SqlEngine(self.database),
            self.source,
            pipeline,
            keep_going=lambda: None,
            progress=lambda _read: None,
        )

    def find(self, name: PipelineName, scope: Scope = SCOPE) -> StoredPipeline:
        with self.database.reading() as connection:
            found = find_pipeline(connection, scope, name)
        assert found is not None
        return found

    def write_contacts(self, names: dict[str, int]) -> None:
        rows = ({"id": name, "revision": revision} for name, revision in names.items())
        self.company.write_lines("contacts", *rows)

    def tuples(self, scope: Scope = SCOPE) -> set[tuple[str, str, str]]:
        with self.database.reading() as connection:
            rows = connection.execute(
                select(relations.c.object, relations.c.relation, relations.c.subject).where(
                    relations.c.scope_id == find_scope(connection, scope)
                )
            )
            return {(row.object, row.relation, row.subject) for row in rows}

    def objects(self) -> set[str]:
        with self.database.reading() as connection:
            return set(connection.execute(select(records.c.object)).scalars())


@pytest.fixture
def synced(database: Database, company: Company) -> Synced:
    return Synced(database, company)


def test_records_and_graph_are_those_of_the_source(synced: Synced) -> None:
    pipeline = synced.sync(FILES)
    assert (pipeline.status, pipeline.record_count, pipeline.version) == (SyncState.IDLE, 6, 1)
    with synced.database.reading() as connection:
        page = record_page(connection, pipeline, None)
        ids = {record.source_id: record.id for record in page.records}
        objects = objects_by_id(connection, pipeline, [*ids.values(), "nothing"])
    assert list(ids) == sorted(ids)
    finance = objects[ids["/Finance"]]
    tuples = synced.tuples()
    assert (finance, "owner", "user:carol@harbor.example") in tuples
    assert ("group:sales-emea", "member", "user:maria@harbor.example") in tuples
    assert (objects[ids["/Finance/budget.txt"]], "parent", finance) in tuples
    assert not any(one[:2] == (finance, "parent") for one in tuples)


def test_what_is_gone_from_the_source_is_gone_from_both(synced: Synced) -> None:
    synced.sync(FILES)
    (synced.company.files / "Finance/budget.txt").unlink()
    synced.company.replace_in_permissions("viewer: [group:finance]", "viewer: [group:sales]")
    synced.sync(FILES)
    assert len(synced.objects()) == 5
    named = {name for one in synced.tuples() for name in (one[0], one[2])}
    assert {name for name in named if name.startswith(("file:", "folder:"))} <= synced.objects()
    assert not any(one[1:] == ("viewer", "group:finance") for one in synced.tuples())


def test_connected_users_do_not_see_each_other(synced: Synced) -> None:
    other = Scope("demo", "globex")
    synced.sync(FILES)
    synced.sync(FILES, other)
    mine, theirs = (
        {one[0] for one in synced.tuples(scope) if one[0].startswith("file:")}
        for scope in (SCOPE, other)
    )
    assert mine
    assert theirs
    assert not mine & theirs


def test_a_pipeline_that_went_away_meanwhile_publishes_nothing(synced: Synced) -> None:
    work = Pipelines(synced.database, SqlEngine(synced.database), synced.source, "demo")
    pipeline = synced.sync(CONTACTS)
    work.delete(pipeline)
    assert (synced.objects(), synced.tuples()) == (set(), set())
    # A new one must not be taken for it, whatever number the database gives it.
    assert synced.sync(FILES).id != pipeline.id
    before = synced.objects()
    with pytest.raises(PipelineGoneError):
        synced.run(pipeline)
    work.disable(synced.find(FILES))
    (synced.company.files / "handbook.md").unlink()
    with pytest.raises(PipelineGoneError):
        synced.run(synced.find(FILES))
    assert synced.objects() == before
    work.stop()


@pytest.mark.parametrize("seed", range(2))
def test_one_pass_skips_nothing_and_brings_nothing_twice_while_records_change(
    synced: Synced, seed: int
) -> None:
    draw = random.Random(seed)
    steady = {f"s-{number:04}": 0 for number in range(0, 400, 2)}
    synced.write_contacts(steady)
    synced.sync(CONTACTS)
    seen: list[str] = []
    cursor = None
    while True:
        with synced.database.reading() as connection:
            page = record_page(connection, synced.find(CONTACTS), cursor)
        seen += [record.source_id for record in page.records]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        passing = {f"s-{draw.randrange(1, 400, 2):04}": 0 for _ in range(60)}
        changed = {name: draw.randrange(2) for name in steady}
        synced.write_contacts({**changed, **passing})
        synced.sync(CONTACTS)
    assert len(seen) == len(set(seen))
    assert steady.keys() <= set(seen)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_changes_bring_every_version_once_and_end_where_the_source_is(
    synced: Synced, seed: int
) -> None:
    draw = random.Random(seed)
    contacts = {f"c-{number:03}": 0 for number in range(120)}
    synced.write_contacts(contacts)
    synced.sync(CONTACTS)
    seen: list[tuple[str, int]] = []
    cursor = None
    for step in range(1, 30):
        with synced.database.reading() as connection:
            page = change_page(connection, synced.find(CONTACTS), cursor, 25)
        cursor = page.cursor
        seen += [(one.record.source_id, one.record.data["revision"]) for one in page.records]
        if step <= 12:
            for name in draw.sample(sorted(contacts), 10):
                contacts[name] = step
            contacts[f"n-{step:03}"] = step
            synced.write_contacts(contacts)
            synced.sync(CONTACTS)
        elif not page.records:
            break
    assert page.remaining == 0
    assert page.total == len(contacts)
    assert len(seen) == len(set(seen))
    assert dict(sorted(seen, key=lambda one: one[1])) == contacts
    with synced.database.reading() as connection:
        assert latest_cursor(connection, synced.find(CONTACTS)) == cursor


def test_a_reader_sees_one_state_from_begin_to_end(synced: Synced) -> None:
    synced.write_contacts({"a": 1})
    pipeline = synced.sync(CONTACTS)
    with synced.database.reading() as connection:
        first = record_page(connection, pipeline, None)
        synced.write_contacts({"b": 1})
        synced.sync(CONTACTS)
        assert record_page(connection, pipeline, None) == first
    with synced.database.reading() as connection:
        (record,) = record_page(connection, pipeline, None).records
    assert record.source_id == "b"


def test_syncs_at_the_same_time_leave_a_whole_state(synced: Synced) -> None:
    scopes = [Scope("demo", f"user-{number}") for number in range(4)]

    def sync_both(scope: Scope) -> None:
        for name in (FILES, CONTACTS, FILES):
            synced.sync(name, scope)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(sync_both, scopes))
    counts = {len(synced.tuples(scope)) for scope in scopes}
    assert len(counts) == 1
    assert all(synced.find(FILES, scope).record_count == 6 for scope in scopes)


def test_what_json_can_hold_the_database_can_hold(synced: Synced) -> None:
    odd = {"id": "c-1", "name": "a\x00b", "emoji": "🦊", "quote": "'\"\\", "nothing": None}
    synced.company.write_lines("contacts", json.dumps(odd))
    pipeline = synced.sync(CONTACTS)
    with synced.database.reading() as connection:
        (record,) = record_page(connection, pipeline, None).records
    assert {name: record.data[name] for name in odd} == odd
