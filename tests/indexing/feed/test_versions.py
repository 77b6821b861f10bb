"""Tests which changes give a record another version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from managed_sync import SyncedRecord
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.feed.versions import record_version, version_of
from tests.support.index_target import Target
from tests.support.indexing import run, syncing
from tests.support.record_source import ChangingSource

AT = datetime(2026, 1, 1, tzinfo=UTC)


def record(sync_type: str = "files", **data: Any) -> SyncedRecord:
    return SyncedRecord(
        id="r1", integration="box", sync_type=sync_type, data={"name": "a", **data}, updated_at=AT
    )


@pytest.mark.parametrize(
    "link",
    [
        {"thumbnailLink": "https://x.example/{}"},
        {"downloadUrl": "https://x.example/f?id=7&tempauth={}"},
        {"url": "https://x.example/r1?sig={}&se=2026"},
        {"url": "https://b.example/k?X-Amz-Date={0}&X-Amz-Expires=60&X-Amz-Signature={0}"},
        {"owner": {"photoUrl": "https://x.example/{}"}},
    ],
)
def test_a_link_of_a_file_that_is_made_anew_is_no_change(link: dict[str, Any]) -> None:
    def listed(number: int) -> SyncedRecord:
        return record(**_filled(link, str(number)))

    assert record_version(listed(1)) == record_version(listed(2))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (record(url="https://x.example/a"), record(url="https://x.example/b")),
        (
            record("tickets", page="https://x.example/a?id=1&sig=5"),
            record("tickets", page="https://x.example/a?id=2&sig=5"),
        ),
        (record(url="https://x.example/?t=10"), record(url="https://x.example/?t=20")),
        (record(size=1), record(size=2)),
        (record(thumbnailLink="a note"), record(thumbnailLink="another note")),
        (
            record("contacts", websiteUrl="https://x.example/a"),
            record("contacts", websiteUrl="https://x.example/b"),
        ),
    ],
)
def test_everything_else_is(before: SyncedRecord, after: SyncedRecord) -> None:
    assert record_version(before) != record_version(after)


def test_a_signed_url_of_a_file_counts_for_nothing() -> None:
    assert record_version(record()) == record_version(record(url="https://x.example/a?sig=1"))


def test_fields_can_be_left_out() -> None:
    version = version_of(["views"])

    assert version(record(views=1)) == version(record(views=2))
    assert version(record(views=1)) != version(record(views=1, size=2))


def test_a_single_string_is_refused_since_it_is_a_collection_of_letters() -> None:
    with pytest.raises(ConfigurationError, match=r"\['views'\]"):
        version_of("views")


def test_a_function_can_say_what_the_version_is(ledger: Path) -> None:
    source, target = ChangingSource(a="One."), Target()
    sync = syncing(source, target, ledger, version=lambda each: str(each.data["parentId"]))
    sync.run(integration="box", sync_type="files")
    source.write("a", "One, changed.")

    sync.run(integration="box", sync_type="files")
    assert source.downloads == ["a"]
    source.move("a", "elsewhere")
    sync.run(integration="box", sync_type="files")

    assert target.texts() == {("file:a", "One, changed.")}


class TestAgain:
    def indexed(self, ledger: Path) -> tuple[ChangingSource, Target]:
        source, target = ChangingSource(a="One.", b="Two.", c="Three."), Target()
        source.files["c"].parent = "other"
        run(source, target, ledger)
        for name in "abc":
            source.files[name].text += " And more."
        source.downloads.clear()
        return source, target

    def test_a_record_is_read_again_though_it_did_not_change(self, ledger: Path) -> None:
        source, target = self.indexed(ledger)

        assert run(source, target, ledger).updated == 0
        report = run(source, target, ledger, again=["b"])

        assert (report.updated, source.downloads) == (1, ["b"])
        assert ("file:b", "Two. And more.") in target.texts()

    def test_a_folder_stands_for_what_is_in_it(self, ledger: Path) -> None:
        source, target = self.indexed(ledger)

        assert run(source, target, ledger, again=["other"]).updated == 1
        assert source.downloads == ["c"]

    def test_a_single_record_that_is_applied_is_read_whatever_its_version_is(
        self, ledger: Path
    ) -> None:
        source, target = self.indexed(ledger)

        report = syncing(source, target, ledger).apply(["a"], integration="box", sync_type="files")

        assert report.updated == 1
        assert ("file:a", "One. And more.") in target.texts()

    def test_a_dry_run_foretells_it(self, ledger: Path) -> None:
        source, target = self.indexed(ledger)

        report = run(source, target, ledger, again=["b"], dry_run=True)

        assert [(each.kind, each.record_id) for each in report.changes] == [("update", "b")]

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_a_name_that_stands_for_nothing_is_an_error_and_nothing_is_done(
        self, ledger: Path, dry_run: bool
    ) -> None:
        source, target = self.indexed(ledger)

        with pytest.raises(ConfigurationError, match="nowhere"):
            run(source, target, ledger, again=["a", "nowhere"], dry_run=dry_run)

        assert source.downloads == []


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, text) for name, each in value.items()}
    return value.format(text)
