"""Each run asks the index what it holds; what was lost or restored is noticed and put right."""

from __future__ import annotations

import random
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError, SettingsChangedError
from managed_sync.indexing import IndexSync, VerificationReport
from tests.support.indexing import from_scratch, syncing
from tests.support.lying_index import Liar, LyingIndex
from tests.support.record_source import ChangingSource

NAMES: Any = {"integration": "box", "sync_type": "files"}


@pytest.fixture
def source() -> ChangingSource:
    return ChangingSource(**{f"r{number:02}": f"Text {number}. " * 9 for number in range(12)})


@pytest.fixture
def index(source: ChangingSource, ledger: Path) -> LyingIndex:
    """An honest one that holds the source."""
    made = LyingIndex(Liar(random.Random(1), share=0.0))
    run(source, made, ledger)
    made.embedded.clear()
    return made


def run(source: ChangingSource, index: LyingIndex, ledger: Path, **options: Any) -> Any:
    return sync_of(source, index, ledger).run(**NAMES, **options)


def sync_of(source: ChangingSource, index: LyingIndex, ledger: Path) -> IndexSync:
    return syncing(source, index, ledger)


def verify(
    source: ChangingSource, index: LyingIndex, ledger: Path, **options: Any
) -> VerificationReport:
    return sync_of(source, index, ledger).verify(**NAMES, **options)


def is_fresh(index: LyingIndex, source: ChangingSource, folder: Path) -> bool:
    fresh = from_scratch(source, folder)
    expected = sorted((key, text, dict(metadata)) for key, (text, metadata) in fresh.items())
    return index.contents() == expected


def lose_a_row(index: LyingIndex) -> None:
    del index.rows[3]


def double_a_row(index: LyingIndex) -> None:
    index.rows.append(index.rows[3])


def take_back_metadata(index: LyingIndex) -> None:
    chunk, vector = index.rows[3]
    index.rows[3] = (Chunk(chunk.text, {**chunk.metadata, "title": "old"}), vector)


def garble_a_text(index: LyingIndex) -> None:
    chunk, vector = index.rows[3]
    index.rows[3] = (Chunk("garbled", chunk.metadata), vector)


def add_a_stray(index: LyingIndex) -> None:
    chunk, vector = index.rows[3]
    index.rows.append((Chunk("stray", {**chunk.metadata, "chunk_id": "stray"}), vector))


FAULTS = [lose_a_row, double_a_row, take_back_metadata, garble_a_text, add_a_stray]


@pytest.mark.parametrize("fault", FAULTS)
def test_verification_finds_and_repairs_it(
    source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path, fault: Any
) -> None:
    fault(index)

    found = verify(source, index, ledger)
    verify(source, index, ledger, repair=True)

    counts = {
        lose_a_row: found.missing_chunks,
        double_a_row: found.duplicate_chunks,
        take_back_metadata: found.changed_chunks,
        garble_a_text: found.changed_chunks,
        add_a_stray: found.unknown_chunks,
    }
    assert counts.pop(fault) == 1
    assert found.index_disagrees
    assert not found.agrees
    assert is_fresh(index, source, tmp_path)
    assert verify(source, index, ledger).agrees


@pytest.mark.parametrize("fault", [lose_a_row, double_a_row, add_a_stray])
def test_an_ordinary_run_notices_another_number_of_chunks(
    source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path, fault: Any
) -> None:
    fault(index)

    run(source, index, ledger)

    assert is_fresh(index, source, tmp_path)
    written = [text for text in index.embedded if "quick brown" not in text]
    assert len(written) <= 1, "only what was lost is embedded again"


def test_an_ordinary_run_notices_a_store_restored_from_before_a_rename(
    source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path
) -> None:
    before = index.backup()
    for name in source.files:
        source.move(name, "elsewhere")
    run(source, index, ledger)
    index.rows = before
    index.embedded.clear()

    run(source, index, ledger)

    assert is_fresh(index, source, tmp_path)
    assert [text for text in index.embedded if "Text" in text] == [], "metadata needs no vectors"


