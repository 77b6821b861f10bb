"""One run: compare, index, delete, in this order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, Protocol

from managed_sync.documents import Chunk, LoadFailure, SourceDocument
from managed_sync.errors import (
    AnotherUserError,
    ApiError,
    BadRequestError,
    DeletionsWithheldError,
    EmptyContentError,
    NotFoundError,
    NotTextError,
)
from managed_sync.indexing.diff import Work
from managed_sync.indexing.feed.absence import Absence, Guard
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.feed.selection import Selection
from managed_sync.indexing.feed.single_records import SingleRecords
from managed_sync.indexing.feed.versions import Version
from managed_sync.indexing.feed.whole_listing import WholeListing
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.listing import Listing, Missing, title_of
from managed_sync.indexing.ledger.model import Entry, SetAside, State
from managed_sync.indexing.progress import ProgressMeter
from managed_sync.indexing.report import IndexProgress, IndexReport, PlannedChange
from managed_sync.indexing.targets.retrying import PersistentTarget, Stopped
from managed_sync.indexing.writer import Writer
from managed_sync.logs import get_logger
from managed_sync.models import SyncedRecord

__all__ = ["RecordLoader", "Run"]

_logger = get_logger("managed_sync.indexing")

_MOST_PLANNED_CHANGES = 1_000
_TITLES_IN_A_MESSAGE = 5


class RecordLoader(Protocol):
    """Turns records into documents; the loaders of both frameworks do."""

    def load_records(
        self, records: Iterable[SyncedRecord]
    ) -> Iterator[SourceDocument | LoadFailure]:
        """One document, or the reason why there is none, for each record that is not a folder."""


class _Expected(NamedTuple):
    """What is known of a record before it is loaded."""

    version: str
    title: str
    is_new: bool


class Run:
    """Brings one pipeline's index up to date.

    Args:
        ledger: The pipeline's; its lock is held, unless this is a dry run.
        feed: The pipeline's records.
        loader: Turns them into documents.
        target: The index.
        split: Cuts documents.
        version: Gives a record's version.
        tell: Called with the progress.
        stop: Ends the run after what is under way, when it is set.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        feed: Feed,
        loader: RecordLoader,
        target: PersistentTarget,
        split: Callable[[SourceDocument], Sequence[Chunk]],
        *,
        version: Version,
        tell: Callable[[IndexProgress], None] | None,
        stop: threading.Event,
    ) -> None:
        self._ledger = ledger
        self._feed = feed
        self._loader = loader
        self._writer = Writer(ledger, target, split)
        self._meter = ProgressMeter(self._writer.tally, tell)
        self._stop = stop
        self._expected: dict[str, _Expected] = {}
        self._version = version
        self._absence = Absence(feed, ledger)
        self._unconfirmed: list[str] = []
        self._unlisted = 0
        self._user: str | None = None

    def compare_all(
        self, guard: Guard, *, patient: bool, again: Selection | None = None
    ) -> IndexReport:
        """Indexes what changed, and removes what a whole listing lacks.

        Args:
            guard: How much may be deleted.
            patient: Whether what failed waits until its time has come.
            again: Records to read again though they did not change.

        Raises:
            DeletionsWithheldError: More is missing.
        """
        compared_at = time.time()
        with Listing(self._ledger, self._version, again=again, patient=patient) as listing:
            try:
                refused = self._list_everything(listing, guard)
                self._put_aside_malformed(listing)
                if again is not None:
                    again.raise_if_unused(str(self._ledger.pipeline))
                self._index(listing)
                if refused:
                    raise self._withheld(listing)
                self._delete([each.record_id for each in page] for page in listing.missing())
            except Stopped:
                return self._report(listing, complete=False)
            self._ledger.set_notes(cursor=self._feed.resume_cursor, compared_at=compared_at)
            return self._report(listing)

    def cursor(self, longest: float) -> str | None:
        """Returns the cursor to go on from, unless everything is to be compared once more.

        Args:
            longest: Seconds for which a comparison of everything holds.
        """
        cursor: str | None = self._ledger.note("cursor")
        compared_at: float | None = self._ledger.note("compared_at")
        # A time to come was noted while the clock ran ahead: nobody knows how long ago that was.
        if compared_at is None or not 0 <= time.time() - compared_at < longest:
            return None
        return cursor if self._feed.can_resume else None

    def resume(self, cursor: str, guard: Guard) -> IndexReport | None:
        """Indexes what changed since the cursor; ``None`` if the API does not take it any more."""
        due = self._ledger.due(time.time())
        with Listing(self._ledger, self._version) as listing:
            try:
                try:
                    self._list(listing, self._feed.changes(cursor))
                except (BadRequestError, NotFoundError):
                    return None
                self._put_aside_malformed(listing)
                single = self._look(listing, due)
                self._put_aside(single.failed)
                self._index(listing)
                self._delete_single(listing, single.gone, guard)
            except Stopped:
                return self._report(listing, complete=False, changes_only=True)
            self._ledger.set_notes(cursor=self._feed.resume_cursor)
            return self._report(listing, changes_only=True)

    def apply(
        self, record_ids: Collection[str], guard: Guard, *, expected: Collection[str] = ()
    ) -> IndexReport:
        """Brings single records up to date with what the API says of each now.

        Args:
            record_ids: The records' ids.
            guard: How much may be deleted.
            expected: Those that should be there: one that is not stays until it is asked for again.

        Raises:
            ApiError: None could be read; or the API cannot be used, and others were applied.
            DeletionsWithheldError: More is gone than may be deleted.
        """
        with Listing(self._ledger, self._version, anew=True, patient=False) as listing:
            try:
                single = self._look(listing, record_ids)
                self._put_aside(self._without_found(single.aside()))
                self._index(listing)
                self._unconfirmed += [each for each in single.gone if each in expected]
                gone = [each for each in single.gone if each not in expected]
                self._delete_single(listing, gone, guard)
            except Stopped:
                return self._report(listing, complete=False)
            single.raise_what_concerns_all()
            return self._report(listing)

    def look(self, guard: Guard, *, anew: bool, again: Selection | None = None) -> IndexReport:
        """Compares only.

        Args:
            guard: How much may be deleted.
            anew: Whether every record would be indexed, whatever its version is.
            again: Records that would be, though they did not change.
        """
        with Listing(self._ledger, self._version, anew=anew, again=again) as listing:
            withheld = self._list_everything(listing, guard)
            if again is not None:
                again.raise_if_unused(str(self._ledger.pipeline))
            counts = listing.counts()
            missing, _ = listing.missing_count()
            planned = chain(
                (
                    PlannedChange("add" if is_new else "update", record.id, self._title(record))
                    for record, is_new in listing.to_do()
                ),
                (
                    PlannedChange("delete", each.record_id, each.title)
                    for page in listing.missing()
                    for each in page
                    if each.chunk_count
                ),
            )
            return IndexReport(
                added=counts.new,
                updated=counts.to_do - counts.new,
                unchanged=counts.unchanged,
                deleted=missing,
                failed=tuple(self._ledger.failures()),
                skipped=tuple(self._ledger.skipped()),
                unconfirmed=tuple(self._unconfirmed),
                unlisted=self._unlisted,
                seconds=self._meter.seconds,
                complete=not self._unlisted,
                dry_run=True,
                withheld=withheld,
                changes=tuple(islice(planned, _MOST_PLANNED_CHANGES)),
            )

    def _list_everything(self, listing: Listing, guard: Guard) -> bool:
        """Lists all records, and asks for each that is missing; whether too many are missing."""
        whole = WholeListing(self._ledger, self._feed, listing, self._absence, self._stop)
        refused = whole.read(lambda: self._list(listing, self._feed.everything()), guard)
        self._unconfirmed += whole.unconfirmed
        self._unlisted = whole.unlisted
        self._check_user()
        return refused

    def _look(self, listing: Listing, record_ids: Collection[str]) -> SingleRecords:
        """Asks for single records, and lists those that are there."""
        single = SingleRecords(list(self._feed.look(record_ids)))
        self._check_user()
        self._list(listing, single.records)
        return single

    def _delete_single(self, listing: Listing, gone: Sequence[str], guard: Guard) -> None:
        known = {
            record_id: entry
            for record_id, entry in self._ledger.entries(gone).items()
            if entry.state is not State.FOUND
        }
        in_index = {each.record_id for each in known.values() if each.chunks}
        self._delete([[record_id for record_id in known if record_id not in in_index]])
        if not in_index:
            return
        _, count = listing.missing_count()
        if guard.refuses(len(in_index), count):
            raise self._withheld(listing, [known[each] for each in sorted(in_index)], count)
        confirmed = self._absence.confirmed(sorted(in_index))
        self._delete([sorted(confirmed)])
        self._unconfirmed += sorted(in_index - confirmed)

    def _check_user(self) -> None:
        """Refuses to compare what one user may see with what another one may.

        Raises:
            AnotherUserError: The index was made with another user's token.
        """
        user, before = self._feed.connected_user, self._ledger.note("connected_user")
        if user is None or user == before:
            return
        if before is not None:
            raise AnotherUserError(str(self._ledger.pipeline), before=before, now=user)
        self._user = user

    def _put_aside_malformed(self, listing: Listing) -> None:
        aside = self._feed.set_aside()
        self._put_aside(aside)
        listing.keep([each.record_id for each in aside])

    def _put_aside(self, aside: Sequence[SetAside]) -> None:
        for each in aside:
            _logger.warning("Put aside: %s: %s", each.record_id, each.reason)
        self._ledger.put_aside(aside)
        self._writer.tally.failed += len(aside)

    def _without_found(self, aside: Sequence[SetAside]) -> list[SetAside]:
        """Those that are this ledger's: what it cannot read of others' stays theirs."""
        known = self._ledger.entries([each.record_id for each in aside])
        found = {key for key, entry in known.items() if entry.state is State.FOUND}
        return [each for each in aside if each.record_id not in found]

    def _stop_if_told(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _list(self, listing: Listing, records: Iterable[SyncedRecord]) -> None:
        self._meter.tell("comparing")
        for count in listing.add(records):
            self._meter.listed = count
            self._meter.tell("comparing")
            self._stop_if_told()

    def _index(self, listing: Listing) -> None:
        self._meter.to_do = listing.counts().to_do
        self._meter.tell("indexing")
        try:
            for loaded in self._loader.load_records(self._handed_out(listing)):
                self._writer.add(self._work(loaded))
                self._meter.done += 1
                self._meter.tell("indexing")
        except ApiError:
            # What was loaded before is not to be loaded again.
            self._writer.flush()
            raise
        self._writer.flush()
        self._stop_if_told()

    def _handed_out(self, listing: Listing) -> Iterator[SyncedRecord]:
        for record, is_new in listing.to_do():
            if self._stop.is_set():
                return
            self._expected[record.id] = _Expected(
                self._version(record), self._title(record), is_new
            )
            yield record

    def _work(self, loaded: SourceDocument | LoadFailure) -> Work:
        if isinstance(loaded, SourceDocument):
            record_id = str(loaded.metadata["record_id"])
            return Work(record_id, *self._expected.pop(record_id), document=loaded)
        return Work(
            loaded.record_id,
            *self._expected.pop(loaded.record_id),
            reason=loaded.reason,
            is_empty=isinstance(loaded.error, EmptyContentError | NotTextError),
        )

    def _delete(self, pages: Iterable[Sequence[str]]) -> None:
        for record_ids in pages:
            self._meter.tell("deleting")
            self._writer.remove(record_ids)

    def _withheld(
        self, listing: Listing, gone: Sequence[Entry | Missing] = (), known: int = 0
    ) -> DeletionsWithheldError:
        count = len(gone)
        if not gone:
            count, known = listing.missing_count()
            gone = [each for each in next(listing.missing()) if each.chunk_count]
        return DeletionsWithheldError(
            str(self._ledger.pipeline),
            count=count,
            known=known,
            titles=[each.title for each in gone[:_TITLES_IN_A_MESSAGE]],
            report=self._report(listing),
        )

    def _title(self, record: SyncedRecord) -> str:
        """What its document will be called, as far as the loader says so."""
        title = getattr(self._loader, "title", None)
        return str(title(record)) if callable(title) else title_of(record)

    def _report(
        self, listing: Listing, *, complete: bool = True, changes_only: bool = False
    ) -> IndexReport:
        self._meter.tell("done" if complete else "stopped")
        if self._user is not None:
            self._ledger.set_notes(connected_user=self._user)
        counts, tally = listing.counts(), self._writer.tally
        # What the API does not name where it was asked for changes has not changed.
        unlisted = listing.unlisted_count() if changes_only else 0
        return IndexReport(
            added=tally.added,
            updated=tally.updated,
            unchanged=counts.unchanged + unlisted + tally.unchanged,
            deleted=tally.deleted,
            failed=tuple(self._ledger.failures()),
            skipped=tuple(self._ledger.skipped()),
            unconfirmed=tuple(self._unconfirmed),
            unlisted=self._unlisted,
            chunks_embedded=tally.chunks_embedded,
            chunks_reused=tally.chunks_reused,
            bytes=tally.bytes,
            seconds=self._meter.seconds,
            complete=complete and not self._unlisted,
            changes_only=changes_only,
        )
