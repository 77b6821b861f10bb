"""A keyword index beside the store holds the same chunks, whatever stops or is lost."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from managed_sync import IndexSync, KeywordIndex
from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError, KeywordIndexError
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import keyword_contents as contents
from tests.support.indexing import syncing
from tests.support.lying_index import Liar, LyingIndex
from tests.support.record_source import ChangingSource

NAMES: Any = {"integration": "box", "sync_type": "files"}


class UnreadableTarget(AbleTarget):
    """One that says what it holds, and not with which text."""

    read = None  # type: ignore[assignment]


class FailingKeywords(KeywordIndex):
    """A keyword index that fails from a certain write on, before or after the write."""

    writes_left = 1_000
    fails_after_writing = False

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        self._write(lambda: super(FailingKeywords, self).upsert(chunks, present=present))

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self._write(lambda: super(FailingKeywords, self).delete(chunk_ids))

    def _write(self, write: Callable[[], None]) -> None:
        self.writes_left -= 1
        if self.writes_left >= 0 or self.fails_after_writing:
            write()
        if self.writes_left < 0:
            raise KeywordIndexError("disk full")


@pytest.fixture
def source() -> ChangingSource:
    texts = {f"r{number:02}": f"Text {number}, word{number}. " * 9 for number in range(12)}
    return ChangingSource(**texts)


@pytest.fixture
def keywords(tmp_path: Path) -> FailingKeywords:
    return FailingKeywords(tmp_path / "keywords.db")


def run(sync: IndexSync, **options: Any) -> Any:
    return sync.run(**NAMES, full=True, allow_deletions=True, **options)


def test_new_changed_and_removed_records_reach_both(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    assert contents(keywords) == target.contents()
    assert [hit.metadata["record_id"] for hit in keywords.search("word7", 1)] == ["r07"]

    source.write("r07", "Changed to elephants.")
    del source.files["r08"]
    run(sync)

    assert contents(keywords) == target.contents()
    assert keywords.search("word7 word8", 5) == []
    assert keywords.search("elephant", 5)


def test_new_metadata_reaches_both_without_embedding(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    target.embedded.clear()
    source.move("r01", "zebra")
    run(sync)

    assert target.embedded == []
    assert contents(keywords) == target.contents()
    assert keywords.search("word1", 1)[0].metadata["container_id"] == "folder:zebra"


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_keyword_index_that_fails_at_any_write_is_finished_by_the_next_run(
    source: ChangingSource, keywords: FailingKeywords, ledger: Path, writes: int, after: bool
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords, batch_size=10)
    for number in range(6):
        source.write(f"r{number:02}", f"Other {number}. " * 9)
    keywords.writes_left, keywords.fails_after_writing = writes, after
    with pytest.raises(IndexingError, match="disk full"):
        run(sync)
    source.write("r03", "Changed.")
    del source.files["r09"]
    keywords.writes_left = 1_000
    report = run(sync)

    assert not report.failed
    assert contents(keywords) == target.contents() == fresh(source, ledger)
    assert sync.verify(**NAMES).agrees


def test_a_record_that_is_removed_while_the_keyword_index_fails_is_removed_later(
    source: ChangingSource, keywords: FailingKeywords, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    del source.files["r03"]
    keywords.writes_left = 0
    with suppress(IndexingError):
        run(sync)
    assert keywords.search("word3", 1)
    keywords.writes_left = 1_000
    run(sync)

    assert keywords.search("word3", 1) == []
    assert contents(keywords) == target.contents()


@pytest.mark.parametrize("kind", [AbleTarget, UnreadableTarget, Target])
def test_it_is_filled_from_an_index_that_exists(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path, kind: type[Target]
) -> None:
    target = kind()
    run(syncing(source, target, ledger))
    loaded = len(source.downloads)
    target.embedded.clear()
    report = run(syncing(source, target, ledger, keywords=keywords))

    assert contents(keywords) == target.contents()
    assert not report.failed
    is_embedded_again, is_read_again = bool(target.embedded), len(source.downloads) > loaded
    # What the store returns is copied; otherwise the records are read again, and embedded only if
    # the store cannot change metadata alone.
    assert (is_embedded_again, is_read_again) == {
        AbleTarget: (False, False),
        UnreadableTarget: (False, True),
        Target: (True, True),
    }[kind]


def test_after_runs_without_it_nothing_old_is_found(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    run(syncing(source, target, ledger, keywords=keywords))
    source.write("r01", "Changed to elephants.")
    del source.files["r02"]
    run(syncing(source, target, ledger))
    target.embedded.clear()
    run(syncing(source, target, ledger, keywords=keywords))

    assert contents(keywords) == target.contents()
    assert keywords.search("word1 word2", 9) == []
    assert target.embedded == []


def lose_a_chunk(keywords: KeywordIndex, chunk: Chunk) -> None:
    keywords.delete([chunk.chunk_id])


def garble_a_text(keywords: KeywordIndex, chunk: Chunk) -> None:
    keywords.upsert([Chunk("garbled", chunk.metadata)])


def take_back_metadata(keywords: KeywordIndex, chunk: Chunk) -> None:
    keywords.upsert([Chunk(chunk.text, {**chunk.metadata, "title": "old"})])


def lose_the_file(keywords: KeywordIndex, chunk: Chunk) -> None:
    for file in keywords.path.parent.glob(f"{keywords.path.name}*"):
        file.unlink()


def lose_the_words(keywords: KeywordIndex, chunk: Chunk) -> None:
    with closing(sqlite3.connect(keywords.path)) as connection, connection:
        connection.execute("DELETE FROM postings")


@pytest.mark.parametrize(
    "fault", [lose_a_chunk, garble_a_text, take_back_metadata, lose_the_file, lose_the_words]
)
def test_verification_finds_every_fault_and_repairs_it_without_embedding(
    source: ChangingSource,
    keywords: KeywordIndex,
    ledger: Path,
    fault: Callable[[KeywordIndex, Chunk], None],
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    before = contents(keywords)
    assert sync.verify(**NAMES).keyword_differences == 0
    target.embedded.clear()
    fault(keywords, target.chunks[sorted(target.chunks)[5]])

    found = sync.verify(**NAMES)
    assert not found.agrees
    is_all_lost = fault in {lose_the_file, lose_the_words}
    assert found.keyword_differences == (len(before) if is_all_lost else 1)
    assert (found.missing_chunks, found.changed_chunks) == (0, 0)
    sync.verify(**NAMES, repair=True)

    assert contents(keywords) == before == target.contents()
    assert len(keywords.search("text", 100)) == len(before)
    assert sync.verify(**NAMES).agrees
    assert target.embedded == []


def test_chunks_that_only_the_keyword_index_holds_are_unknown_and_removed(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    names = {"project_id": "p1", **NAMES}
    stray = Chunk("stray", {"object_id": "file:x", "chunk_id": "stray", **names})
    others = [
        Chunk("other", {**stray.metadata, "chunk_id": "other", "sync_type": "x"}),
        Chunk("other", {**stray.metadata, "chunk_id": "p2", "project_id": "p2"}),
    ]
    keywords.upsert([stray, *others])

    assert sync.verify(**NAMES).unknown_chunks == 1
    run(sync)

    assert keywords.existing_ids(["stray", "other", "p2"]) == {"other", "p2"}
    assert sync.verify(**NAMES).agrees


def test_a_fault_of_the_store_is_repaired_as_without_a_keyword_index(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    target.embedded.clear()
    del target.chunks[sorted(target.chunks)[5]]

    found = sync.verify(**NAMES)
    assert (found.missing_chunks, found.keyword_differences) == (1, 0)
    sync.verify(**NAMES, repair=True)

    assert len(target.embedded) == 1
    assert contents(keywords) == target.contents()


def test_an_emptied_store_is_not_taken_for_a_reason_to_empty_the_other(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    before = contents(keywords)
    target.chunks.clear()

    with pytest.raises(IndexingError, match="rebuild=True"):
        run(sync)
    assert contents(keywords) == before
    run(sync, rebuild=True)

    assert contents(keywords) == target.contents() == before


def test_a_dry_run_writes_nothing(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    sync = syncing(source, AbleTarget(), ledger, keywords=keywords)
    sync.run(**NAMES, dry_run=True)
    sync.verify(**NAMES)
    assert not keywords.path.exists()


def test_a_single_record_reaches_both(
    source: ChangingSource, keywords: KeywordIndex, ledger: Path
) -> None:
    target = AbleTarget()
    sync = syncing(source, target, ledger, keywords=keywords)
    run(sync)
    source.write("r05", "Changed to elephants.")
    sync.apply(["r05"], **NAMES)

    assert contents(keywords) == target.contents()
    assert keywords.search("elephants", 1)


def test_a_text_is_embedded_once_however_often_its_keywords_are_tried(
    source: ChangingSource, keywords: FailingKeywords, ledger: Path
) -> None:
    index = LyingIndex(Liar(random.Random(1), share=0.0))
    writes = []

    class FailsFirst(FailingKeywords):
        def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
            writes.append(len(chunks))
            if len(writes) == 1:
                raise KeywordIndexError("database is locked")
            KeywordIndex.upsert(self, chunks, present=present)

    run(syncing(source, index, ledger, keywords=FailsFirst(keywords.path)))

    probes = 2
    assert len(index.embedded) - probes == len(index.rows)
    assert len(writes) == 2


def fresh(source: ChangingSource, ledger: Path) -> dict[str, tuple[str, Mapping[str, Any]]]:
    target = Target()
    run(syncing(source, target, ledger.with_name("fresh.db")))
    return target.contents()
