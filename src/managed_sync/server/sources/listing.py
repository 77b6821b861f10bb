"""What a source lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

__all__ = ["KnownContent", "Listing", "SourceItem", "Unreadable"]


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One thing that becomes a record.

    Attributes:
        parent: The source id of the container it lies in; ``None`` for the root folder, and for
            the records of a pipeline that has no containers of its own.
        container: Whether other items lie in this one.
        version: Changes whenever the content may have changed.
        digest: The sha256 of the content, in hexadecimal.
        location: Where the source finds the content again.
    """

    source_id: str
    data: dict[str, Any]
    parent: str | None = None
    container: bool = False
    updated_at: datetime | None = None
    version: str | None = None
    digest: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that is there and cannot be read now.

    What was synced from it, and from below it, is kept: it was not removed.
    """

    source_id: str


class KnownContent(NamedTuple):
    """What an earlier sync found out about an item's content."""

    version: str
    digest: str


@dataclass(frozen=True)
class Listing:
    """How to list a source.

    Attributes:
        known: What earlier syncs found out, by source id; saves reading what did not change.
        warn: Takes one sentence about something that is left out.
        keep_going: Called often; raises to stop the listing.
    """

    known: Mapping[str, KnownContent]
    warn: Callable[[str], None]
    keep_going: Callable[[], None]
