"""Fakes of the API's client, of which records and contents are read.

``RecordSource`` has records and contents that a test wrote down. ``ChangingSource`` is a pipeline
of text files that a test changes while it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import NamedTuple

from managed_sync import SyncedRecord
from managed_sync.errors import ApiConnectionError, NotFoundError
from managed_sync.models import FileContent, SyncState, SyncStatus

FOLDER = "inode/directory"
_START = datetime(2026, 1, 1, tzinfo=UTC)


class RecordSource:
    """A source of records whose downloads are given, or raise."""

    project_id = "p1"

    def __init__(
        self, records: list[SyncedRecord], contents: Mapping[str, FileContent | BaseException]
    ) -> None:
        self.records = records
        self.contents = contents
        self.downloads: list[str] = []
        self.limits: set[int] = set()

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        return iter(self.records)

    def get_record(self, record_id: str) -> SyncedRecord:
        for record in self.records:
            if record.id == record_id:
                return record
        raise NotFoundError(f"There is no record {record_id}.", status=404)

    def list_users(self, object_id: str, relation: str) -> list[str]:
        return [f"{relation} of {object_id}"]

    def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        self.downloads.append(record_id)
        self.limits.add(max_bytes)
        content = self.contents[record_id]
        if isinstance(content, BaseException):
            raise content
        return content


class AsyncRecordSource:
    """A source of records whose methods are awaited."""

    project_id = "p1"

    def __init__(self, client: RecordSource, *, delay: float = 0.0) -> None:
        self.client = client
        self.delay = delay
        self.now = self.most = 0

    async def iter_records(self, integration: str, sync_type: str) -> AsyncIterator[SyncedRecord]:
        for record in self.client.iter_records(integration, sync_type):
            yield record

    async def get_record(self, record_id: str) -> SyncedRecord:
        return self.client.get_record(record_id)

    async def list_users(self, object_id: str, relation: str) -> list[str]:
        return self.client.list_users(object_id, relation)

    async def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.delay)
            return self.client.download_content(record_id)
        finally:
            self.now -= 1

    async def get_sync_status(self, integration: str, sync_type: str) -> SyncStatus:
        return SyncStatus(
            integration=integration,
            sync_type=sync_type,
            status=SyncState.IDLE,
            record_count=len(self.client.records),
        )


def folder_of(**texts: str | None) -> RecordSource:
    """Markdown files by name, in a folder; one whose text is ``None`` is gone when downloaded."""

    def record(record_id: str, **data: str) -> SyncedRecord:
        return SyncedRecord(
            id=record_id,
            integration="box",
            sync_type="files",
            source_id=f"/x/{record_id}.md",
            data=data,
        )

    files = [
        record(name, name=f"{name}.md", mimeType="text/markdown", parentId="folder")
        for name in texts
    ]
    contents = {
        name: NotFoundError("gone", status=404)
        if text is None
        else FileContent(data=text.encode(), content_type="text/markdown")
        for name, text in texts.items()
    }
    return RecordSource([record("folder", name="x", mimeType=FOLDER), *files], contents)


def mail_with(**files: str) -> RecordSource:
    """One e-mail with attachments; "plan_txt" is the name of "plan.txt"."""
    message = EmailMessage()
    message["Subject"] = "Plan"
    message.set_content("See the files.")
    for name, text in files.items():
        message.add_attachment(text, filename=name.replace("_", "."))
    record = SyncedRecord(
        id="mail",
        integration="box",
        sync_type="files",
        data={"name": "mail.eml", "mimeType": "message/rfc822"},
    )
    content = FileContent(data=message.as_bytes(), content_type="message/rfc822")
    return RecordSource([record], {"mail": content})


@dataclass
class File:
    """A text file and what its record says of it."""

    text: str
    name: str
    parent: str = "folder"
    viewers: tuple[str, ...] = ()
    revision: int = 0
    changed_at: int = 0


class ChangingSource:
    """A pipeline of text files."""

    project_id = "p1"

    def __init__(self, **texts: str) -> None:
        self.files: dict[str, File] = {}
        self.downloads: list[str] = []
        self.breaks_after: int | None = None
        self.says_when = True
        self.clock = 0
        for name, text in texts.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Makes or changes a file."""
        self.clock += 1
        file = self.files.setdefault(name, File(text, f"{name}.txt"))
        file.text, file.revision, file.changed_at = text, self.clock, self.clock

    def touch(self, name: str) -> None:
        """Changes the date of a file and nothing else."""
        self.write(name, self.files[name].text)

    def move(self, name: str, parent: str) -> None:
        """Moves a file to another folder."""
        self.clock += 1
        self.files[name].parent, self.files[name].changed_at = parent, self.clock

    def rename(self, name: str, title: str) -> None:
        """Gives a file another title."""
        self.clock += 1
        self.files[name].name, self.files[name].changed_at = title, self.clock

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        for position, name in enumerate(sorted(self.files)):
            if position == self.breaks_after:
                raise ApiConnectionError("the connection broke")
            yield self._record(name, integration, sync_type)

    def get_record(self, record_id: str) -> SyncedRecord:
        if record_id not in self.files:
            raise NotFoundError("gone", status=404)
        return self._record(record_id, "box", "files")

    def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        self.downloads.append(record_id)
        if record_id not in self.files:
            raise NotFoundError("gone", status=404)
        data = self.files[record_id].text.encode()
        kind = "application/pdf" if data.startswith(b"%PDF") else "text/plain"
        return FileContent(data=data, content_type=kind)

    def _record(self, name: str, integration: str, sync_type: str) -> SyncedRecord:
        file = self.files[name]
        return SyncedRecord(
            id=name,
            integration=integration,
            sync_type=sync_type,
            data={"name": file.name, "mimeType": "text/plain", "parentId": file.parent},
            permissions={"viewers": list(file.viewers)},
            updated_at=_START + timedelta(minutes=file.revision) if self.says_when else None,
        )


class Page(NamedTuple):
    """A page of changes."""

    records: Sequence[SyncedRecord]
    resume_cursor: str | None


class ResumableSource(ChangingSource):
    """A source whose listing can be gone on with; it does not tell what was deleted."""

    def __init__(self, **texts: str) -> None:
        super().__init__(**texts)
        self.cursors: list[str | None] = []
        self.forgotten: set[str] = set()

    def iter_changes(self, integration: str, sync_type: str, cursor: str | None) -> Iterator[Page]:
        self.cursors.append(cursor)
        if cursor in self.forgotten:
            raise NotFoundError("The cursor has expired.", status=404)
        since = int(cursor or 0)
        changed = [name for name in sorted(self.files) if self.files[name].changed_at > since]
        for name in changed:
            yield Page([self._record(name, integration, sync_type)], None)
        yield Page([], str(self.clock))
