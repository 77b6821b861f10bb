"""The objects of the Managed Sync specification.

Attributes have Python's spelling, and the JSON has the API's: ``SyncStatus.sync_type`` is
``syncType`` on the wire. Unknown fields are ignored, so that a newer API breaks nothing.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = [
    "AccessCheck",
    "FileContent",
    "MalformedRecord",
    "RecordPage",
    "RelationshipNode",
    "SyncState",
    "SyncStatus",
    "SyncedRecord",
]


class ApiModel(BaseModel):
    """The base of all models that are sent as JSON."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


class SyncState(StrEnum):
    """The state of a pipeline."""

    SYNCING = "SYNCING"
    IDLE = "IDLE"
    ERROR = "ERROR"
    DISABLED = "DISABLED"


def _in_upper_case(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class SyncStatus(ApiModel):
    """The status of one sync pipeline.

    Attributes:
        error: The reason why the last sync failed, if the server states it.
        warnings: One sentence for each thing the last sync left out, if the server states them.
    """

    integration: str
    sync_type: str
    # The specification writes states in upper case, but not every server does.
    status: Annotated[SyncState, BeforeValidator(_in_upper_case)]
    last_synced_at: datetime | None = None
    record_count: int = 0
    error: str | None = None
    warnings: tuple[str, ...] = ()


class SyncedRecord(ApiModel):
    """One normalized record.

    Attributes:
        id: The record's id in the Sync API, which is also part of its object id.
        source_id: The record's id in the source system.
        data: The normalized fields, which depend on the sync type.
        permissions: The source's statement about access when the record was synced, for display
            only. The Permissions API alone decides who may read the record.
    """

    id: str = Field(min_length=1)
    integration: str
    sync_type: str = Field(min_length=1)
    source_id: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    permissions: dict[str, Any] = Field(default_factory=dict)
    updated_at: datetime | None = None

    @property
    def is_folder(self) -> bool:
        """``True`` for a folder among files, which has no content."""
        mime_type = str(self.data.get("mimeType") or "")
        return mime_type in {"inode/directory", "folder"} or mime_type.endswith(".folder")


class MalformedRecord(NamedTuple):
    """A record of a listing that cannot be read.

    Attributes:
        id: The record's id, if that can be read.
        reason: One sentence that names the field.
    """

    id: str | None
    reason: str


class RecordPage(ApiModel):
    """One page of a listing.

    Attributes:
        malformed: The records of the page that cannot be read.
        next_cursor: The cursor of the next page; ``None`` on the last page.
        resume_cursor: A cursor to store. A later listing from it brings only the records added or
            changed since, and nothing about deleted ones. ``None`` if the API's cursors cannot be
            stored, as those of the specification.
    """

    records: tuple[SyncedRecord, ...]
    malformed: tuple[MalformedRecord, ...] = Field(default=(), exclude=True)
    resume_cursor: str | None = Field(default=None, exclude=True)
    # A server may mark the last page with an empty cursor, with null, or with no cursor.
    next_cursor: Annotated[str | None, BeforeValidator(lambda cursor: cursor or None)] = None


class FileContent(BaseModel):
    """The bytes of a file-type record.

    Attributes:
        content_type: The media type without parameters, such as ``application/pdf``.
        filename: The file's name, if the server sent one.
    """

    model_config = ConfigDict(frozen=True)

    data: bytes = Field(repr=False)
    content_type: str = "application/octet-stream"
    filename: str | None = None


class AccessCheck(ApiModel):
    """One access check: does the subject have this relation to the object?

    Examples:
        >>> AccessCheck(subject="alice@example.com", relation="viewer", object="file:3f2a").object
        'file:3f2a'
    """

    subject: str
    relation: str
    object: str


class RelationshipNode(ApiModel):
    """One node of the tree that explains a relation to an object.

    Attributes:
        object: The object of this node.
        relation: The relation of this node.
        via: The way in which this node contributes to its parent: ``self`` for the root and for a
            part of the same relation, ``implied`` for a stronger relation to the same object,
            ``parent`` for the object's container, ``member`` for a group or organization that has
            the relation.
        subjects: The subjects that have the relation directly at this node.
        granted: ``True`` if the subject of the check has the relation through this node; ``None``
            if the API's tree does not say, which never happens at the root.
        children: The nodes that this node combines.
        operation: The combination: ``union`` of the children and ``subjects``, ``intersection`` of
            the children, or ``difference``, the first child without the others.
    """

    object: str
    relation: str
    via: Literal["self", "implied", "parent", "member"] = "self"
    subjects: tuple[str, ...] = ()
    granted: bool | None = False
    children: tuple[RelationshipNode, ...] = ()
    operation: Literal["union", "intersection", "difference"] = "union"
