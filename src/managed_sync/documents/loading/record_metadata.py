"""Describes a record before its content is read: its title, its types, and its metadata."""

from __future__ import annotations

from pathlib import PurePosixPath

from managed_sync.documents.loading.record_templates import Templates, template_title
from managed_sync.documents.model import Scalar, storable
from managed_sync.identifiers import folder_id, object_id_for, object_type_for
from managed_sync.models import FileContent, SyncedRecord

__all__ = [
    "filename",
    "has_content",
    "metadata",
    "mime_type",
    "object_id",
    "record_title",
]

_UNKNOWN_TYPE = "application/octet-stream"


def has_content(record: SyncedRecord) -> bool:
    """Tells whether the record is a file, whose text is in its content and not in its fields."""
    return object_type_for(record.sync_type) == "file" and not record.is_folder


def object_id(record: SyncedRecord) -> str:
    """Returns the id under which the Permissions API knows the record's object."""
    return object_id_for(record.sync_type, record.id, is_folder=record.is_folder)


def filename(record: SyncedRecord) -> str:
    """Returns the name of a file or folder; empty if neither its data nor its path has one."""
    return str(record.data.get("name") or PurePosixPath(record.source_id).name)


def record_title(record: SyncedRecord, templates: Templates | None = None) -> str:
    """Returns the title of a record: the same in text, metadata, reports and citations.

    A file is called by its name. Any other record has the title of its template, which is also the
    first heading of its text.

    Args:
        record: The record.
        templates: Templates by sync type that replace this package's. A template that is a function
            without a method ``title`` leaves the title to this package's template.

    Examples:
        >>> data = {"firstName": "Ada", "lastName": "Byron"}
        >>> record_title(SyncedRecord(id="1", integration="x", sync_type="contacts", data=data))
        'Ada Byron'
        >>> record_title(SyncedRecord(id="1", integration="x", sync_type="files", source_id="/a"))
        'a'
    """
    title = filename(record) if has_content(record) else template_title(record, templates)
    return storable(title or record.id)


def mime_type(record: SyncedRecord, file: FileContent) -> str:
    """Returns the type that the server sent or, without one, the type that the record states."""
    if file.content_type and file.content_type != _UNKNOWN_TYPE:
        return file.content_type
    return str(record.data.get("mimeType") or _UNKNOWN_TYPE)


def metadata(
    record: SyncedRecord, *, object_id: str, project_id: str, mime_type: str, title: str
) -> dict[str, Scalar]:
    """Returns the metadata of the record's document; absent values are left out."""
    parent = record.data.get("parentId")
    url = record.data.get("url")
    values = {
        "object_id": object_id,
        "record_id": record.id,
        "source_id": record.source_id,
        "integration": record.integration,
        "sync_type": record.sync_type,
        "project_id": project_id,
        "container_id": folder_id(parent) if parent and isinstance(parent, str) else None,
        "title": title,
        "url": url if isinstance(url, str) else None,
        "mime_type": mime_type,
        "updated_at": record.updated_at.isoformat() if record.updated_at else None,
    }
    # Some sources have NUL or half a character in names. An object id is never changed, because it
    # would be the id of another object.
    return {
        name: value if name == "object_id" else storable(value)
        for name, value in values.items()
        if value
    }
