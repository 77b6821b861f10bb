"""Verification finds every disagreement of index, ledger and source, and mends it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError
from managed_sync.indexing import VerificationReport
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import from_scratch, run, syncing
from tests.support.record_source import ChangingSource


def verify(
    source: ChangingSource, target: Target, ledger: Path, **options: Any
) -> VerificationReport:
    return syncing(source, target, ledger).verify(integration="box", sync_type="files", **options)


@pytest.fixture
def source() -> ChangingSource:
    return ChangingSource(a="word " * 40, b="Two.", c="Three.")


@pytest.fixture
def target(source: ChangingSource, ledger: Path) -> AbleTarget:
    target = AbleTarget()
    run(source, target, ledger)
    return target


def test_what_agrees_is_said_to(source: ChangingSource, target: AbleTarget, ledger: Path) -> None:
    report = verify(source, target, ledger)

    assert report.agrees
    assert (report.records, report.chunks) == (3, 4)
    assert (report.missing_chunks, report.unknown_chunks, report.unfinished) == (0, 0, 0)


def test_chunks_that_are_missing_are_written_again_and_only_those(
    source: ChangingSource, target: AbleTarget, ledger: Path, tmp_path: Path
) -> None:
    lost = next(key for key, chunk in target.chunks.items() if chunk.object_id == "file:a")
    del target.chunks[lost]
    target.embedded.clear()

    found = verify(source, target, ledger)
    assert (found.agrees, found.missing_chunks, target.embedded) == (False, 1, [])
    assert verify(source, target, ledger, repair=True).repair is not None

    assert len(target.embedded) == 1
    assert target.contents() == from_scratch(source, tmp_path)
    assert verify(source, target, ledger).agrees


def test_chunks_that_nobody_knows_of_are_removed_if_so_told_and_those_of_others_stay(
    source: ChangingSource, target: AbleTarget, ledger: Path
) -> None:
    names = {"project_id": "p1", "integration": "box", "sync_type": "files"}
    stray = Chunk("stray", {"object_id": "file:x", "chunk_id": "stray", **names})
    other = Chunk("other", {"object_id": "file:y", "chunk_id": "other", **names, "sync_type": "x"})
    target.chunks |= {"stray": stray, "other": other}

    assert verify(source, target, ledger).unknown_chunks == 1
    verify(source, target, ledger, repair=True)
    assert "stray" in target.chunks
    verify(source, target, ledger, repair=True, remove_unknown=True)

    assert "stray" not in target.chunks
    assert "other" in target.chunks


def test_what_differs_from_the_source_is_counted_and_brought_up_to_date(
    source: ChangingSource, target: AbleTarget, ledger: Path, tmp_path: Path
) -> None:
    source.write("b", "Two, changed.")
    source.write("d", "Four.")
    del source.files["c"]

    found = verify(source, target, ledger)
    assert (found.source.added, found.source.updated, found.source.deleted) == (1, 1, 1)
    assert not found.agrees
    verify(source, target, ledger, repair=True)

    assert target.contents() == from_scratch(source, tmp_path)


def test_what_a_stopped_run_left_in_between_is_counted(
    source: ChangingSource, target: AbleTarget, ledger: Path
) -> None:
    for number in range(8):
        source.write(f"n{number}", f"New {number}.")
    target.calls, target.dies_at = 0, 1
    with suppress(IndexingError):
        run(source, target, ledger)
    target.dies_at = None

    assert verify(source, target, ledger).unfinished == 8, "a target that is down blames no record"
    verify(source, target, ledger, repair=True)
    assert verify(source, target, ledger).agrees


def test_a_store_that_cannot_say_what_it_holds_is_not_taken_for_good_or_bad(
    ledger: Path,
) -> None:
    source, target = ChangingSource(a="One."), Target()
    run(source, target, ledger)

    report = verify(source, target, ledger)

    assert (report.missing_chunks, report.unknown_chunks) == (None, None)
    assert report.agrees
