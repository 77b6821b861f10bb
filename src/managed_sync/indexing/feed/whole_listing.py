"""Reads all records of a pipeline, and believes a listing only as far as it can be checked.

Records move between pages while these are read, pages lose their cursors, and an API may list less
than it has. So the number of records is compared with the API's own, and each record that is in the
index and not in the listing is asked for by its id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from managed_sync.errors import ApiError
from managed_sync.indexing.feed.absence import Absence, Guard
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.listing import Listing
from managed_sync.indexing.targets.retrying import Stopped
from managed_sync.logs import get_logger
from managed_sync.models import SyncState

__all__ = ["WholeListing"]

_logger = get_logger("managed_sync.indexing")


class WholeListing:
    """A listing of all records.

    Args:
        ledger: The pipeline's.
        feed: The pipeline's records.
        listing: What they are added to.
        absence: Judges what seems to be gone.
        stop: Ends it when it is set.

    Attributes:
        unconfirmed: Records that seem to be gone, and are kept.
        unlisted: How many records the API counts and did not list.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        feed: Feed,
        listing: Listing,
        absence: Absence,
        stop: threading.Event,
    ) -> None:
        self._ledger = ledger
        self._feed = feed
        self._listing = listing
        self._absence = absence
        self._stop = stop
        self.unconfirmed: list[str] = []
        self.unlisted = 0

    def read(self, list_all: Callable[[], None], guard: Guard) -> bool:
        """Lists all records, and asks for each that is missing; whether too many are missing.

        Args:
            list_all: Adds the feed's records to the listing.
            guard: How many may be missing.

        Raises:
            ApiError: The listing could not be read whole.
        """
        list_all()
        counted = self._counted()
        if counted > self._total:
            list_all()
        listed = self._total
        # What cannot be read is there, whatever it is.
        self._listing.keep([each.record_id for each in self._feed.set_aside()])
        refused = guard.refuses(*self._listing.missing_count())
        found = 0 if refused or not self._feed.can_look else self._find_missing(listed)
        self.unlisted = max(0, counted - listed - found)
        return refused

    @property
    def _total(self) -> int:
        return self._listing.total() + len(self._feed.malformed)

    def _counted(self) -> int:
        """How many records the API counts; 0 if it does not say, or is still at it."""
        try:
            status = self._feed.status()
        except ApiError as error:
            _logger.warning("The records of %s were not counted: %s", self._ledger.pipeline, error)
            return 0
        if status is None or status.status is not SyncState.IDLE:
            return 0
        return status.record_count

    def _find_missing(self, listed: int) -> int:
        """Asks for what the listing lacks, and keeps all that is not certainly gone.

        Returns how many records are there though they were not listed.
        """
        gone: list[str] = []
        found = 0
        for page in self._listing.missing():
            if self._stop.is_set():
                raise Stopped
            # Where nothing is in the index, nothing can be lost.
            in_index = [each.record_id for each in page if each.chunk_count]
            for look in self._feed.look(in_index):
                if look.record is not None:
                    found += sum(1 for _ in self._listing.add([look.record]))
                elif look.is_gone_from_here:
                    gone.append(look.record_id)
                else:
                    self._keep([look.record_id])
        confirmed = self._absence.confirmed(gone, listed=listed)
        self._keep([each for each in gone if each not in confirmed])
        return found

    def _keep(self, record_ids: Sequence[str]) -> None:
        self._listing.keep(record_ids)
        self.unconfirmed += record_ids
