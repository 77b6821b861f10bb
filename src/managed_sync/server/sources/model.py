"""The items that a source lists, and the context of a listing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from managed_sync.server.domain import KnownContent, is_version

__all__ = [
    "LAST_CHANGE",
    "Contents",
    "Draft",
    "ListingContext",
    "Seen",
    "SourceItem",
    "UnreadableItem",
]

# For each folder or file that was read, the names in it and the identity of each entry.
Seen: TypeAlias = Mapping[str, Mapping[str, str]]

LAST_CHANGE = "."
"""The key, instead of a name, for the time at which entries last came or went."""


@dataclass(frozen=True, slots=True)
class SourceItem:
    """An item of a source, which becomes a record.

    Attributes:
        source_id: Its id in the source, such as a path.
        data: The fields of the record.
        parent: The source id of its container; ``None`` for the root folder, and for the records
            of a pipeline without containers.
        container: Whether it contains other items.
        updated_at: The time of its last change.
        version: Changes whenever the content may have changed, and stays the same after a move.
        digest: The sha256 of the content, in hexadecimal.
        location: The path from which the source reads the content; for a link, its target's.
        link_to: The source id of the target, if the item is a link.
    """

    source_id: str
    data: dict[str, Any]
    parent: str | None = None
    container: bool = False
    updated_at: datetime | None = None
    version: str | None = None
    digest: str | None = None
    location: str | None = None
    link_to: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item that exists and cannot be read now.

    The published records of it, and of everything below it, are kept, since it was not removed.
    """

    source_id: str


class Draft(Protocol):
    """A draft of a copy of a content, which is discarded unless it is kept."""

    def write(self, block: bytes) -> None:
        """Appends a block."""

    def keep(self, digest: str) -> None:
        """Stores the copy as the content with this digest."""


class Contents(Protocol):
    """A store for copies of contents."""

    def holds(self, digest: str) -> bool:
        """Returns whether a content is stored permanently."""

    def draft(self) -> AbstractContextManager[Draft]:
        """Opens a draft of a copy."""


@dataclass(frozen=True)
class ListingContext:
    """The context of one listing of a source.

    Attributes:
        known: The contents that earlier syncs read, by source id, which need no second read
            if they are unchanged.
        warn: Called with one sentence for each item that is left out.
        keep_going: Called often; raises to stop the listing.
        contents: Takes a copy of every content; ``None`` if contents stay in the source.
        seen: Filled by the source with everything that the listing read. If a second look at the
            source shows the same, the source was in one state in between.
    """

    known: Mapping[str, KnownContent]
    warn: Callable[[str], None]
    keep_going: Callable[[], None]
    contents: Contents | None = None
    seen: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def unchanged(self, source_id: str, version: str) -> KnownContent | None:
        """Returns the known digest of an unchanged content; ``None`` if it must be read."""
        known = self.known.get(source_id)
        if known is None or not is_version(version, known.version):
            return None
        if self.contents is not None and not self.contents.holds(known.digest):
            return None
        return KnownContent(version, known.digest)
