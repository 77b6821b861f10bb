"""A pipeline in memory, for tests of what reads from a client."""

from __future__ import annotations

from collections.abc import Iterator

from managed_sync.errors import NotFoundError
from managed_sync.models import FileContent, SyncedRecord

FOLDER = "inode/directory"


class FakeSource:
    """Text files by name, in a folder; a file whose text is ``None`` is gone when downloaded."""

    project_id = "p1"

    def __init__(self, **texts: str | None) -> None:
        self.texts = texts

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        yield self._record(integration, sync_type, "folder", {"name": "x", "mimeType": FOLDER})
        for name in self.texts:
            data = {"name": f"{name}.md", "mimeType": "text/markdown", "parentId": "folder"}
            yield self._record(integration, sync_type, name, data)

    def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        text = self.texts[record_id]
        if text is None:
            raise NotFoundError("gone", status=404)
        return FileContent(data=text.encode(), content_type="text/markdown")

    def _record(
        self, integration: str, sync_type: str, record_id: str, data: dict[str, str]
    ) -> SyncedRecord:
        return SyncedRecord(
            id=record_id,
            integration=integration,
            sync_type=sync_type,
            source_id=f"/x/{record_id}.md",
            data=data,
        )
