"""The API's nouns, as the Managed Sync specification writes them.

Attributes are in Python's spelling, JSON in the API's: ``SyncStatus.sync_type`` is ``syncType`` on
the wire. Unknown fields are kept out of the way, so that an API that grows does not break anyone.
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
    """Base of all models that travel as JSON."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


class SyncState(StrEnum):
    """What a pipeline is doing."""

    SYNCING = "SYNCING"
    IDLE = "IDLE"
    ERROR = "ERROR"
    DISABLED = "DISABLED"


def _in_capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class SyncStatus(ApiModel):
    """The state of one sync pipeline.

    Attributes:
        error: Why the last sync failed, where the server says so.
        warnings: What the last sync left out, one sentence each, where the server says so.
    """

    integration: str
    sync_type: str
    # The specification writes states in capitals, and not every server does.
    status: Annotated[SyncState, BeforeValidator(_in_capitals)]
    last_synced_at: datetime | None = None
    record_count: int = 0
    error: str | None = None
    warnings: tuple[str, ...] = ()


class SyncedRecord(ApiModel):
    """One normalized record.

    Attributes:
        id: The record's id in the Sync API; it names the object in the Permissions API too.
        source_id: The record's id in the system it was synced from.
        data: The normalized fields; which ones depends on the sync type.
        permissions: What the source said about access when the record was synced. For display
            only: whether somebody may read the record is asked of the Permissions API.
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
        """Whether this is a folder among files, which has no content."""
        mime_type = str(self.data.get("mimeType") or "")
        return mime_type in {"inode/directory", "folder"} or mime_type.endswith(".folder")


class MalformedRecord(NamedTuple):
    """A record of a listing that cannot be read.

    Attributes:
        id: Its id, if that can be read.
        reason: One sentence that names the field.
    """

    id: str | None
    reason: str


class RecordPage(ApiModel):
    """One page of a listing.

    Attributes:
        malformed: Records that the page has too, and that cannot be read.
        next_cursor: Where the next page begins; ``None`` on the last page.
        resume_cursor: Where to go on later: a listing that begins there brings only what was added
            or changed since. ``None`` where the API's cursors are not made to be kept, as those of
            the specification. It says nothing of what was deleted since.
    """

    records: tuple[SyncedRecord, ...]
    malformed: tuple[MalformedRecord, ...] = Field(default=(), exclude=True)
    resume_cursor: str | None = Field(default=None, exclude=True)
    # A server may mark the last page by an empty cursor, by null, or by leaving it out.
    next_cursor: Annotated[str | None, BeforeValidator(lambda cursor: cursor or None)] = None


class FileContent(BaseModel):
    """The bytes of a file-type record.

    Attributes:
        content_type: The media type without parameters, such as ``application/pdf``.
        filename: The name the server gave, if it gave one.
    """

    model_config = ConfigDict(frozen=True)

    data: bytes = Field(repr=False)
    content_type: str = "application/octet-stream"
    filename: str | None = None


class AccessCheck(ApiModel):
    """One permission question: has the subject this relation to the object?

    Examples:
        >>> AccessCheck(subject="alice@example.com", relation="viewer", object="file:3f2a").object
        'file:3f2a'
    """

    subject: str
    relation: str
    object: str


class RelationshipNode(ApiModel):
    """One node of the tree that says how a relation to an object comes about.

    Attributes:
        object: The object whose relation this node is about.
        relation: The relation.
        via: How this node adds to the one above it: ``self`` for the root, and for a part of the
            same relation; ``implied`` by a stronger relation to the same object; ``parent`` for the
            container it lies in; ``member`` for a group or organization that was granted the
            relation.
        subjects: Who has the relation directly at this node.
        granted: Whether the subject of the question has the relation through this node; ``None``
            where the API's tree does not say, which never happens at the root.
        children: The nodes that this one is made of.
        operation: How it is made of them: of their union and ``subjects``, of what all of them have
            in common, or of the first one without the others.
    """

    object: str
    relation: str
    via: Literal["self", "implied", "parent", "member"] = "self"
    subjects: tuple[str, ...] = ()
    granted: bool | None = False
    children: tuple[RelationshipNode, ...] = ()
    operation: Literal["union", "intersection", "difference"] = "union"
