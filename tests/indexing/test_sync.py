"""The index after a run equals the source, whatever happened before."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from managed_sync import IndexReport
from managed_sync.documents import DocumentLoader
from managed_sync.errors import (
    ApiConnectionError,
    ConfigurationError,
    DeletionsWithheldError,
    IndexingError,
    ManagedSyncError,
)
from managed_sync.indexing import IndexProgress
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import from_scratch, run, syncing
from tests.support.record_source import ChangingSource


def test_the_first_run_indexes_everything_and_the_next_one_nothing(any_ledger: str) -> None:
    source, target = ChangingSource(a="One.", b="Two."), Target()

    first = run(source, target, any_ledger)
    second = run(source, target, any_ledger)

    assert (first.added, first.unchanged, first.chunks_embedded, first.bytes) == (2, 0, 2, 10)
    assert (second.added, second.updated, second.unchanged, second.chunks_embedded) == (0, 0, 2, 0)
    assert source.downloads == ["a", "b"]
    assert target.texts() == {("file:a", "One."), ("file:b", "Two.")}


def test_what_changed_is_indexed_again_and_its_old_chunks_are_gone(any_ledger: str) -> None:
    source, target = ChangingSource(a="Old words here.", b="Two."), Target()
    run(source, target, any_ledger)
    source.write("a", "New words.")

    report = run(source, target, any_ledger)

    assert (report.updated, report.unchanged) == (1, 1)
    assert source.downloads == ["a", "b", "a"]
    assert target.texts() == {("file:a", "New words."), ("file:b", "Two.")}


def test_what_is_gone_from_the_source_is_gone_from_the_index(any_ledger: str) -> None:
    source, target = ChangingSource(a="One.", b="Two."), Target()
    run(source, target, any_ledger)
    del source.files["b"]

    assert run(source, target, any_ledger).deleted == 1
    assert target.texts() == {("file:a", "One.")}


def test_a_listing_that_breaks_off_removes_nothing(ledger: Path) -> None:
    source, target = ChangingSource(a="One.", b="Two."), Target()
    run(source, target, ledger)
    source.breaks_after = 1

    with pytest.raises(ApiConnectionError):
        run(source, target, ledger)

    assert target.texts() == {("file:a", "One."), ("file:b", "Two.")}


def test_a_record_that_is_listed_twice_is_indexed_once(ledger: Path) -> None:
    source, target = ChangingSource(a="One.", b="Two."), Target()
    once = source.iter_records
    source.iter_records = lambda *names: [*once(*names), *once(*names)]  # type: ignore[method-assign, assignment]

    report = run(source, target, ledger)

    assert (report.added, source.downloads) == (2, ["a", "b"])


def test_what_waits_to_be_tried_again_is_not_counted_as_unchanged(ledger: Path) -> None:
    source, target = ChangingSource(a="One.", b="%PDF-1.7 broken"), Target()
    run(source, target, ledger)
    run(source, target, ledger)

    report = run(source, target, ledger)
    looked = run(source, target, ledger, dry_run=True)

    assert (report.unchanged, len(report.failed)) == (1, 1)
    assert (looked.unchanged, looked.updated, len(looked.failed)) == (1, 0, 1)


class TestRecordsOfOneObject:
    """Such as attachments, whose access is that of the page that they hang on."""

    def run(self, source: ChangingSource, target: Target, ledger: Path) -> IndexReport:
        loader = DocumentLoader(source, object_id=lambda record: "page:1")
        sync = syncing(source, target, ledger, loader=loader)
        return sync.run(integration="box", sync_type="files")

    def test_equal_texts_are_both_in_the_index(self, ledger: Path) -> None:
        source, target = ChangingSource(a="The same.", b="The same."), Target()

        self.run(source, target, ledger)

        assert [each.metadata["record_id"] for each in target.chunks.values()] == ["a", "b"]

    def test_one_that_goes_leaves_the_other_where_it_is(self, ledger: Path) -> None:
        source, target = ChangingSource(a="The same.", b="The same."), Target()
        self.run(source, target, ledger)
        del source.files["a"]

        assert self.run(source, target, ledger).deleted == 1
        assert [each.metadata["record_id"] for each in target.chunks.values()] == ["b"]

    def test_an_edit_that_makes_them_equal_or_different_touches_one(self, ledger: Path) -> None:
        source, target = ChangingSource(a="The same.", b="Another."), Target()
        self.run(source, target, ledger)
        for text in ("The same.", "Another."):
            source.write("b", text)
            self.run(source, target, ledger)

        assert target.texts() == {("page:1", "The same."), ("page:1", "Another.")}

    def test_ids_do_not_depend_on_the_order_of_runs(self, ledger: Path, tmp_path: Path) -> None:
        source, target = ChangingSource(b="The same."), Target()
        self.run(source, target, ledger)
        source.write("a", "The same.")
        self.run(source, target, ledger)
        fresh = Target()
        self.run(source, fresh, tmp_path / "another.db")

        assert fresh.contents() == target.contents()


class TestOnlyWhatChanged:
    def test_chunks_with_the_same_text_are_not_embedded_again(self, ledger: Path) -> None:
        source, target = (
            ChangingSource(a="# One\n\nFirst part.\n\n# Two\n\nSecond part."),
            AbleTarget(),
        )
        source.files["a"].text = f"{'word ' * 18}\n\n# Two\n\n{'part ' * 15}"
        run(source, target, ledger)
        target.embedded.clear()
        source.write("a", f"{'ward ' * 18}\n\n# Two\n\n{'part ' * 15}")

        report = run(source, target, ledger)

        assert (report.updated, report.chunks_embedded, report.chunks_reused) == (1, 1, 1)
        assert all("ward" in text for text in target.embedded)

    def test_what_is_reused_has_the_metadata_of_today(self, ledger: Path, tmp_path: Path) -> None:
        source, target = ChangingSource(a=f"{'word ' * 18}\n\n{'part ' * 18}"), AbleTarget()
        run(source, target, ledger)
        source.write("a", f"{'longer ' * 30}\n\n{'part ' * 18}")
        run(source, target, ledger)

        assert target.updated > 0
        assert target.contents() == from_scratch(source, tmp_path)

    def test_a_move_updates_the_container_without_embedding(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One."), AbleTarget()
        run(source, target, ledger)
        target.embedded.clear()
        source.move("a", "elsewhere")

        report = run(source, target, ledger)

        (chunk,) = target.chunks.values()
        assert chunk.metadata["container_id"] == "folder:elsewhere"
        assert (target.embedded, report.chunks_reused, report.updated) == ([], 1, 1)

    def test_an_index_that_cannot_change_metadata_embeds_a_moved_record_again(
        self, ledger: Path
    ) -> None:
        source, target = ChangingSource(a="One."), Target()
        run(source, target, ledger)
        source.move("a", "elsewhere")
        run(source, target, ledger)

        (chunk,) = target.chunks.values()
        assert chunk.metadata["container_id"] == "folder:elsewhere"
        assert target.embedded == ["One.", "One."]

    @pytest.mark.parametrize("target", [Target(), AbleTarget()])
    def test_a_change_of_permissions_alone_touches_nothing(
        self, ledger: Path, target: Target
    ) -> None:
        source = ChangingSource(a="One.")
        run(source, target, ledger)
        before = target.calls
        source.files["a"].viewers = ("carol@harbor.example",)

        report = run(source, target, ledger)

        assert (report.unchanged, source.downloads, target.calls) == (1, ["a"], before)

    def test_a_file_without_a_date_is_downloaded_and_compared_by_its_content(
        self, ledger: Path
    ) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        source.says_when = False
        run(source, target, ledger)
        source.files["b"].text = "Two, changed."

        report = run(source, target, ledger)

        assert (report.updated, report.unchanged, report.chunks_embedded) == (1, 1, 1)
        assert source.downloads == ["a", "b", "a", "b"]
        assert target.texts() == {("file:a", "One."), ("file:b", "Two, changed.")}


class TestRecordsThatCannotBeRead:
    def test_they_keep_their_old_chunks_and_are_tried_again(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.write("a", "%PDF-1.7 broken")
        source.write("b", "Two, changed.")

        report = run(source, target, ledger)

        assert [failure.record_id for failure in report.failed] == ["a"]
        assert "a.txt" in report.failed[0].reason
        assert target.texts() == {("file:a", "One."), ("file:b", "Two, changed.")}

        source.files["a"].text = "Mended."
        assert run(source, target, ledger).updated == 1
        assert target.texts() == {("file:a", "Mended."), ("file:b", "Two, changed.")}

    def test_they_are_not_tried_at_every_run_but_reported_at_every_run(self, ledger: Path) -> None:
        source, target = ChangingSource(a="%PDF-1.7 broken"), Target()

        reports = [run(source, target, ledger) for _ in range(5)]

        assert source.downloads == ["a", "a"], "at once, and then only after a minute"
        assert [report.failed[0].attempts for report in reports] == [1, 2, 2, 2, 2]
        run(source, target, ledger, full=True)
        assert len(source.downloads) == 3, "a full run does not wait"
        source.write("a", "Mended.")
        assert run(source, target, ledger).added == 1

    def test_one_that_became_empty_is_not_found_any_more(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.write("a", " \n")

        report = run(source, target, ledger)

        assert ([each.record_id for each in report.skipped], report.failed) == (["a"], ())
        assert target.texts() == {("file:b", "Two.")}


class TestDeletions:
    def full(self, ledger: Path, count: int = 60) -> tuple[ChangingSource, Target]:
        source = ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(count)})
        target = Target()
        run(source, target, ledger)
        return source, target

    def test_a_listing_that_shrank_too_much_deletes_nothing_and_says_what_and_how(
        self, ledger: Path
    ) -> None:
        source, target = self.full(ledger)
        for number in range(20):
            del source.files[f"r{number:02}"]
        source.write("new", "New.")

        with pytest.raises(DeletionsWithheldError) as caught:
            run(source, target, ledger)

        assert (caught.value.count, caught.value.report.added) == (20, 1)
        for word in ("20 of the 61", "r00.txt", "--allow-deletions", "allow_deletions=True"):
            assert word in str(caught.value)
        assert len(target.chunks) == 61

        assert run(source, target, ledger, allow_deletions=True).deleted == 20
        assert len(target.chunks) == 41

    def test_fewer_than_twenty_or_a_smaller_share_are_deleted(self, ledger: Path) -> None:
        source, target = self.full(ledger, 30)
        for number in range(19):
            del source.files[f"r{number:02}"]

        assert run(source, target, ledger).deleted == 19

    def test_the_share_can_be_set(self, ledger: Path) -> None:
        source, target = self.full(ledger)
        for number in range(20):
            del source.files[f"r{number:02}"]
        sync = syncing(source, target, ledger, most_deletions=0.5)

        assert sync.run(integration="box", sync_type="files").deleted == 20

    @pytest.mark.parametrize(
        "wrong", [{"most_deletions": 1.5}, {"batch_size": 0}, {"full_comparison_every": -1}]
    )
    def test_a_number_that_makes_no_sense_is_refused(
        self, ledger: Path, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            syncing(ChangingSource(), Target(), ledger, **wrong)


def test_a_parser_reads_the_files_unless_the_caller_has_a_loader(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()

    def shouting(data: bytes, *, content_type: str, filename: str) -> str:
        return data.decode().upper()

    syncing(source, target, ledger, parser=shouting).run(integration="box", sync_type="files")

    assert target.texts() == {("file:a", "ONE.")}
    with pytest.raises(ConfigurationError, match="either loader or parser"):
        syncing(source, target, ledger, parser=shouting, loader=DocumentLoader(source))


class TestTheIndexFails:
    def test_one_chunk_that_it_does_not_take_does_not_lose_the_rest(self, ledger: Path) -> None:
        texts = {f"r{number:03}": f"Text {number}." for number in range(300)}
        source, target = ChangingSource(**{**texts, "r100": "A poisonous text."}), Target()
        target.refuses = lambda text: "poison" in text

        report = run(source, target, ledger)

        assert [failure.record_id for failure in report.failed] == ["r100"]
        assert "the model does not like this text" in report.failed[0].reason
        assert (report.added, len(target.chunks)) == (299, 299)

    def test_the_other_chunks_of_the_same_record_are_there_and_the_next_run_adds_the_one(
        self, ledger: Path, tmp_path: Path
    ) -> None:
        text = "\n\n".join(f"# Part {word}\n\n{word * 14}" for word in ("one ", "bad ", "two "))
        source, target = ChangingSource(a=text), Target()
        target.refuses = lambda text: "bad" in text

        assert len(run(source, target, ledger).failed) == 1
        assert len(target.chunks) == 2
        target.refuses = lambda text: False
        target.embedded.clear()
        run(source, target, ledger)

        assert [text for text in target.embedded if "bad" not in text] == []
        assert target.contents() == from_scratch(source, tmp_path)

    def test_the_old_chunks_stay_until_the_new_ones_are_written(self, ledger: Path) -> None:
        source, target = ChangingSource(a="Old."), Target()
        run(source, target, ledger)
        source.write("a", "New and poisonous.")
        target.refuses = lambda text: "poison" in text
        run(source, target, ledger)

        assert target.texts() == {("file:a", "Old.")}
        target.refuses = lambda text: False
        run(source, target, ledger)
        assert target.texts() == {("file:a", "New and poisonous.")}

    def test_records_that_it_never_takes_do_not_keep_others_from_the_index(
        self, ledger: Path
    ) -> None:
        texts = {f"r{number:03}": f"Text {number}." for number in range(50)}
        poison = {f"a{number}": f"A poisonous text {number}." for number in range(12)}
        source, target = ChangingSource(**texts, **poison), Target()
        target.refuses = lambda text: "poison" in text

        for _ in range(5):
            with suppress(IndexingError):
                run(source, target, ledger)

        assert len(target.chunks) == 50
        assert len(run(source, target, ledger).failed) == 12

    def test_a_target_that_is_down_stops_the_run_soon_and_loses_nothing(
        self, ledger: Path, tmp_path: Path
    ) -> None:
        source = ChangingSource(**{f"r{number:03}": f"Text {number}." for number in range(500)})
        target = Target(dies_at=1)

        with pytest.raises(IndexingError, match="disk full"):
            run(source, target, ledger)

        assert target.calls < 100
        target.dies_at = None
        run(source, target, ledger)
        assert target.contents() == from_scratch(source, tmp_path)

    def test_an_index_that_is_not_the_one_the_ledger_tells_of_is_noticed(
        self, ledger: Path
    ) -> None:
        source = ChangingSource(a="One.")
        run(source, AbleTarget(), ledger)
        emptied = AbleTarget()

        with pytest.raises(IndexingError, match=r"holds nothing of box files.*--rebuild"):
            run(source, emptied, ledger)

        assert run(source, emptied, ledger, rebuild=True).chunks_embedded == 1


class TestDryRun:
    def test_it_says_what_would_change_and_changes_nothing(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two.", c="Three."), Target()
        run(source, target, ledger)
        source.write("b", "Two, changed.")
        source.write("d", "Four.")
        del source.files["c"]
        downloads, calls = list(source.downloads), target.calls

        report = run(source, target, ledger, dry_run=True)

        assert report.dry_run
        assert (report.added, report.updated, report.unchanged, report.deleted) == (1, 1, 1, 1)
        assert [tuple(change) for change in report.changes] == [
            ("update", "b", "b.txt"),
            ("add", "d", "d.txt"),
            ("delete", "c", "c.txt"),
        ]
        assert (source.downloads, target.calls) == (downloads, calls)
        report = run(source, target, ledger)
        assert (report.added, report.updated, report.deleted) == (1, 1, 1)

    def test_before_a_rebuild_everything_would_be_updated(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)

        assert run(source, target, ledger, dry_run=True, rebuild=True).updated == 2


class TestProgress:
    def test_it_tells_how_far_it_is(self, ledger: Path) -> None:
        source = ChangingSource(**{f"r{number:04}": f"Text {number}." for number in range(600)})
        told: list[IndexProgress] = []

        run(source, Target(), ledger, on_progress=told.append)

        assert {one.phase for one in told} >= {"comparing", "indexing", "done"}
        last = told[-1]
        assert (last.phase, last.listed, last.done, last.total) == ("done", 600, 600, 600)
        assert (last.chunks_embedded, last.failed) == (600, 0)
        assert last.bytes == sum(len(file.text) + 1 for file in source.files.values())
        assert [one.done for one in told] == sorted(one.done for one in told)

    def test_a_run_that_is_told_to_stop_ends_early_says_so_and_is_finished_by_the_next(
        self, ledger: Path, tmp_path: Path
    ) -> None:
        source = ChangingSource(**{f"r{number:03}": f"Text {number}." for number in range(400)})
        stop = threading.Event()

        class Stopping(Target):
            def upsert(self, *arguments: Any, **keywords: Any) -> None:
                super().upsert(*arguments, **keywords)
                stop.set()

        target = Stopping()
        sync = syncing(source, target, ledger, batch_size=20)
        told: list[str] = []
        report = sync.run(
            integration="box",
            sync_type="files",
            stop=stop,
            on_progress=lambda now: told.append(now.phase),
        )

        assert not report.complete
        assert told[-1] == "stopped"
        assert "done" not in told
        assert 0 < len(target.chunks) <= 400
        assert run(source, target, ledger).complete
        assert target.contents() == from_scratch(source, tmp_path)

    def test_it_can_be_awaited(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One."), Target()

        report: IndexReport = asyncio.run(
            syncing(source, target, ledger).arun(integration="box", sync_type="files")
        )

        assert report.added == 1

    def test_cancelling_it_ends_it_in_order(self, ledger: Path, tmp_path: Path) -> None:
        source = ChangingSource(**{f"r{number:03}": f"Text {number}." for number in range(300)})
        target = Target()

        async def cancelled() -> None:
            begun = asyncio.Event()
            loop = asyncio.get_running_loop()

            def note(_: IndexProgress) -> None:
                loop.call_soon_threadsafe(begun.set)

            task = asyncio.create_task(
                syncing(source, target, ledger).arun(
                    integration="box",
                    sync_type="files",
                    on_progress=note,
                )
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            calls = target.calls
            await asyncio.sleep(0.05)
            assert target.calls == calls, "nothing goes on behind the caller's back"

        asyncio.run(cancelled())
        run(source, target, ledger)
        assert target.contents() == from_scratch(source, tmp_path)


def test_pipelines_in_one_ledger_do_not_touch_each_other(any_ledger: str) -> None:
    box, drive, target = ChangingSource(a="One."), ChangingSource(b="Two."), Target()
    run(box, target, any_ledger)
    syncing(drive, target, any_ledger).run(integration="drive", sync_type="files")

    assert run(box, target, any_ledger).deleted == 0
    assert target.texts() == {("file:a", "One."), ("file:b", "Two.")}


@pytest.mark.parametrize("kind", [Target, AbleTarget])
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_stops_anywhere_is_finished_by_the_next_one(
    tmp_path: Path, seed: int, kind: type[Target]
) -> None:
    chance = random.Random(seed)
    source, target = ChangingSource(), kind()
    ledger = tmp_path / "ledger.db"
    for _ in range(10):
        change_at_random(source, chance)
        target.calls, target.dies_at = 0, chance.randint(1, 8)
        target.dies_of = chance.choice([OSError, KeyboardInterrupt])
        with suppress(ManagedSyncError, KeyboardInterrupt):
            run(source, target, ledger)
    target.dies_at = None

    report = run(source, target, ledger, full=True)

    assert report.failed == ()
    assert target.contents() == from_scratch(source, tmp_path)


def change_at_random(source: ChangingSource, chance: random.Random) -> None:
    for _ in range(3):
        name = chance.choice("abcdef")
        if chance.random() < 0.3:
            source.files.pop(name, None)
        elif chance.random() < 0.2 and name in source.files:
            source.move(name, chance.choice("xyz"))
        else:
            words = chance.choices(["red", "green", "blue", "gray"], k=chance.randint(1, 60))
            source.write(name, " ".join(words))
