"""Of a collection that others write into too, a pipeline removes nothing but its own chunks.

The API may list records of another pipeline, the store may ignore what it is to filter by, and
another connected user's ledger may keep the same pipeline in the same collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from managed_sync import SyncedRecord
from managed_sync.errors import ConfigurationError
from managed_sync.indexing import StoredChunk
from tests.support.index_target import AbleTarget
from tests.support.indexing import syncing
from tests.support.record_source import ChangingSource

BOX: Any = {"integration": "box", "sync_type": "files"}
DRIVE: Any = {"integration": "drive", "sync_type": "files"}


class ForeignSource(ChangingSource):
    """Lists a record of another pipeline after its own."""

    foreign: str = ""

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        yield from super().iter_records(integration, sync_type)
        if self.foreign:
            yield SyncedRecord(id=self.foreign, **DRIVE)


@dataclass
class CarelessTarget(AbleTarget):
    """One that, once it is told to, answers with all that it holds to whatever it is asked."""

    lies: set[str] = field(default_factory=set)

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return super().chunk_ids({} if "filter" in self.lies else metadata)

    def read(self, chunk_ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        return super().read([*self.chunks] if "ids" in self.lies else chunk_ids, vectors=vectors)


def drive_records(count: int) -> ChangingSource:
    return ChangingSource(
        **{f"d{number:02}": f"Text {number} of Drive." for number in range(count)}
    )


ACTIONS: dict[str, Callable[..., object]] = {
    "run": lambda sync: sync.run(**BOX, full=True),
    "repair": lambda sync: sync.verify(**BOX, repair=True),
    "remove": lambda sync: sync.verify(**BOX, repair=True, remove_unknown=True),
}


@pytest.fixture(params=ACTIONS)
def act(request: pytest.FixtureRequest) -> Callable[..., object]:
    return ACTIONS[request.param]


class TestAnotherPipeline:
    @pytest.fixture
    def target(self, tmp_path: Path) -> CarelessTarget:
        target = CarelessTarget()
        syncing(drive_records(30), target, tmp_path / "drive.db").run(**DRIVE)
        return target

    def test_stays_though_the_listing_has_a_record_of_it(
        self, target: CarelessTarget, tmp_path: Path, act: Callable[..., object]
    ) -> None:
        source = ForeignSource(a="One.", b="Two.", c="Three.")
        sync = syncing(source, target, tmp_path / "ledger.db")
        sync.run(**BOX)
        before = target.contents()
        source.foreign = "d00"

        for _ in range(2):
            act(sync)
        assert target.contents() == before
        failed = sync.failures(**BOX)
        assert [(each.record_id, "drive files" in each.reason) for each in failed] == [
            ("d00", True)
        ]

        source.foreign = ""
        assert sync.run(**BOX, full=True).failed == ()
        assert target.contents() == before

    @pytest.mark.parametrize(
        "lies", [{"filter"}, {"ids"}, {"filter", "ids"}], ids=["filter", "ids", "both"]
    )
    def test_stays_though_the_store_answers_with_its_chunks(
        self, target: CarelessTarget, tmp_path: Path, act: Callable[..., object], lies: set[str]
    ) -> None:
        sync = syncing(
            ChangingSource(a="One.", b="Two.", c="Three."), target, tmp_path / "ledger.db"
        )
        sync.run(**BOX)
        before = target.contents()

        target.lies = lies
        act(sync)

        assert target.contents() == before

    def test_stays_though_the_metadata_cannot_be_read_back(
        self, target: CarelessTarget, tmp_path: Path, act: Callable[..., object]
    ) -> None:
        sync = syncing(ChangingSource(a="One."), target, tmp_path / "ledger.db")
        sync.run(**BOX)
        before = target.contents()

        target.lies = {"filter"}
        target.read = lambda *_, **__: None  # type: ignore[method-assign, assignment]
        act(sync)

        assert target.contents() == before


class TestAnotherConnectedUser:
    """Each one with an own ledger, and all of it is true what the API and the store say."""

    @pytest.mark.parametrize("count", [12, 40])
    def test_each_keeps_the_own_records_in_step_and_the_others_stay(
        self, tmp_path: Path, count: int
    ) -> None:
        target = AbleTarget()
        texts = {f"a{number:02}": f"Text {number} of Ann." for number in range(count)}
        ann = ChangingSource(**texts)
        bob = ChangingSource(**{f"b{number:02}": f"Text {number} of Bob." for number in range(25)})
        syncs = [
            syncing(ann, target, tmp_path / "ann.db"),
            syncing(bob, target, tmp_path / "bob.db"),
        ]

        for _ in range(2):
            for sync in syncs:
                assert sync.run(**BOX).deleted == 0
        assert len(target.chunks) == count + 25

        ann.write("a00", "Edited.")
        del ann.files["a01"]
        bob.write("b25", "New.")
        for sync in (*syncs, *syncs):
            sync.run(**BOX)
            sync.verify(**BOX, repair=True)
        expected = {("file:a00", "Edited."), ("file:b25", "New.")}
        expected |= {(f"file:{name}", text) for name, text in texts.items() if name > "a01"}
        expected |= {(f"file:b{number:02}", f"Text {number} of Bob.") for number in range(25)}
        assert target.texts() == expected

    def test_what_one_is_told_of_another_ones_record_removes_nothing(self, tmp_path: Path) -> None:
        target = AbleTarget()
        syncing(ChangingSource(a="One.", b="Two."), target, tmp_path / "ann.db").run(**BOX)
        bob = syncing(ChangingSource(c="Three."), target, tmp_path / "bob.db")
        bob.run(**BOX)

        report = bob.apply(["a", "b"], **BOX)

        assert (report.deleted, len(target.chunks)) == (0, 3)

    def test_a_rebuild_does_not_take_the_others_for_its_own(self, tmp_path: Path) -> None:
        target = AbleTarget()
        syncing(ChangingSource(a="One.", b="Two."), target, tmp_path / "ann.db").run(**BOX)
        bob = syncing(ChangingSource(c="Three."), target, tmp_path / "bob.db")
        bob.run(**BOX)

        for _ in range(2):
            bob.run(**BOX, rebuild=True)

        assert len(target.chunks) == 3

    def test_the_chunks_go_only_if_somebody_says_that_there_is_no_other_ledger(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        target = AbleTarget()
        syncing(ChangingSource(a="One.", b="Two."), target, tmp_path / "lost.db").run(**BOX)
        sync = syncing(ChangingSource(b="Two."), target, tmp_path / "new.db")

        sync.run(**BOX)
        assert "one collection for each ledger" in caplog.text
        assert sync.verify(**BOX, repair=True).unknown_chunks == 1
        assert len(target.chunks) == 2

        sync.verify(**BOX, repair=True, remove_unknown=True)
        assert [text for _, text in target.texts()] == ["Two."]
        assert sync.verify(**BOX).agrees

    def test_unknown_chunks_are_removed_by_a_repair_only(self, tmp_path: Path) -> None:
        sync = syncing(ChangingSource(a="One."), AbleTarget(), tmp_path / "ledger.db")
        with pytest.raises(ConfigurationError, match="repair=True"):
            sync.verify(**BOX, remove_unknown=True)
