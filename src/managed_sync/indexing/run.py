"""One run: compare, index, delete, in this order.

See ``docs/decisions/0021-indexing-runs.md``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.documents.loading.record_metadata import record_title
from managed_sync.documents.loading.results import RecordLoader, load_jobs
from managed_sync.errors import ApiError, BadRequestError, DeletionsWithheldError, NotFoundError
from managed_sync.indexing.feed.absence import DeletionLimit, confirmed_gone
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.feed.listing import MissingRecord, StagedListing
from managed_sync.indexing.feed.reader import ListingReader
from managed_sync.indexing.feed.selection import Selection
from managed_sync.indexing.feed.versions import Version
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import (
    LedgerRecord,
    RecordJob,
    RecordStatus,
    UnreadableRecord,
)
from managed_sync.indexing.progress import ProgressMeter
from managed_sync.indexing.report import IndexProgress, IndexReport, PlannedChange
from managed_sync.indexing.targets.calls import Stopped
from managed_sync.indexing.targets.retrying import RetryingTarget
from managed_sync.indexing.writer import Writer
from managed_sync.models import SyncedRecord

__all__ = ["Run"]

_MOST_PLANNED_CHANGES = 1_000
_TITLES_IN_A_MESSAGE = 5


class Run:
    """Brings one pipeline's index up to date.

    Args:
        ledger: The pipeline's; its lock is held, unless this is a dry run.
        feed: The pipeline's records.
        loader: Turns them into documents.
        target: The index.
        split: Splits documents.
        version: Gives a record's version.
        on_progress: Called with the progress.
        stop: Ends the run after what is under way, when it is set.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        feed: Feed,
        loader: RecordLoader,
        target: RetryingTarget,
        split: Callable[[SourceDocument], Sequence[Chunk]],
        *,
        version: Version,
        on_progress: Callable[[IndexProgress], None] | None,
        stop: threading.Event,
    ) -> None:
        self._ledger = ledger
        self._feed = feed
        self._loader = loader
        self._meter = ProgressMeter(on_progress)
        self._writer = Writer(ledger, target, split, self._meter.tally)
        self._version = version
        self._stop = stop

    def compare_all(
        self, limit: DeletionLimit, *, patient: bool, again: Selection | None = None
    ) -> IndexReport:
        """Indexes what changed, and removes what a whole listing lacks.

        Args:
            limit: The limit of deletions.
            patient: Whether records that failed wait until their time has come.
            again: Records to read again though they did not change.

        Raises:
            DeletionsWithheldError: More is missing.
        """
        compared_at = time.time()
        with self._reading(again=again, patient=patient) as reader:
            try:
                is_refused = reader.read_all(limit)
                reader.put_aside_malformed()
                if again is not None:
                    again.raise_if_unused(str(self._ledger.pipeline))
                self._index(reader.listing)
                if is_refused:
                    raise self._withheld(reader)
                self._delete([each.record_id for each in page] for page in reader.listing.missing())
            except Stopped:
                return self._report(reader, complete=False)
            self._ledger.set_notes(cursor=self._feed.resume_cursor, compared_at=compared_at)
            return self._report(reader)

    def cursor(self, longest: float) -> str | None:
        """Returns the cursor to go on from, unless everything is to be compared again.

        Args:
            longest: Seconds for which a comparison of everything holds.
        """
        cursor: str | None = self._ledger.note("cursor")
        compared_at: float | None = self._ledger.note("compared_at")
        # A time to come was noted while the clock ran ahead: nobody knows how long ago that was.
        if compared_at is None or not 0 <= time.time() - compared_at < longest:
            return None
        return cursor if self._feed.can_resume else None

    def resume(self, cursor: str, limit: DeletionLimit) -> IndexReport | None:
        """Indexes what changed since the cursor.

        Args:
            cursor: From an earlier run.
            limit: The limit of deletions.

        Returns:
            The report; ``None`` if the API does not take the cursor any more.
        """
        due = self._ledger.due(time.time())
        with self._reading() as reader:
            try:
                try:
                    reader.read_changes(cursor)
                except (BadRequestError, NotFoundError):
                    return None
                reader.put_aside_malformed()
                single = reader.read_single(due)
                reader.put_aside(single.unreadable)
                self._index(reader.listing)
                self._delete_single(reader, single.gone, limit)
            except Stopped:
                return self._report(reader, complete=False, changes_only=True)
            self._ledger.set_notes(cursor=self._feed.resume_cursor)
            return self._report(reader, changes_only=True)

    def apply(
        self, record_ids: Collection[str], limit: DeletionLimit, *, expected: Collection[str] = ()
    ) -> IndexReport:
        """Brings single records up to date with the API's answer for each.

        Args:
            record_ids: The records' ids.
            limit: The limit of deletions.
            expected: Records that should be there: one that is not stays until it is asked for
                again.

        Raises:
            ApiError: No record could be read; or the API cannot be used, and others were applied.
            DeletionsWithheldError: More records are gone than may be deleted.
        """
        with self._reading(everything=True, patient=False) as reader:
            try:
                single = reader.read_single(record_ids)
                reader.put_aside(self._own(single.to_put_aside()))
                self._index(reader.listing)
                reader.unconfirmed += [each for each in single.gone if each in expected]
                gone = [each for each in single.gone if each not in expected]
                self._delete_single(reader, gone, limit)
            except Stopped:
                return self._report(reader, complete=False)
            single.raise_errors_of_all()
            return self._report(reader)

    def plan(
        self, limit: DeletionLimit, *, everything: bool, again: Selection | None = None
    ) -> IndexReport:
        """Compares only, and reports what a run would do.

        Args:
            limit: The limit of deletions.
            everything: Whether the run would index every record, whatever its version is.
            again: Records that it would read again though they did not change.
        """
        with self._reading(everything=everything, again=again) as reader:
            listing = reader.listing
            withheld = reader.read_all(limit)
            if again is not None:
                again.raise_if_unused(str(self._ledger.pipeline))
            counts = listing.counts()
            missing, _ = listing.missing_count()
            changes = chain(
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
                unconfirmed=tuple(reader.unconfirmed),
                unlisted=reader.unlisted,
                seconds=self._meter.seconds,
                complete=not reader.unlisted,
                dry_run=True,
                withheld=withheld,
                changes=tuple(islice(changes, _MOST_PLANNED_CHANGES)),
            )

    @contextmanager
    def _reading(
        self,
        *,
        everything: bool = False,
        again: Selection | None = None,
        patient: bool = True,
    ) -> Iterator[ListingReader]:
        listing = StagedListing(
            self._ledger, self._version, everything=everything, again=again, patient=patient
        )
        with closing(listing):
            yield ListingReader(listing, self._feed, self._ledger, self._meter, self._stop)

    def _own(self, unreadable: Sequence[UnreadableRecord]) -> list[UnreadableRecord]:
        """Returns the records that are not another ledger's; what that one holds stays its own."""
        known = self._ledger.records([each.record_id for each in unreadable])
        found = {key for key, record in known.items() if record.state is RecordStatus.FOUND}
        return [each for each in unreadable if each.record_id not in found]

    def _index(self, listing: StagedListing) -> None:
        self._meter.to_do = listing.counts().to_do
        self._meter.report("indexing")
        try:
            for loaded, job in load_jobs(self._loader, self._jobs(listing)):
                self._writer.add(job, loaded)
                self._meter.done += 1
                self._meter.report("indexing")
        except ApiError:
            # Records that were loaded before are not to be loaded again.
            self._writer.flush()
            raise
        self._writer.flush()
        if self._stop.is_set():
            raise Stopped

    def _jobs(self, listing: StagedListing) -> Iterator[tuple[SyncedRecord, RecordJob]]:
        for record, is_new in listing.to_do():
            if self._stop.is_set():
                return
            yield record, RecordJob(record.id, self._version(record), is_new)

    def _title(self, record: SyncedRecord) -> str:
        """Returns the title of the record's document, as far as the loader gives it."""
        title = getattr(self._loader, "title", None)
        return str(title(record)) if callable(title) else record_title(record)

    def _delete(self, pages: Iterable[Sequence[str]]) -> None:
        for record_ids in pages:
            self._meter.report("deleting")
            self._writer.remove(record_ids)

    def _delete_single(
        self, reader: ListingReader, gone: Sequence[str], limit: DeletionLimit
    ) -> None:
        known = {
            record_id: record
            for record_id, record in self._ledger.records(gone).items()
            if record.state is not RecordStatus.FOUND
        }
        in_index = sorted(record_id for record_id, record in known.items() if record.chunks)
        self._delete([[record_id for record_id, record in known.items() if not record.chunks]])
        if not in_index:
            return
        _, count = reader.listing.missing_count()
        if limit.refuses(len(in_index), count):
            raise self._withheld(reader, [known[each] for each in in_index], count)
        confirmed = confirmed_gone(in_index, self._feed, self._ledger)
        self._delete([sorted(confirmed)])
        reader.unconfirmed += [each for each in in_index if each not in confirmed]

    def _withheld(
        self,
        reader: ListingReader,
        gone: Sequence[LedgerRecord | MissingRecord] = (),
        known: int = 0,
    ) -> DeletionsWithheldError:
        count = len(gone)
        if not gone:
            count, known = reader.listing.missing_count()
            gone = [each for each in next(reader.listing.missing()) if each.chunk_count]
        return DeletionsWithheldError(
            str(self._ledger.pipeline),
            count=count,
            known=known,
            titles=[each.title for each in gone[:_TITLES_IN_A_MESSAGE]],
            report=self._report(reader),
        )

    def _report(
        self,
        reader: ListingReader,
        *,
        complete: bool = True,
        changes_only: bool = False,
    ) -> IndexReport:
        self._meter.report("done" if complete else "stopped")
        if reader.new_user is not None:
            self._ledger.set_notes(connected_user=reader.new_user)
        counts, tally = reader.listing.counts(), self._meter.tally
        # Records that the API does not name among the changes have not changed.
        unlisted = reader.listing.unlisted_count() if changes_only else 0
        return IndexReport(
            added=tally.added,
            updated=tally.updated,
            unchanged=counts.unchanged + unlisted + tally.unchanged,
            deleted=tally.deleted,
            failed=tuple(self._ledger.failures()),
            skipped=tuple(self._ledger.skipped()),
            unconfirmed=tuple(reader.unconfirmed),
            unlisted=reader.unlisted,
            chunks_embedded=tally.chunks_embedded,
            chunks_reused=tally.chunks_reused,
            bytes=tally.bytes,
            seconds=self._meter.seconds,
            complete=complete and not reader.unlisted,
            changes_only=changes_only,
        )