def test_an_older_ledger_is_brought_up_to_what_the_index_holds(
    source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path
) -> None:
    copy(ledger, tmp_path / "backup.db")
    source.write("new", "A new text.")
    source.write("r03", "Edited.")
    run(source, index, ledger)
    copy(tmp_path / "backup.db", ledger)
    source.write("new", "A new text, edited.")
    source.write("r03", "Edited once more.")

    run(source, index, ledger)

    assert is_fresh(index, source, tmp_path)


def test_without_its_ledger_an_index_is_taken_over_as_far_as_the_api_lists_it(
    source: ChangingSource, index: LyingIndex, tmp_path: Path
) -> None:
    gone = {chunk.chunk_id for chunk, _ in index.rows if chunk.object_id == "file:r00"}
    del source.files["r00"]
    source.write("r01", "Edited.")
    ledger = tmp_path / "new.db"

    run(source, index, ledger)
    verify(source, index, ledger, repair=True)
    assert index.existing_ids(gone) == gone, "nobody knows whether another ledger has them"
    verify(source, index, ledger, repair=True, remove_unknown=True)

    assert is_fresh(index, source, tmp_path)
    assert verify(source, index, ledger).agrees


def test_where_much_is_missing_the_run_says_what_to_do_and_changes_nothing(
    ledger: Path, tmp_path: Path
) -> None:
    source = ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(60)})
    index = LyingIndex(Liar(random.Random(1), share=0.0))
    run(source, index, ledger)
    del index.rows[20:]

    with pytest.raises(IndexingError, match=r"lacks 40 of 60 chunks.*verify --repair"):
        run(source, index, ledger)

    assert len(index.rows) == 20
    verify(source, index, ledger, repair=True)
    assert is_fresh(index, source, tmp_path)


def test_vectors_of_another_model_are_found_by_verification(
    source: ChangingSource, index: LyingIndex, ledger: Path
) -> None:
    assert verify(source, index, ledger).wrong_vectors == 0
    index.rows = [(chunk, [1.0, 0.0, 0.0, 0.0]) for chunk, _ in index.rows]

    assert (verify(source, index, ledger).wrong_vectors or 0) > 0


class TestOneThatCannotBeDeleted:
    def test_it_stays_in_the_ledger_and_is_tried_again_while_the_rest_goes_on(
        self, source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path
    ) -> None:
        locked = next(chunk.chunk_id for chunk, _ in index.rows if chunk.object_id == "file:r03")
        unlocked = index.delete
        refusals = []

        def delete(chunk_ids: Any) -> None:
            if locked in chunk_ids:
                refusals.append(locked)
                raise PermissionError("the row is locked")
            unlocked(chunk_ids)

        index.delete = delete  # type: ignore[method-assign]
        for name in source.files:
            source.write(name, f"Edited {name}.")

        report = run(source, index, ledger)
        assert (report.updated, len(report.failed)) == (11, 1)
        assert "Old passages of r03.txt could not be removed" in report.failed[0].reason
        assert "the row is locked" in report.failed[0].reason
        embedded = len(index.embedded)
        run(source, index, ledger)
        written = [text for text in index.embedded[embedded:] if "quick brown" not in text]
        assert written == [], "nothing is paid for twice"

        index.delete = unlocked  # type: ignore[method-assign]
        assert run(source, index, ledger, full=True).failed == ()
        assert is_fresh(index, source, tmp_path)

    def test_a_record_that_is_gone_is_tried_again_until_it_is_removed(
        self, source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path
    ) -> None:
        unlocked = index.delete

        def delete(chunk_ids: Any) -> None:
            held = index.existing_ids(chunk_ids)
            if any(one.object_id == "file:r03" for one, _ in index.rows if one.chunk_id in held):
                raise PermissionError("the row is locked")
            unlocked(chunk_ids)

        index.delete = delete  # type: ignore[method-assign]
        for name in ("r02", "r03", "r04"):
            del source.files[name]

        report = run(source, index, ledger)

        assert report.deleted == 2
        assert ["r03.txt could not be removed" in one.reason for one in report.failed] == [True]
        index.delete = unlocked  # type: ignore[method-assign]
        assert run(source, index, ledger).deleted == 1
        assert is_fresh(index, source, tmp_path)

    def test_a_record_that_comes_back_before_it_was_forgotten_is_written_again(
        self, source: ChangingSource, index: LyingIndex, ledger: Path, tmp_path: Path
    ) -> None:
        file = source.files.pop("r03")
        unlocked = index.delete

        def delete_and_die(chunk_ids: Any) -> None:
            unlocked(chunk_ids)
            raise KeyboardInterrupt

        index.delete = delete_and_die  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            run(source, index, ledger)
        index.delete = unlocked  # type: ignore[method-assign]
        source.files["r03"] = file

        run(source, index, ledger)

        assert is_fresh(index, source, tmp_path)


