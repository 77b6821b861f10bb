"""With a cursor that stays valid, a run costs the change alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from managed_sync.errors import ApiConnectionError
from tests.support.index_target import Target
from tests.support.indexing import run, syncing
from tests.support.record_source import ChangingSource, ResumableSource


def test_the_next_run_goes_on_from_the_kept_cursor(any_ledger: str) -> None:
    source, target = ResumableSource(a="One.", b="Two."), Target()
    run(source, target, any_ledger)
    source.write("b", "Two, changed.")
    source.write("c", "Three.")

    report = run(source, target, any_ledger)
    run(source, target, any_ledger)

    assert source.cursors == [None, "2", "4"]
    assert (report.added, report.updated, report.unchanged) == (1, 1, 1)
    assert source.downloads == ["a", "b", "b", "c"]
    assert target.texts() == {
        ("file:a", "One."),
        ("file:b", "Two, changed."),
        ("file:c", "Three."),
    }


def test_deletions_are_found_by_the_full_comparison_every_so_often(ledger: Path) -> None:
    source, target = ResumableSource(a="One.", b="Two."), Target()
    run(source, target, ledger)
    del source.files["b"]

    assert run(source, target, ledger).deleted == 0
    sync = syncing(source, target, ledger, full_comparison_every=0)
    assert sync.run(integration="box", sync_type="files").deleted == 1
    assert target.texts() == {("file:a", "One.")}


def test_a_full_run_can_be_asked_for(ledger: Path) -> None:
    source, target = ResumableSource(a="One.", b="Two."), Target()
    run(source, target, ledger)
    del source.files["b"]

    assert run(source, target, ledger, full=True).deleted == 1


def test_a_cursor_that_is_not_taken_any_more_leads_to_a_full_comparison(ledger: Path) -> None:
    source, target = ResumableSource(a="One.", b="Two."), Target()
    run(source, target, ledger)
    source.forgotten.add("2")
    del source.files["b"]
    source.write("a", "One, changed.")

    report = run(source, target, ledger)

    assert source.cursors == [None, "2", None]
    assert (report.updated, report.deleted) == (1, 1)


def test_the_cursor_is_kept_only_after_all_before_it_is_done(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = ResumableSource(a="One."), Target()
    run(source, target, ledger)
    source.write("b", "Two.")
    with monkeypatch.context() as patch:
        patch.setattr(source, "download_content", broken)
        with pytest.raises(ApiConnectionError):
            run(source, target, ledger)

    assert run(source, target, ledger).added == 1
    assert source.cursors == [None, "1", "1"]


def test_a_record_that_failed_is_tried_again_though_it_did_not_change(ledger: Path) -> None:
    source, target = ResumableSource(a="One.", b="%PDF-1.7 broken"), Target()
    assert len(run(source, target, ledger).failed) == 1
    source.files["b"].text = "Readable now."

    assert run(source, target, ledger).failed == ()
    assert source.cursors == [None, "2"]
    assert ("file:b", "Readable now.") in target.texts()


def test_a_record_that_failed_and_is_gone_meanwhile_is_forgotten(ledger: Path) -> None:
    source, target = ResumableSource(a="One.", b="%PDF-1.7 broken"), Target()
    run(source, target, ledger)
    del source.files["b"]

    assert run(source, target, ledger).failed == ()


def test_a_rebuild_lists_everything(ledger: Path) -> None:
    source, target = ResumableSource(a="One."), Target()
    run(source, target, ledger)

    assert run(source, target, ledger, rebuild=True).chunks_embedded == 1
    assert source.cursors == [None, None]


def test_a_source_without_cursors_is_compared_as_a_whole(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)
    del source.files["a"]

    assert run(source, target, ledger).deleted == 1


def broken(record_id: str, *, max_bytes: int) -> None:
    raise ApiConnectionError("the connection broke")
