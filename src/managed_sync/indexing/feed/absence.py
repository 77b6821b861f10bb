"""Makes sure that records are gone before anything of them is removed.

A record is taken to be gone only if the API itself says so when it is asked for by id, and if the
API shows that it sees the pipeline: its status is read, and a record that is in the index is found.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from managed_sync.errors import ApiError, NotFoundError
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.models import SyncState, SyncStatus

__all__ = ["Absence", "Guard"]

_WITNESSES = 5
_NOT_AT_WORK = frozenset({SyncState.ERROR, SyncState.DISABLED})


class Guard(NamedTuple):
    """The limit to what is deleted at once.

    Attributes:
        most_missing: The share of the records in the index that may be missing; ``None`` for all.
        fewest_missing: So few may be missing whatever their share is.
    """

    most_missing: float | None
    fewest_missing: int

    def refuses(self, missing: int, known: int) -> bool:
        """Whether so many are too many."""
        if self.most_missing is None or missing < self.fewest_missing:
            return False
        return missing > self.most_missing * known


class Absence:
    """Judges what the API says of records that seem to be gone.

    Args:
        feed: The pipeline's records.
        ledger: The pipeline's.
    """

    def __init__(self, feed: Feed, ledger: PipelineLedger) -> None:
        self._feed = feed
        self._ledger = ledger

    def confirmed(self, gone: Collection[str], *, listed: int | None = None) -> set[str]:
        """Returns those records that really are gone.

        Args:
            gone: The ids of records of which the API said that they are gone.
            listed: How many records it listed just now; ``None`` if it did not list all.
        """
        if not gone or not self._sees_the_pipeline(gone, listed):
            return set()
        # An API with several copies of its data may have asked one that lags behind.
        return {look.record_id for look in self._feed.look(gone) if look.is_gone_from_here}

    def _sees_the_pipeline(self, gone: Collection[str], listed: int | None) -> bool:
        """Whether what the API does not find is not there."""
        status: SyncStatus | ApiError | None
        try:
            status = self._feed.status()
        except NotFoundError:
            return False
        except ApiError as error:
            status = error
        if isinstance(status, SyncStatus) and status.status in _NOT_AT_WORK:
            return False
        witnesses = self._ledger.some_indexed(_WITNESSES, without=gone)
        if witnesses:
            return any(look.record is not None for look in self._feed.look(witnesses))
        if isinstance(status, ApiError):
            return False
        # Nothing that is known would be left, so that nobody can bear witness but the listing.
        return self._lists_without(gone, status) if listed is None else _agrees(status, listed)

    def _lists_without(self, gone: Collection[str], status: SyncStatus | None) -> bool:
        listed: set[str] = set()
        try:
            for record in self._feed.anew().everything():
                listed.add(record.id)
        except ApiError:
            return False
        return listed.isdisjoint(gone) and _agrees(status, len(listed))


def _agrees(status: SyncStatus | None, listed: int) -> bool:
    """Whether a listing has as many records as the API counts, where it counts them."""
    return status is None or status.record_count <= listed
