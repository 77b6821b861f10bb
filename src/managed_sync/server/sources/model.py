"""What a source lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from managed_sync.server.domain import KnownContent, is_version

__all__ = [
    "LAST_CHANGE",
    "Contents",
    "Draft",
    "Listing",
    "Seen",
    "SourceItem",
    "Unreadable",
]

# For each place that was read, the names in it and the identity of what bears them.
Seen = Mapping[str, Mapping[str, str]]

LAST_CHANGE = "."
"""In place of a name: when names last came or went."""


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One thing that becomes a record.

    Attributes:
        parent: The source id of the container it lies in; ``None`` for the root folder, and for
            the records of a pipeline that has no containers of its own.
        container: Whether other items lie in this one.
        version: Changes whenever the content may have changed, and follows an item that is moved.
        digest: The sha256 of the content, in hexadecimal.
        location: Where the source finds the content again; that of a link is its target's.
        link_to: The source id of the item that this one is a link to.
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
class Unreadable:
    """A place that is there and cannot be read now.

    What was synced from it, and from below it, is kept: it was not removed.
    """

    source_id: str


class Draft(Protocol):
    """A copy of a content in the making; nothing is left of it unless it is kept."""

    def write(self, block: bytes) -> None:
        """Adds to the copy."""

    def keep(self, digest: str) -> None:
        """Makes the copy the content with this digest."""


class Contents(Protocol):
    """Where a listing leaves copies of contents."""

    def holds(self, digest: str) -> bool:
        """Whether a content is there, and stays."""

    def draft(self) -> AbstractContextManager[Draft]:
        """A copy to be written."""


@dataclass(frozen=True)
class Listing:
    """How to list a source.

    Attributes:
        known: What earlier syncs found out, by source id; saves reading what did not change.
        warn: Takes one sentence about something that is left out.
        keep_going: Called often; raises to stop the listing.
        contents: Takes a copy of every content; ``None`` where contents stay in the source.
        seen: Filled by the source: everything that the listing rests on. A source that is looked
            at again and shows the same was in one state in between.
    """

    known: Mapping[str, KnownContent]
    warn: Callable[[str], None]
    keep_going: Callable[[], None]
    contents: Contents | None = None
    seen: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def unchanged(self, source_id: str, version: str) -> KnownContent | None:
        """What is known about a content that has not changed since; ``None`` to read it."""
        known = self.known.get(source_id)
        if known is None or not is_version(version, known.version):
            return None
        if self.contents is not None and not self.contents.holds(known.digest):
            return None
        return KnownContent(version, known.digest)
