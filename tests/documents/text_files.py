"""Text files to load."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from managed_sync.documents import DocumentLoader, LoadFailure, SourceDocument
from managed_sync.models import FileContent, SyncedRecord
from tests.support.record_source import RecordSource


def file_record(number: int, **data: Any) -> SyncedRecord:
    return SyncedRecord(
        id=f"r{number}",
        integration="googleDrive",
        sync_type="files",
        source_id=f"/Plans/plan {number}.txt",
        data={"name": f"plan {number}.txt", "mimeType": "text/plain", **data},
        updated_at=datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
    )


def text_file(text: str) -> FileContent:
    return FileContent(data=text.encode(), content_type="text/plain")


def client_of(**contents: str | FileContent | BaseException) -> RecordSource:
    files = {
        name: text_file(content) if isinstance(content, str) else content
        for name, content in contents.items()
    }
    return RecordSource([file_record(int(name[1:])) for name in contents], files)


def load(client: RecordSource, **options: Any) -> list[SourceDocument | LoadFailure]:
    return list(DocumentLoader(client, **options).load("googleDrive", "files"))
