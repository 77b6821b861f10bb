"""Reads a pipeline's records into a listing, and believes the API only as far as it can be checked.

Records move between pages while these are read, pages lose their cursors, and an API may list less
than it has. So the number of records is compared with the API's own, and each record that is in the
index and not in the listing is asked for by its id.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from managed_sync.errors import AnotherUserError, ApiError
from managed_sync.indexing.feed.absence import DeletionLimit, confirmed_gone
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.feed.listing import StagedListing
from managed_sync.indexing.feed.lookup import SingleRecords
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import UnreadableRecord
from managed_sync.indexing.progress import ProgressMeter
from managed_sync.indexing.targets.calls import Stopped
from managed_sync.logs import get_logger
from managed_sync.models import SyncedRecord, SyncState

__all__ = ["ListingReader"]

_logger = get_logger("managed_sync.indexing")


@dataclass(slots=True)
class ListingReader:
    """Fills a listing.

    Args:
        listing: The listing; it is closed by its owner.
        feed: The pipeline's records.
        ledger: The pipeline's.
        meter: Counts the listed records, and those that are put aside.
        stop: Ends the reading when it is set.

    Attributes:
        unconfirmed: Records that seem to be gone, and are kept.
        unlisted: The number of records that the API counts and did not list.
        new_user: The connected user, if the ledger does not know of one yet.
    """

    listing: StagedListing
    feed: Feed
    ledger: PipelineLedger
    meter: ProgressMeter
    stop: threading.Event
    unconfirmed: list[str] = field(default_factory=list)
    unlisted: int = 0
    new_user: str | None = None

    def read_all(self, limit: DeletionLimit) -> bool:
        """Lists all records, and asks for each that is missing.

        Args:
            limit: How many may be missing.

        Returns:
            Whether too many are missing.

        Raises:
            ApiError: The listing could not be read whole.
            AnotherUserError: The index was made with another user's token.
        """
        self._add(self.feed.everything())
        counted = self._counted()
        if counted > self._listed():
            self._add(self.feed.everything())
        listed = self._listed()
        if self.feed.malformed:
            # A record that cannot be read is there, whatever it is.
            self.listing.keep([each.record_id for each in self.feed.unreadable()])
        is_refused = limit.refuses(*self.listing.missing_count())
        found = 0 if is_refused else self._look_up_missing(listed)
        self.unlisted = max(0, counted - listed - found)
        self._check_user()
        return is_refused

    def read_changes(self, cursor: str) -> None:
        """Lists the records that changed since the cursor was given.

        Raises:
            ApiError: The listing could not be read whole.
        """
        self._add(self.feed.changes(cursor))

    def read_single(self, record_ids: Collection[str]) -> SingleRecords:
        """Asks for single records, and lists those that are there.

        Raises:
            AnotherUserError: The index was made with another user's token.
        """
        single = SingleRecords(list(self.feed.look_up(record_ids)))
        self._check_user()
        self._add(single.records)
        return single

    def put_aside_malformed(self) -> None:
        """Writes down the listed records that cannot be read."""
        if not self.feed.malformed:
            return
        unreadable = self.feed.unreadable()
        self.put_aside(unreadable)
        self.listing.keep([each.record_id for each in unreadable])

    def put_aside(self, unreadable: Sequence[UnreadableRecord]) -> None:
        """Writes down records that cannot be read."""
        if not unreadable:
            return
        for each in unreadable:
            _logger.warning("Put aside: %s: %s", each.record_id, each.reason)
        self.ledger.put_aside(unreadable)
        self.meter.tally.failed += len(unreadable)

    def _add(self, records: Iterable[SyncedRecord]) -> None:
        self.meter.report("comparing")
        for count in self.listing.add(records):
            self.meter.listed = count
            self.meter.report("comparing")
            if self.stop.is_set():
                raise Stopped

    def _listed(self) -> int:
        return self.listing.counts().total + len(self.feed.malformed)

    def _counted(self) -> int:
        """Returns the API's number of records; 0 if it gives none, or is still at work."""
        try:
            status = self.feed.status()
        except ApiError as error:
            _logger.warning("The records of %s were not counted: %s", self.ledger.pipeline, error)
            return 0
        if status is None or status.status is not SyncState.IDLE:
            return 0
        return status.record_count

    def _look_up_missing(self, listed: int) -> int:
        """Asks for the records that the listing lacks, and keeps all that are not certainly gone.

        Returns:
            The number of records that are there though they were not listed.
        """
        if not self.feed.can_look_up:
            return 0
        gone: list[str] = []
        found = 0
        for page in self.listing.missing():
            if self.stop.is_set():
                raise Stopped
            # Of a record without chunks in the index, nothing can be lost.
            in_index = [each.record_id for each in page if each.chunk_count]
            for result in self.feed.look_up(in_index):
                if result.record is not None:
                    found += sum(1 for _ in self.listing.add([result.record]))
                elif result.is_gone_from_here:
                    gone.append(result.record_id)
                else:
                    self._keep([result.record_id])
        if gone:
            confirmed = confirmed_gone(gone, self.feed, self.ledger, listed=listed)
            self._keep([each for each in gone if each not in confirmed])
        return found

    def _keep(self, record_ids: Sequence[str]) -> None:
        self.listing.keep(record_ids)
        self.unconfirmed += record_ids

    def _check_user(self) -> None:
        """Refuses to compare what one user may see with what another one may.

        Raises:
            AnotherUserError: The index was made with another user's token.
        """
        user, before = self.feed.connected_user, self.ledger.note("connected_user")
        if user is None or user == before:
            return
        if before is not None:
            raise AnotherUserError(str(self.ledger.pipeline), before=before, now=user)
        self.new_user = user
