"""On the hosted service's API, whose cursors can be kept, a run costs the change alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from managed_sync import IndexReport, ManagedSyncClient
from managed_sync.documents import Chunk
from managed_sync.errors import ServerError
from managed_sync.indexing import (
    Ledger,
    SharedSecret,
    VerificationReport,
    WebhookReceiver,
)
from managed_sync.indexing.ledger.model import Pipeline
from tests.indexing.hosted_service import Content, HostedService, Sync
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import syncing

FILES = Pipeline("p1", "googleDrive", "files")
PAGE = 3
SECRET = "a secret of some length"


class Drive:
    """Text files in a running service, and an index of them."""

    def __init__(self, service: HostedService, client: ManagedSyncClient, ledger: Path) -> None:
        self.service = service
        self.client = client
        self.ledger = ledger
        self.target = Target()
        self.sync = service.add(Sync(str(UUID(int=1)), "googledrive", "files"))

    def write(self, number: int, text: str) -> None:
        record = {"id": str(UUID(int=number)), "name": f"{number}.txt", "mimeType": "text/plain"}
        record["updatedAt"] = f"2026-01-01T00:00:{self.sync.clock:02}Z"
        self.sync.put(record, Content(text.encode(), "text/plain", record["name"]))

    def remove(self, number: int) -> None:
        self.sync.remove(str(UUID(int=number)))

    def run(
        self, *, every: float = 3600, sync_type: str = FILES.sync_type, **options: Any
    ) -> IndexReport:
        sync = syncing(self.client, self.target, self.ledger, full_comparison_every=every)  # type: ignore[arg-type]
        return sync.run(integration=FILES.integration, sync_type=sync_type, **options)

    def verify(
        self, *, sync_type: str = FILES.sync_type, repair: bool = False
    ) -> VerificationReport:
        sync = syncing(self.client, self.target, self.ledger)  # type: ignore[arg-type]
        return sync.verify(integration=FILES.integration, sync_type=sync_type, repair=repair)

    def asked(self) -> list[int]:
        """Returns the cursors of listings since the last call."""
        asked, self.sync.asked = self.sync.asked, []
        return asked

    def downloads(self) -> int:
        count = sum(each.endswith("/content") for each in self.service.requests)
        self.service.requests.clear()
        return count

    @property
    def cursor(self) -> str | None:
        with Ledger(self.ledger) as ledger:
            cursor: str | None = ledger.of(FILES).note("cursor")
            return cursor

    def texts(self) -> set[str]:
        return {text for _, text in self.target.texts()}


@pytest.fixture
def drive(ledger: Path) -> Iterator[Drive]:
    """A drive with five files, listed in two pages."""
    with (
        HostedService(page_size=PAGE) as service,
        ManagedSyncClient(
            "p1",
            api="hosted",
            signing_key=service.signing_key,
            user_id="u1",
            base_url=service.base_url,
            retry_budget=0,
        ) as client,
    ):
        drive = Drive(service, client, ledger)
        for number in range(1, 6):
            drive.write(number, f"Text {number}.")
        yield drive


def test_the_first_run_lists_everything_and_the_next_one_asks_what_changed(drive: Drive) -> None:
    first = drive.run()
    assert (first.added, first.changes_only, drive.asked()) == (5, False, [0, 3])
    drive.write(2, "Text 2, changed.")
    drive.write(6, "Text 6.")
    drive.downloads()

    second = drive.run()

    assert (second.added, second.updated, second.unchanged, second.changes_only) == (1, 1, 4, True)
    assert (drive.asked(), drive.downloads()) == ([5], 2)
    assert drive.texts() == {f"Text {n}." for n in (1, 3, 4, 5, 6)} | {"Text 2, changed."}


def test_a_run_without_a_change_costs_one_request(drive: Drive) -> None:
    drive.run()
    drive.service.requests.clear()

    report = drive.run()

    assert (report.added, report.updated, report.deleted) == (0, 0, 0)
    assert drive.service.requests == [f"GET /api/syncs/{drive.sync.id}/records"]


def test_another_process_goes_on_from_where_the_last_one_ended(drive: Drive) -> None:
    drive.run()
    drive.asked()
    drive.write(6, "Text 6.")
    with ManagedSyncClient(
        "p1",
        api="hosted",
        signing_key=drive.service.signing_key,
        user_id="u1",
        base_url=drive.service.base_url,
    ) as drive.client:
        assert drive.run().added == 1

    assert drive.asked() == [5]


def test_changes_of_several_pages_are_all_indexed(drive: Drive) -> None:
    drive.run()
    drive.asked()
    for number in range(6, 14):
        drive.write(number, f"Text {number}.")

    assert drive.run().added == 8
    assert drive.asked() == [5, 8, 11]
    assert drive.run().added == 0
    assert drive.asked() == [13]


def test_what_was_deleted_is_found_by_the_comparison_of_everything(drive: Drive) -> None:
    drive.run()
    drive.remove(4)

    assert drive.run().deleted == 0
    assert "Text 4." in drive.texts()
    report = drive.run(every=0)
    assert (report.deleted, report.changes_only) == (1, False)
    assert "Text 4." not in drive.texts()


def test_a_comparison_of_everything_can_be_asked_for(drive: Drive) -> None:
    drive.run()
    drive.remove(4)

    assert drive.run(full=True).deleted == 1
    drive.asked()
    drive.run()
    assert drive.asked() == [5]


def test_an_expired_cursor_leads_to_a_comparison_of_everything(drive: Drive) -> None:
    drive.run()
    drive.asked()
    drive.write(5, "Text 5, changed.")
    drive.remove(4)
    drive.sync.expired = {5}

    report = drive.run()

    assert (report.updated, report.deleted, report.changes_only) == (1, 1, False)
    assert drive.asked() == [5, 0, 3]
    assert drive.cursor == f"{drive.sync.id}/at-6"


def test_a_sync_that_was_made_anew_does_not_go_on_from_the_cursor_of_the_old_one(
    drive: Drive,
) -> None:
    drive.run()
    old = drive.service.syncs.pop(drive.sync.id)
    drive.sync = drive.service.add(
        Sync(str(UUID(int=2)), "googledrive", "files", clock=0, contents=old.contents)
    )
    for number in range(1, 6):
        drive.write(number, f"New text {number}.")

    report = drive.run()

    assert (report.added, report.deleted) == (5, 5)
    assert drive.asked() == [0, 3]
    assert drive.texts() == {f"New text {number}." for number in range(1, 6)}


def test_a_listing_that_breaks_between_pages_keeps_the_cursor_from_before(drive: Drive) -> None:
    drive.run()
    before = drive.cursor
    for number in range(6, 12):
        drive.write(number, f"Text {number}.")
    drive.remove(1)
    drive.sync.broken_at = 8

    with pytest.raises(ServerError, match="Page 2"):
        drive.run()

    assert drive.cursor == before == f"{drive.sync.id}/at-5"
    drive.sync.broken_at = None
    drive.asked()
    assert drive.run().added == 6
    assert drive.asked() == [5, 8]
    assert {f"Text {number}." for number in range(6, 12)} <= drive.texts()


def test_a_first_listing_that_breaks_between_pages_leaves_no_cursor(drive: Drive) -> None:
    drive.sync.broken_at = 3

    with pytest.raises(ServerError, match="Page 2"):
        drive.run()

    assert drive.cursor is None
    drive.sync.broken_at = None
    assert drive.run().added == 5


def test_an_index_that_fails_between_pages_keeps_the_cursor_from_before(drive: Drive) -> None:
    drive.run()
    before = drive.cursor
    for number in range(6, 14):
        drive.write(number, f"Text {number}.")
    drive.target.dies_at, drive.target.dies_of = drive.target.calls + 2, KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive.run()

    assert drive.cursor == before
    drive.target.dies_at = None
    drive.run()
    assert drive.texts() == {f"Text {number}." for number in range(1, 14)}
    assert drive.cursor == f"{drive.sync.id}/at-13"


def test_verification_finds_chunks_that_nobody_knows_of(drive: Drive) -> None:
    drive.target = AbleTarget()
    drive.run()
    known = next(iter(drive.target.chunks.values()))
    stray = Chunk("stray", {**known.metadata, "chunk_id": "stray"})
    other = Chunk("other", {**stray.metadata, "chunk_id": "other", "integration": "box"})
    drive.target.chunks |= {"stray": stray, "other": other}

    assert drive.verify().unknown_chunks == 1
    drive.verify(repair=True)

    assert "stray" not in drive.target.chunks
    assert "other" in drive.target.chunks


def test_verification_of_a_pipeline_that_is_named_by_its_id_leaves_those_of_the_same_type_alone(
    drive: Drive,
) -> None:
    drive.target = AbleTarget()
    drive.run()
    before = dict(drive.target.chunks)
    drive.sync = drive.service.add(Sync(str(UUID(int=2)), "googledrive", "files"))
    drive.write(9, "Text of another sync.")

    report = drive.verify(sync_type=drive.sync.id, repair=True)

    assert (report.source.added, report.unknown_chunks) == (1, None)
    assert before.items() <= drive.target.chunks.items()


@pytest.mark.parametrize("sync_type", ["files", str(UUID(int=1))], ids=["by name", "by id"])
def test_a_file_that_failed_is_tried_again_though_the_cursor_went_on(
    drive: Drive, sync_type: str
) -> None:
    drive.run(sync_type=sync_type)
    drive.write(6, "Text 6.")
    content = drive.sync.contents.pop(str(UUID(int=6)))
    assert [each.title for each in drive.run(sync_type=sync_type).failed] == ["6.txt"]
    drive.sync.contents[str(UUID(int=6))] = content
    drive.asked()

    report = drive.run(sync_type=sync_type)
    assert (report.added, report.unchanged, report.failed) == (1, 5, ())
    assert "Text 6." in drive.texts()
    assert drive.asked() == [6]


def test_a_webhook_brings_single_records_up_to_date(drive: Drive) -> None:
    drive.run()
    drive.write(2, "Text 2, changed.")
    drive.remove(3)
    sync = syncing(drive.client, drive.target, drive.ledger)  # type: ignore[arg-type]

    ids = [f"{drive.sync.id}/{UUID(int=number)}" for number in (2, 3)]
    report = sync.apply(ids, integration=FILES.integration, sync_type=FILES.sync_type)

    assert (report.updated, report.deleted) == (1, 1)
    assert drive.texts() == {"Text 1.", "Text 2, changed.", "Text 4.", "Text 5."}


def test_an_event_of_the_service_names_a_record_by_its_sync(drive: Drive) -> None:
    drive.write(1, "first")
    drive.run()
    drive.write(1, "second")
    receiver = WebhookReceiver(
        syncing(drive.client, drive.target, drive.ledger),  # type: ignore[arg-type]
        {drive.sync.id: (FILES.integration, FILES.sync_type)},
        verify=SharedSecret(SECRET),
        quiet_seconds=0.01,
    )
    event = {
        "event": "record_updated",
        "sync": "files",
        "syncInstanceId": drive.sync.id,
        "user": {"id": "u1"},
        "data": {"recordId": str(UUID(int=1))},
    }

    answer = receiver.receive({"x-webhook-secret": SECRET}, json.dumps(event).encode())

    try:
        assert answer.status == 202
        assert receiver.wait_until_idle()
        assert "second" in drive.texts()
        assert "first" not in drive.texts()
    finally:
        receiver.close()