class TestManyThatAreRefused:
    def test_sixty_in_a_row_keep_nothing_else_from_the_index(self, ledger: Path) -> None:
        bad = {f"a{number:02}": f"poison {number}" for number in range(60)}
        good = {f"b{number:02}": f"Good {number}." for number in range(60)}
        source, index = ChangingSource(**bad, **good), LyingIndex(Liar(random.Random(1), share=0.0))
        index.poison = lambda text: "poison" in text

        report = run(source, index, ledger)

        assert (report.added, len(report.failed)) == (60, 60)
        assert all("does not like" in failure.reason for failure in report.failed)
        texts = [text for text in index.embedded if "quick brown" not in text]
        assert len(texts) == len(set(texts)) == 120, "each text was embedded once"
        assert len(index.rows) == 60, "the chunk that tries the index is gone"

    def test_an_index_that_takes_nothing_is_out_of_order_and_no_record_is_blamed(
        self, ledger: Path, tmp_path: Path
    ) -> None:
        source, index = (
            ChangingSource(a="One.", b="Two."),
            LyingIndex(Liar(random.Random(1), share=0.0)),
        )
        index.poison = lambda text: True

        with pytest.raises(IndexingError, match="could not be written to"):
            run(source, index, ledger)

        index.poison = lambda text: False
        report = run(source, index, ledger)
        assert report.failed == ()
        assert is_fresh(index, source, tmp_path)

    def test_an_index_that_takes_few_at_once_gets_few_at_once(self, ledger: Path) -> None:
        source = ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(64)})
        index = LyingIndex(Liar(random.Random(1), share=0.0))
        sizes, write = [], index.write

        def write_few(chunks: Any, *rest: Any) -> None:
            sizes.append(len(chunks))
            if len(chunks) > 4:
                raise ValueError("at most 4 rows in a request")
            write(chunks, *rest)

        index.write = write_few  # type: ignore[assignment, method-assign]

        report = syncing(source, index, ledger, batch_size=16).run(**NAMES)

        assert (report.added, report.failed) == (64, ())
        assert max(sizes[-12:]) == 4, "it is not asked again for more at once"


class TestTheEmbeddingModel:
    def test_another_model_of_the_same_name_is_noticed(
        self, source: ChangingSource, index: LyingIndex, ledger: Path
    ) -> None:
        index.model.vectors = lambda texts: [[1.0, 2.0, 3.0, 4.0] for _ in texts]  # type: ignore[method-assign]

        with pytest.raises(SettingsChangedError, match="another vector for the same text"):
            run(source, index, ledger)

    def test_a_model_that_differs_by_a_hair_is_the_same(
        self, source: ChangingSource, index: LyingIndex, ledger: Path
    ) -> None:
        real = index.model.vectors
        index.model.vectors = lambda texts: [  # type: ignore[method-assign]
            [value + 1e-4 for value in vector] for vector in real(texts)
        ]

        assert run(source, index, ledger).unchanged == 12

    def test_a_model_that_is_away_stops_no_run_that_needs_it_not(
        self, source: ChangingSource, index: LyingIndex, ledger: Path
    ) -> None:
        def fail(_: Any) -> Any:
            raise ConnectionError("away")

        index.model.vectors = fail  # type: ignore[assignment, method-assign]

        assert run(source, index, ledger).unchanged == 12
