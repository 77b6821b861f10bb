"""A title that changes, as with a release that takes it from elsewhere, costs no embedding."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from managed_sync import SyncedRecord
from managed_sync.documents import DocumentLoader
from tests.support.index_target import AbleTarget
from tests.support.indexing import syncing
from tests.support.record_source import ChangingSource


class Template:
    """A template of a caller; its titles are those of this package until it has some itself."""

    title: object = None

    def __call__(self, record: SyncedRecord) -> str:
        return "The text stays."


class Tickets(ChangingSource):
    """One ticket."""

    minute = 0

    def _record(self, name: str, integration: str, sync_type: str) -> SyncedRecord:
        return SyncedRecord(
            id=name,
            integration=integration,
            sync_type=sync_type,
            data={"subject": "Stuck", "number": 7},
            updated_at=datetime(2026, 1, 1, 0, self.minute, tzinfo=UTC),
        )


def test_a_changed_title_updates_metadata_and_embeds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = Tickets(t1=""), AbleTarget()
    loader = DocumentLoader(source, processes=0, templates={"tickets": Template()})
    sync = syncing(source, target, tmp_path / "ledger.db", loader=loader)
    sync.run(integration="desk", sync_type="tickets")
    monkeypatch.setattr(Template, "title", lambda self, record: f"No. {record.data['number']}")
    source.minute = 1

    report = sync.run(integration="desk", sync_type="tickets")

    assert [chunk.metadata["title"] for chunk in target.chunks.values()] == ["No. 7"]
    assert (report.updated, report.chunks_embedded, report.chunks_reused) == (1, 0, 1)
    assert target.embedded == ["The text stays."]
