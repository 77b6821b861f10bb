"""One run: compare, index, delete, in this order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, Protocol

from managed_sync.documents import Chunk, LoadFailure, SourceDocument
from managed_sync.errors import (
    ApiError,
    BadRequestError,
    DeletionsWithheldError,
    EmptyContentError,
    NotFoundError,
)
from managed_sync.indexing.changes import Work
from managed_sync.indexing.feed import Feed
from managed_sync.indexing.ledger import PipelineLedger
from managed_sync.indexing.listing import Listing, record_version, title_of
from managed_sync.indexing.persistent_target import PersistentTarget, Stopped
from managed_sync.indexing.progress import ProgressMeter
from managed_sync.indexing.report import IndexProgress, IndexReport, PlannedChange
from managed_sync.indexing.writer import Writer
from managed_sync.models import SyncedRecord

__all__ = ["RecordLoader", "Run"]

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

    def compare_all(
        self, *, most_missing: float | None, fewest_missing: int, patient: bool
    ) -> IndexReport:
        """Indexes what changed, and removes what a whole listing lacks.

        Args:
            patient: Whether what failed waits until its time has come.
            most_missing: The share of the known records that may be missing; ``None`` for all.
            fewest_missing: So few may be missing whatever their share is.

        Raises:
            DeletionsWithheldError: More are missing.
        """
        compared_at = time.time()
        with Listing(self._ledger, patient=patient) as listing:
            try:
                self._list(listing, self._feed.everything())
                self._index(listing)
                missing, known = listing.missing_count()
                share = missing / known if known else 0
                if most_missing is not None and missing >= fewest_missing and share > most_missing:
                    raise self._withheld(listing, missing, known)
                self._delete([record_id for record_id, _ in page] for page in listing.missing())
            except Stopped:
                return self._report(listing, complete=False)
            self._ledger.set_notes(cursor=self._feed.resume_cursor, compared_at=compared_at)
            return self._report(listing)

    def resume(self, cursor: str) -> IndexReport | None:
        """Indexes what changed since the cursor; ``None`` if the API does not take it any more."""
        gone: list[str] = []
        due = self._ledger.due(time.time())
        with Listing(self._ledger) as listing:
            try:
                try:
                    self._list(listing, self._feed.changes(cursor))
                except (BadRequestError, NotFoundError):
                    return None
                self._list(listing, self._feed.single(due, gone))
                self._index(listing)
                self._delete([gone])
            except Stopped:
                return self._report(listing, complete=False, changes_only=True)
            self._ledger.set_notes(cursor=self._feed.resume_cursor)
            return self._report(listing, changes_only=True)

    def apply(self, record_ids: Collection[str]) -> IndexReport:
        """Brings single records up to date with what the API says of each now."""
        gone: list[str] = []
        with Listing(self._ledger) as listing:
            try:
                self._list(listing, self._feed.single(record_ids, gone))
                self._index(listing)
                self._delete([gone])
            except Stopped:
                return self._report(listing, complete=False)
            return self._report(listing)

    def look(self, *, anew: bool) -> IndexReport:
        """Compares only.

        Args:
            anew: Whether every record would be indexed, whatever its version is.
        """
        with Listing(self._ledger, anew=anew) as listing:
            self._list(listing, self._feed.everything())
            counts = listing.counts()
            missing, _ = listing.missing_count()
            planned = chain(
                (
                    PlannedChange("add" if is_new else "update", record.id, title_of(record))
                    for record, is_new in listing.to_do()
                ),
                (
                    PlannedChange("delete", record_id, title)
                    for page in listing.missing()
                    for record_id, title in page
                ),
            )
            return IndexReport(
                added=counts.new,
                updated=counts.to_do - counts.new,
                unchanged=counts.unchanged,
                deleted=missing,
                failed=tuple(self._ledger.failures()),
                seconds=self._meter.seconds,
                dry_run=True,
                changes=tuple(islice(planned, _MOST_PLANNED_CHANGES)),
            )

    def _list(self, listing: Listing, records: Iterable[SyncedRecord]) -> None:
        self._meter.tell("comparing")
        for count in listing.add(records):
            self._meter.listed = count
            self._meter.tell("comparing")
            if self._stop.is_set():
                raise Stopped

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
        if self._stop.is_set():
            raise Stopped

    def _handed_out(self, listing: Listing) -> Iterator[SyncedRecord]:
        for record, is_new in listing.to_do():
            if self._stop.is_set():
                return
            self._expected[record.id] = _Expected(record_version(record), title_of(record), is_new)
            yield record

    def _work(self, loaded: SourceDocument | LoadFailure) -> Work:
        if isinstance(loaded, SourceDocument):
            record_id = str(loaded.metadata["record_id"])
            return Work(record_id, *self._expected.pop(record_id), document=loaded)
        return Work(
            loaded.record_id,
            *self._expected.pop(loaded.record_id),
            reason=loaded.reason,
            is_empty=isinstance(loaded.error, EmptyContentError),
        )

    def _delete(self, pages: Iterable[Sequence[str]]) -> None:
        for record_ids in pages:
            self._meter.tell("deleting")
            self._writer.remove(record_ids)

    def _withheld(self, listing: Listing, missing: int, known: int) -> DeletionsWithheldError:
        first = next(listing.missing())[:_TITLES_IN_A_MESSAGE]
        return DeletionsWithheldError(
            str(self._ledger.pipeline),
            count=missing,
            known=known,
            titles=[title for _, title in first],
            report=self._report(listing),
        )

    def _report(
        self, listing: Listing, *, complete: bool = True, changes_only: bool = False
    ) -> IndexReport:
        self._meter.tell("done")
        counts, tally = listing.counts(), self._writer.tally
        # What the API does not name where it was asked for changes has not changed.
        unlisted = listing.unlisted_count() if changes_only else 0
        return IndexReport(
            added=tally.added,
            updated=tally.updated,
            unchanged=counts.unchanged + unlisted + tally.unchanged,
            deleted=tally.deleted,
            failed=tuple(self._ledger.failures()),
            chunks_embedded=tally.chunks_embedded,
            chunks_reused=tally.chunks_reused,
            bytes=tally.bytes,
            seconds=self._meter.seconds,
            complete=complete,
            changes_only=changes_only,
        )
