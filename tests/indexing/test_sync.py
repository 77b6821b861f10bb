"""The index after a run equals the source, whatever happened before."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from managed_sync import IndexSync, SyncedRecord
from managed_sync.documents import Chunk, Chunker
from managed_sync.errors import ApiConnectionError, IndexingError
from managed_sync.models import FileContent


class Source:
    """A pipeline of text files that tests change at will."""

    project_id = "p1"

    def __init__(self, **texts: str) -> None:
        self.texts = dict(texts)
        self.downloads: list[str] = []
        self.breaks_after: int | None = None

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        for position, (name, text) in enumerate(sorted(self.texts.items())):
            if position == self.breaks_after:
                raise ApiConnectionError("the connection broke")
            yield SyncedRecord(
                id=name,
                integration=integration,
                sync_type=sync_type,
                data={"name": f"{name}.txt", "mimeType": "text/plain", "digest": hash(text)},
            )

    def download_content(self, record_id: str) -> FileContent:
        self.downloads.append(record_id)
        return FileContent(data=self.texts[record_id].encode(), content_type="text/plain")


class Target:
    """An index in memory that can fail at its n-th call, before or after it did its work."""

    def __init__(self) -> None:
        self.chunks: dict[str, Chunk] = {}
        self.fail_at: int | None = None
        self.calls = 0

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        assert present <= {chunk.chunk_id for chunk in chunks}
        self._count()
        self.chunks |= {chunk.chunk_id: chunk for chunk in chunks}
        self._count()

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self._count()
        for chunk_id in chunk_ids:
            self.chunks.pop(chunk_id, None)
        self._count()

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.fail_at:
            raise OSError("disk full")

    def texts(self) -> set[tuple[str, str]]:
        return {(chunk.object_id, chunk.text) for chunk in self.chunks.values()}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


def run(source: Source, target: Target, ledger: Path) -> Any:
    sync = IndexSync(source, target, ledger, chunker=Chunker(20, 0))
    return sync.run(integration="box", sync_type="files")


def from_scratch(source: Source, folder: Path) -> set[tuple[str, str]]:
    target = Target()
    run(source, target, folder / "scratch.db")
    return target.texts()


def test_the_first_run_indexes_everything_and_the_next_one_nothing(ledger: Path) -> None:
    source, target = Source(a="One.", b="Two."), Target()

    first = run(source, target, ledger)
    second = run(source, target, ledger)

    assert (first.added, first.unchanged, first.chunks_written) == (2, 0, 2)
    assert (second.added, second.updated, second.unchanged, second.chunks_written) == (0, 0, 2, 0)
    assert source.downloads == ["a", "b"]
    assert target.texts() == {("file:a", "One."), ("file:b", "Two.")}


def test_what_changed_is_indexed_again_and_its_old_chunks_are_gone(ledger: Path) -> None:
    source, target = Source(a="Old words here.", b="Two."), Target()
    run(source, target, ledger)
    source.texts["a"] = "New words."

    report = run(source, target, ledger)

    assert (report.updated, report.unchanged) == (1, 1)
    assert target.texts() == {("file:a", "New words."), ("file:b", "Two.")}


def test_what_is_gone_from_the_source_is_gone_from_the_index(ledger: Path) -> None:
    source, target = Source(a="One.", b="Two."), Target()
    run(source, target, ledger)
    del source.texts["b"]

    assert run(source, target, ledger).deleted == 1
    assert target.texts() == {("file:a", "One.")}


def test_a_listing_that_breaks_off_removes_nothing(ledger: Path) -> None:
    source, target = Source(a="One.", b="Two."), Target()
    run(source, target, ledger)
    source.breaks_after = 1

    with pytest.raises(ApiConnectionError):
        run(source, target, ledger)

    assert target.texts() == {("file:a", "One."), ("file:b", "Two.")}


def test_a_record_that_cannot_be_read_keeps_its_old_chunks_and_is_tried_again(
    ledger: Path,
) -> None:
    source, target = Source(a="One.", b="Two."), Target()
    run(source, target, ledger)
    source.texts["a"] = "%PDF-1.7 broken"
    source.texts["b"] = "Two, changed."
    original = source.download_content

    def as_pdf(record_id: str) -> FileContent:
        content = original(record_id)
        kind = "application/pdf" if record_id == "a" else "text/plain"
        return content.model_copy(update={"content_type": kind})

    source.download_content = as_pdf  # type: ignore[method-assign]
    report = run(source, target, ledger)

    assert [failure.record_id for failure in report.failed] == ["a"]
    assert target.texts() == {("file:a", "One."), ("file:b", "Two, changed.")}

    source.download_content = original  # type: ignore[method-assign]
    source.texts["a"] = "Mended."
    assert run(source, target, ledger).updated == 1
    assert target.texts() == {("file:a", "Mended."), ("file:b", "Two, changed.")}


def test_a_record_that_became_empty_is_not_found_any_more(ledger: Path) -> None:
    source, target = Source(a="One.", b="Two."), Target()
    run(source, target, ledger)
    source.texts["a"] = " \n"

    report = run(source, target, ledger)

    assert [failure.record_id for failure in report.failed] == ["a"]
    assert target.texts() == {("file:b", "Two.")}


def test_pipelines_in_one_ledger_do_not_touch_each_other(ledger: Path) -> None:
    box, drive, target = Source(a="One."), Source(b="Two."), Target()
    run(box, target, ledger)
    IndexSync(drive, target, ledger).run(integration="drive", sync_type="files")

    assert run(box, target, ledger).deleted == 0
    assert target.texts() == {("file:a", "One."), ("file:b", "Two.")}


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_stops_anywhere_is_finished_by_the_next_one(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    source, target = Source(), Target()
    ledger = tmp_path / "ledger.db"
    for _ in range(12):
        for _ in range(3):
            name = chance.choice("abcdef")
            if chance.random() < 0.3:
                source.texts.pop(name, None)
            else:
                words = chance.choices(["red", "green", "blue", "grey"], k=chance.randint(1, 60))
                source.texts[name] = " ".join(words)
        target.calls, target.fail_at = 0, chance.randint(1, 12)
        with suppress(IndexingError):
            run(source, target, ledger)
    target.fail_at = None

    run(source, target, ledger)

    assert target.texts() == from_scratch(source, tmp_path)


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    ledger.write_bytes(b"something else entirely" * 100)

    with pytest.raises(IndexingError, match=r"ledger\.db"):
        run(Source(), Target(), ledger)
