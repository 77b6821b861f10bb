"""Nothing is removed unless the API says that it is gone, and shows that it sees the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from managed_sync import IndexReport, SyncedRecord
from managed_sync.errors import (
    AnotherUserError,
    ApiConnectionError,
    DeletionsWithheldError,
    ForbiddenError,
    InvalidIdentifierError,
    NotFoundError,
    ServerError,
)
from managed_sync.models import SyncState, SyncStatus
from tests.support.index_target import Target
from tests.support.indexing import run, syncing
from tests.support.record_source import ChangingSource, ResumableSource

FILES: dict[str, Any] = {"integration": "box", "sync_type": "files"}


class CountingSource(ChangingSource):
    """One whose API counts its records.

    Attributes:
        unlisted: What its listing lacks.
        errors: What it raises in place of single records.
        lists: How often it was listed.
    """

    connected_user: str | None = None

    def __init__(self, **texts: str) -> None:
        super().__init__(**texts)
        self.unlisted: set[str] = set()
        self.errors: dict[str, Exception] = {}
        self.state = SyncState.IDLE
        self.lists = 0

    @property
    def count(self) -> int:
        return len(self.files)

    def get_sync_status(self, integration: str, sync_type: str) -> SyncStatus:
        return SyncStatus(
            integration=integration,
            sync_type=sync_type,
            status=self.state,
            record_count=self.count,
        )

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        self.lists += 1
        for record in super().iter_records(integration, sync_type):
            if record.id not in self.unlisted:
                yield record

    def get_record(self, record_id: str) -> SyncedRecord:
        if record_id in self.errors:
            raise self.errors[record_id]
        return super().get_record(record_id)


def texts(count: int) -> dict[str, str]:
    return {f"r{number:02}": f"Text {number}." for number in range(count)}


def apply(
    source: ChangingSource, target: Target, ledger: Path, *ids: str, **options: Any
) -> IndexReport:
    return syncing(source, target, ledger).apply(ids, **FILES, **options)


def proxy_404() -> NotFoundError:
    error = NotFoundError("<html>404 page not found</html>", status=404)
    error.is_from_api = False
    return error


class TestListings:
    def test_what_a_listing_lacks_and_the_api_still_has_stays_and_is_brought_up_to_date(
        self, ledger: Path
    ) -> None:
        source, target = CountingSource(**texts(10)), Target()
        run(source, target, ledger)
        source.write("r03", "Changed.")
        source.unlisted = {"r03", "r04"}

        report = run(source, target, ledger)

        assert (report.deleted, report.updated, report.unlisted) == (0, 1, 0)
        assert report.complete
        assert ("file:r03", "Changed.") in target.texts()
        assert len(target.chunks) == 10

    def test_what_is_gone_is_removed_whatever_else_a_listing_lacks(self, ledger: Path) -> None:
        source, target = CountingSource(**texts(10)), Target()
        run(source, target, ledger)
        del source.files["r05"]
        source.unlisted = {"r03"}

        assert run(source, target, ledger).deleted == 1
        assert len(target.chunks) == 9

    @pytest.mark.parametrize(
        "error",
        [
            proxy_404(),
            ServerError("out of order", status=500),
            ForbiddenError("not you", status=403),
            ApiConnectionError("no connection"),
        ],
    )
    def test_what_cannot_be_asked_for_stays_and_is_named(
        self, ledger: Path, error: Exception
    ) -> None:
        source, target = CountingSource(**texts(10)), Target()
        run(source, target, ledger)
        source.unlisted, source.errors = {"r03"}, {"r03": error}

        report = run(source, target, ledger)

        assert (report.deleted, report.unconfirmed) == (0, ("r03",))
        assert len(target.chunks) == 10

    def test_an_api_that_finds_none_of_the_known_records_is_not_believed(
        self, ledger: Path
    ) -> None:
        source, target = CountingSource(**texts(10)), Target()
        run(source, target, ledger)
        source.unlisted = {"r03"}
        source.errors = dict.fromkeys(source.files, NotFoundError("gone", status=404))

        report = run(source, target, ledger)

        assert (report.deleted, report.unconfirmed) == (0, ("r03",))

    @pytest.mark.parametrize("state", [SyncState.ERROR, SyncState.DISABLED])
    def test_a_pipeline_that_does_not_work_loses_nothing(
        self, ledger: Path, state: SyncState
    ) -> None:
        source, target = CountingSource(**texts(10)), Target()
        run(source, target, ledger)
        del source.files["r03"]
        source.state = state

        assert run(source, target, ledger).unconfirmed == ("r03",)
        source.state = SyncState.IDLE
        assert run(source, target, ledger).deleted == 1

    def test_a_small_index_is_emptied_only_if_the_api_counts_nothing_more(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = CountingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.files.clear()
        with monkeypatch.context() as patch:
            patch.setattr(CountingSource, "count", 2)
            assert set(run(source, target, ledger).unconfirmed) == {"a", "b"}
        assert len(target.chunks) == 2

        assert run(source, target, ledger).deleted == 2

    def test_a_listing_that_is_too_short_is_read_once_more(self, ledger: Path) -> None:
        source, target = CountingSource(**texts(5)), Target()
        listing = source.iter_records

        def cut(integration: str, sync_type: str) -> Iterator[SyncedRecord]:
            records = list(listing(integration, sync_type))
            return iter(records[:2] if source.lists == 1 else records)

        source.iter_records = cut  # type: ignore[method-assign]

        report = run(source, target, ledger)

        assert (report.added, report.unlisted, source.lists) == (5, 0, 2)

    def test_a_dry_run_foretells_what_is_withheld_and_what_stays(self, ledger: Path) -> None:
        source, target = CountingSource(**texts(40)), Target()
        run(source, target, ledger)
        source.unlisted = {"r03"}
        asked = run(source, target, ledger, dry_run=True)
        for name in sorted(source.files)[:30]:
            del source.files[name]

        withheld = run(source, target, ledger, dry_run=True)
        allowed = run(source, target, ledger, dry_run=True, allow_deletions=True)

        assert (asked.deleted, asked.withheld) == (0, False)
        assert (withheld.deleted, withheld.withheld) == (30, True)
        assert (allowed.deleted, allowed.withheld) == (30, False)

    def test_one_that_stays_too_short_is_not_called_complete(self, ledger: Path) -> None:
        source, target = CountingSource(**texts(5)), Target()
        source.unlisted = {"r01", "r02"}

        report = run(source, target, ledger)

        assert (report.added, report.unlisted, report.complete) == (3, 2, False)

    def test_records_of_which_nothing_is_in_the_index_count_for_nothing(self, ledger: Path) -> None:
        unreadable = dict.fromkeys((f"x{number:02}" for number in range(30)), "%PDF-1.7 broken")
        source, target = CountingSource(**texts(30), **unreadable), Target()
        run(source, target, ledger)
        for name in unreadable:
            del source.files[name]

        report = run(source, target, ledger)

        assert (report.deleted, report.failed) == (0, ())


class TestSingleRecords:
    def test_the_guard_of_runs_holds_for_them(self, ledger: Path) -> None:
        source, target = ChangingSource(**texts(60)), Target()
        run(source, target, ledger)
        gone = sorted(source.files)[:25]
        for name in gone:
            del source.files[name]

        with pytest.raises(DeletionsWithheldError, match="25 of the 60"):
            apply(source, target, ledger, *gone)
        assert len(target.chunks) == 60
        assert apply(source, target, ledger, *gone, allow_deletions=True).deleted == 25

    def test_one_that_is_expected_stays_until_it_is_asked_for_again(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        del source.files["a"]

        first = apply(source, target, ledger, "a", expected={"a"})
        second = apply(source, target, ledger, "a")

        assert (first.deleted, first.unconfirmed, second.deleted) == (0, ("a",), 1)

    def test_an_api_that_finds_nothing_deletes_nothing(self, ledger: Path) -> None:
        source, target = CountingSource(**texts(5)), Target()
        run(source, target, ledger)
        source.errors = dict.fromkeys(source.files, NotFoundError("gone", status=404))

        report = apply(source, target, ledger, "r01", "r02")
        everything = apply(source, target, ledger, *source.files)

        assert report.unconfirmed == ("r01", "r02")
        assert len(everything.unconfirmed) == 5
        assert len(target.chunks) == 5

    def test_the_last_one_of_a_pipeline_can_go(self, ledger: Path) -> None:
        source, target = CountingSource(a="One."), Target()
        run(source, target, ledger)
        del source.files["a"]

        assert apply(source, target, ledger, "a").deleted == 1

    @pytest.mark.parametrize(
        "error",
        [
            InvalidIdentifierError("'..' cannot be used as a record id."),
            ForbiddenError("not this one", status=403),
            ServerError("out of order", status=500),
            proxy_404(),
        ],
    )
    def test_one_that_fails_is_put_aside_and_the_others_are_applied(
        self, ledger: Path, error: Exception
    ) -> None:
        source, target = CountingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        for name in "ab":
            source.write(name, "Changed.")
        source.errors = {"a": error}

        report = apply(source, target, ledger, "a", "b")

        assert (report.updated, [each.record_id for each in report.failed]) == (1, ["a"])
        assert str(error) in report.failed[0].reason
        assert target.texts() == {("file:a", "One."), ("file:b", "Changed.")}
        source.errors = {}
        assert run(source, target, ledger).failed == ()

    def test_what_hits_every_record_is_raised_and_nothing_is_put_aside(self, ledger: Path) -> None:
        source, target = CountingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.errors = dict.fromkeys("ab", ServerError("out of order", status=503))

        with pytest.raises(ServerError):
            apply(source, target, ledger, "a", "b")

        assert syncing(source, target, ledger).failures(**FILES) == []

    def test_a_lost_connection_is_raised_after_what_was_read_is_applied(self, ledger: Path) -> None:
        source, target = CountingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.write("b", "Changed.")
        source.errors = {"a": ApiConnectionError("no connection")}

        with pytest.raises(ApiConnectionError):
            apply(source, target, ledger, "a", "b")

        assert ("file:b", "Changed.") in target.texts()


class TestAnotherUser:
    @pytest.mark.parametrize("asked", [run, lambda *place: apply(*place, "a", "b")])
    def test_what_another_user_may_not_see_is_not_gone(self, ledger: Path, asked: Any) -> None:
        source, target = CountingSource(a="One.", b="Two."), Target()
        source.connected_user = "ann"
        run(source, target, ledger)
        other = CountingSource()
        other.connected_user = "bob"

        with pytest.raises(AnotherUserError, match=r"'ann'.*'bob'"):
            asked(other, target, ledger)

        assert len(target.chunks) == 2

    def test_a_rebuild_makes_the_index_that_users(self, ledger: Path) -> None:
        source, target = CountingSource(a="One."), Target()
        source.connected_user = "ann"
        run(source, target, ledger)
        source.connected_user = "bob"

        assert run(source, target, ledger, rebuild=True).updated == 1
        assert run(source, target, ledger).unchanged == 1

    def test_a_token_that_does_not_say_whose_it_is_changes_nothing(self, ledger: Path) -> None:
        source, target = CountingSource(a="One."), Target()
        source.connected_user = "ann"
        run(source, target, ledger)
        source.connected_user = None

        assert run(source, target, ledger).unchanged == 1


def test_a_cursor_goes_on_where_a_record_that_is_due_cannot_be_read(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = ResumableSource(a="One.", b="%PDF-1.7 broken"), Target()
    run(source, target, ledger)
    source.write("c", "Three.")

    def refused(record_id: str) -> SyncedRecord:
        raise ServerError("out of order", status=500)

    monkeypatch.setattr(source, "get_record", refused)

    report = run(source, target, ledger)

    assert (report.changes_only, report.added) == (True, 1)
    assert [each.record_id for each in report.failed] == ["b"]
