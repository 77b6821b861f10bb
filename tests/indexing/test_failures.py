"""A failing record is recorded with its reason and stops nothing; one without text is skipped."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from managed_sync.documents import Chunk
from managed_sync.errors import ForbiddenError, IndexingError
from managed_sync.indexing import IndexProgress, Ledger, Pipeline
from managed_sync.indexing.ledger.model import RecordResult
from managed_sync.models import FileContent, MalformedRecord
from tests.support.index_target import Target
from tests.support.indexing import from_scratch, run, syncing
from tests.support.record_source import ChangingSource, Page, ResumableSource

BOX = Pipeline("p1", "box", "files")
FILES: dict[str, Any] = {"integration": "box", "sync_type": "files"}
BROKEN = "%PDF-1.7 broken"


class TestPutAside:
    def test_failures_are_listed_tried_again_and_forgotten_when_they_work(
        self, ledger: Path
    ) -> None:
        source, target = ChangingSource(a="One.", b=BROKEN), Target()
        run(source, target, ledger)
        sync = syncing(source, target, ledger)
        assert [each.record_id for each in sync.failures(**FILES)] == ["b"]
        source.files["b"].text = "Readable now."

        report = sync.retry(**FILES)

        assert (report.added, report.failed, sync.failures(**FILES)) == (1, (), [])

    def test_to_retry_does_not_wait_and_touches_no_other_record(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b=BROKEN, c=BROKEN), Target()
        for _ in range(3):
            run(source, target, ledger)
        source.downloads.clear()

        report = syncing(source, target, ledger).retry(["b"], **FILES)

        assert source.downloads == ["b"]
        assert [each.attempts for each in report.failed] == [3, 2]

    def test_what_is_dismissed_is_neither_tried_nor_reported_until_it_changes(
        self, ledger: Path
    ) -> None:
        source, target = ChangingSource(a="One.", b=BROKEN), Target()
        run(source, target, ledger)
        sync = syncing(source, target, ledger)

        assert sync.dismiss(["a", "b"], **FILES) == 1
        source.downloads.clear()
        report = run(source, target, ledger, full=True)
        assert (report.failed, report.unchanged, source.downloads) == ((), 1, [])
        source.write("b", "Readable now.")
        assert run(source, target, ledger).added == 1

    def test_all_can_be_dismissed_and_one_taken_up_again(self, ledger: Path) -> None:
        source, target = ChangingSource(a=BROKEN, b=BROKEN), Target()
        run(source, target, ledger)
        sync = syncing(source, target, ledger)

        assert sync.dismiss(**FILES) == 2
        source.files["b"].text = "Readable now."
        assert sync.retry(["b"], **FILES).added == 1

    def test_a_file_that_the_token_does_not_open_holds_up_no_other(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        download = source.download_content

        def refused(record_id: str, *, max_bytes: int = 0) -> FileContent:
            if record_id == "a":
                raise ForbiddenError("not this one", status=403)
            return download(record_id, max_bytes=max_bytes)

        monkeypatch.setattr(source, "download_content", refused)

        report = run(source, target, ledger)

        assert (report.added, [each.record_id for each in report.failed]) == (1, ["a"])


class MalformedSource(ResumableSource):
    """One of whose records some are malformed as they are listed."""

    malformed: tuple[MalformedRecord, ...] = ()

    def iter_changes(self, integration: str, sync_type: str, cursor: str | None) -> Iterator[Any]:
        names = {each.id for each in self.malformed}
        for page in super().iter_changes(integration, sync_type, cursor):
            yield Listed(
                [record for record in page.records if record.id not in names],
                page.resume_cursor,
                self.malformed if page.resume_cursor else (),
            )


class Listed(Page):
    """A page with malformed records."""

    malformed: tuple[MalformedRecord, ...]

    def __new__(cls, *parts: Any) -> Listed:
        page = super().__new__(cls, *parts[:2])
        page.malformed = parts[2]
        return page


class TestMalformedRecords:
    def test_one_is_put_aside_with_its_reason_and_the_others_are_indexed(
        self, ledger: Path
    ) -> None:
        source, target = MalformedSource(a="One.", b="Two."), Target()
        source.malformed = (MalformedRecord("b", "data: Input should be a valid dictionary."),)

        report = run(source, target, ledger)

        assert (report.added, [each.record_id for each in report.failed]) == (1, ["b"])
        assert "dictionary" in report.failed[0].reason

    def test_one_that_was_good_before_stays_in_the_index_and_comes_back(self, ledger: Path) -> None:
        source, target = MalformedSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.malformed = (MalformedRecord("b", "data: ..."), MalformedRecord(None, "no id"))
        for _ in range(2):
            report = run(source, target, ledger, full=True)

        assert (report.deleted, len(target.chunks), len(report.failed)) == (0, 2, 2)
        source.malformed = ()
        assert run(source, target, ledger, full=True).failed == ()


class TestSkipped:
    @pytest.mark.parametrize("text", ["", "  \n "])
    def test_what_has_no_text_is_skipped_and_not_read_again(self, ledger: Path, text: str) -> None:
        source, target = ChangingSource(a="One.", b=text), Target()
        first = run(source, target, ledger)
        source.downloads.clear()

        again = run(source, target, ledger, full=True)

        for report in (first, again):
            assert ([each.record_id for each in report.skipped], report.failed) == (["b"], ())
        assert (again.unchanged, source.downloads) == (1, [])
        source.write("b", "Now there is some.")
        assert run(source, target, ledger).added == 1

    def test_a_picture_is_skipped_and_its_former_text_is_not_found_any_more(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ChangingSource(a="One."), Target()
        run(source, target, ledger)
        source.write("a", "changed")
        picture = FileContent(data=b"\x89PNG\r\n\x1a\n" + b"0" * 50, content_type="image/png")
        monkeypatch.setattr(source, "download_content", lambda *_, **__: picture)

        report = run(source, target, ledger)

        assert "image/png" in report.skipped[0].reason
        assert (report.failed, target.chunks) == ((), {})


def test_a_callback_that_fails_is_logged_once_and_the_run_goes_on(
    ledger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = ChangingSource(a="One.", b="Two."), Target()
    calls: list[IndexProgress] = []

    def broken(progress: IndexProgress) -> None:
        calls.append(progress)
        raise RuntimeError("the display is gone")

    assert run(source, target, ledger, on_progress=broken).added == 2
    assert (len(calls), caplog.text.count("on_progress failed")) == (1, 1)


def test_a_lock_that_cannot_be_opened_is_an_error_of_this_package(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)
    (lock,) = ledger.parent.glob("*-lock-*")
    lock.unlink()
    lock.mkdir()

    with pytest.raises(IndexingError, match="lock"):
        run(source, target, ledger)


class TestClocks:
    @pytest.mark.parametrize("ahead", [2 * 86400.0, 400 * 86400.0])
    def test_a_failure_noted_while_the_clock_ran_ahead_does_not_wait_for_that_time(
        self, any_ledger: str, ahead: float
    ) -> None:
        now = 1_800_000_000.0
        with Ledger(any_ledger) as ledger:
            box = ledger.of(BOX)
            for _ in range(2):
                box.finish([RecordResult("a", "v1", "A", None, {}, "broken")], now=now + ahead)

            assert box.due(now) == ["a"]
            assert not box.states(["a"])["a"].is_waiting("v1", now)
            assert box.states(["a"])["a"].is_waiting("v1", now + ahead)

    def test_a_comparison_noted_while_the_clock_ran_ahead_does_not_hold(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ResumableSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        with Ledger(ledger) as place:
            compared_at = place.of(BOX).note("compared_at")
            place.of(BOX).set_notes(compared_at=compared_at + 400 * 86400)
        del source.files["b"]

        report = run(source, target, ledger)

        assert (report.changes_only, report.deleted) == (False, 1)


def test_a_ledger_from_before_users_were_noted_is_brought_along(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    source, target = ChangingSource(a="One.", b=BROKEN), Target()
    run(source, target, place)
    database = sqlite3.connect(place)
    database.execute("ALTER TABLE managed_sync_pipelines DROP COLUMN connected_user")
    database.execute("UPDATE managed_sync_layout SET version = 2")
    database.commit()
    database.close()

    report = run(source, target, place)

    assert (report.unchanged, [each.record_id for each in report.failed]) == (1, ["b"])
    with Ledger(place) as ledger:
        assert ledger.of(BOX).note("connected_user") is None


def test_records_whose_ids_no_database_takes_hold_up_no_other(any_ledger: str) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, any_ledger)
    source.write("a", "Changed.")
    sync = syncing(source, target, any_ledger)

    report = sync.apply(["half \ud800", "nul \0", "a"], **FILES)

    assert (report.updated, len(report.failed)) == (1, 2)
    assert run(source, target, any_ledger).failed == ()


@pytest.mark.parametrize("kind", [ChangingSource, ResumableSource])
def test_a_listed_record_whose_id_no_database_takes_is_put_aside(
    kind: type[ChangingSource], any_ledger: str
) -> None:
    source, target = kind(a="One."), Target()
    source.write("nul \0", "Two.")

    for expected in (1, 0):
        report = run(source, target, any_ledger, full=True)

        assert (report.added, len(report.failed)) == (expected, 1)
    assert target.texts() == {("file:a", "One.")}


def test_a_lost_connection_to_the_ledger_is_an_error_and_the_next_run_goes_on(
    postgres: str, tmp_path: Path
) -> None:
    place = f"postgresql+psycopg://postgres@{postgres}/postgres"
    source, target = ChangingSource(a="One.", b="Two."), CuttingTarget(place)

    with pytest.raises(IndexingError, match="was lost"):
        run(source, target, place)
    report = run(source, target, place)

    assert (report.added + report.updated, report.failed) == (2, ())
    assert target.contents() == from_scratch(source, tmp_path)


class CuttingTarget(Target):
    """One that ends all connections to the ledger's database when it is first written to."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.server: Engine | None = create_engine(place)

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        super().upsert(chunks, present=present)
        if self.server is None:
            return
        with self.server.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        self.server.dispose()
        self.server = None
