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

__all__ = ["DeletionLimit", "confirmed_gone"]

_WITNESSES = 5
_NOT_AT_WORK = frozenset({SyncState.ERROR, SyncState.DISABLED})


class DeletionLimit(NamedTuple):
    """The limit of deletions in one run.

    Attributes:
        share: The largest share of the records in the index that may be deleted; ``None`` for all.
        always_allowed: Fewer records than these may be deleted, whatever their share is.
    """

    share: float | None
    always_allowed: int

    def refuses(self, missing: int, known: int) -> bool:
        """Returns whether so many missing records are too many.

        Args:
            missing: The number of records to delete.
            known: The number of records in the index.
        """
        if self.share is None or missing < self.always_allowed:
            return False
        return missing > self.share * known


def confirmed_gone(
    gone: Collection[str], feed: Feed, ledger: PipelineLedger, *, listed: int | None = None
) -> set[str]:
    """Returns those records that really are gone.

    Args:
        gone: The ids of records that are gone according to the API.
        feed: The pipeline's records.
        ledger: The pipeline's.
        listed: The number of records that the API listed just now; ``None`` if it did not list all.
    """
    if not gone or not _sees_pipeline(gone, feed, ledger, listed):
        return set()
    # An API with several copies of its data may have asked one that lags behind.
    return {each.record_id for each in feed.look_up(gone) if each.is_gone_from_here}


def _sees_pipeline(
    gone: Collection[str], feed: Feed, ledger: PipelineLedger, listed: int | None
) -> bool:
    """Returns whether records that the API does not find do not exist."""
    status: SyncStatus | ApiError | None
    try:
        status = feed.status()
    except NotFoundError:
        return False
    except ApiError as error:
        status = error
    if isinstance(status, SyncStatus) and status.status in _NOT_AT_WORK:
        return False
    witnesses = ledger.sample_ids(_WITNESSES, without=gone)
    if witnesses:
        return any(each.record is not None for each in feed.look_up(witnesses))
    if isinstance(status, ApiError):
        return False
    # No known record would be left that could bear witness, so only a listing can.
    return _lists_without(gone, feed, status) if listed is None else _agrees(status, listed)


def _lists_without(gone: Collection[str], feed: Feed, status: SyncStatus | None) -> bool:
    listed: set[str] = set()
    try:
        for record in feed.fresh().everything():
            listed.add(record.id)
    except ApiError:
        return False
    return listed.isdisjoint(gone) and _agrees(status, len(listed))


def _agrees(status: SyncStatus | None, listed: int) -> bool:
    """Returns whether a listing has all the records that the API counts, where it counts them."""
    return status is None or status.record_count <= listed
