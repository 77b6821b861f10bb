"""What is known of a record before its content is read: its title, its type, its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TypeAlias

from managed_sync.documents.chunking.tokenizer import storable
from managed_sync.documents.loading.record_templates import record_title
from managed_sync.documents.model import Scalar
from managed_sync.identifiers import ObjectId, object_id_for, object_type_for
from managed_sync.models import FileContent, SyncedRecord

__all__ = ["Templates", "filename", "has_content", "metadata", "mime_type", "object_id", "title"]

Templates: TypeAlias = Mapping[str, Callable[[SyncedRecord], str]]

_UNKNOWN_TYPE = "application/octet-stream"


def has_content(record: SyncedRecord) -> bool:
    """Whether the record is a file, whose text is in its content and not in its fields."""
    return object_type_for(record.sync_type) == "file" and not record.is_folder


def object_id(record: SyncedRecord) -> str:
    """What the Permissions API calls the record's object."""
    if record.is_folder:
        return str(ObjectId("folder", record.id))
    return object_id_for(record.sync_type, record.id)


def filename(record: SyncedRecord) -> str:
    """The name of a file or folder."""
    return str(record.data.get("name") or PurePosixPath(record.source_id).name)


def title(record: SyncedRecord, templates: Templates | None = None) -> str:
    """Returns what people call a record: in its text, its metadata and every report."""
    if has_content(record):
        return filename(record) or record.id
    return record_title(record, templates)


def mime_type(record: SyncedRecord, file: FileContent) -> str:
    """The type the server sent, unless it sent none; then the type the record states."""
    if file.content_type and file.content_type != _UNKNOWN_TYPE:
        return file.content_type
    return str(record.data.get("mimeType") or _UNKNOWN_TYPE)


def metadata(
    record: SyncedRecord,
    *,
    object_id: str,
    project_id: str,
    mime_type: str,
    templates: Templates | None = None,
) -> dict[str, Scalar]:
    """The metadata of the record's document; what is not known is left out."""
    parent = record.data.get("parentId")
    url = record.data.get("url")
    values = {
        "object_id": object_id,
        "record_id": record.id,
        "source_id": record.source_id,
        "integration": record.integration,
        "sync_type": record.sync_type,
        "project_id": project_id,
        "container_id": f"folder:{parent}" if isinstance(parent, str) and parent else None,
        "title": title(record, templates),
        "url": url if isinstance(url, str) else None,
        "mime_type": mime_type,
        "updated_at": record.updated_at.isoformat() if record.updated_at else None,
    }
    # NUL or half a character, as some sources have them, are more than many stores take. An object
    # id is never changed, since it would be another object's.
    return {
        name: value if name == "object_id" else storable(value)
        for name, value in values.items()
        if value
    }
