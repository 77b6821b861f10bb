"""Compares what the index holds with what the ledger says, and both with the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from managed_sync.indexing.entries import Entry, State
from managed_sync.indexing.feed import Feed
from managed_sync.indexing.ledger import PipelineLedger
from managed_sync.indexing.persistent_target import PersistentTarget
from managed_sync.indexing.report import IndexReport
from managed_sync.indexing.targets import IndexTarget, InspectableTarget

__all__ = ["Verification", "VerificationReport"]

_CHUNKS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """Where the index, the ledger and the source disagree.

    Attributes:
        records: Records that the ledger says are in the index.
        chunks: Their chunks.
        missing_chunks: Chunks among them that the index does not hold; ``None`` if the store cannot
            say.
        unknown_chunks: Chunks of this pipeline in the index that the ledger does not know of;
            ``None`` if the store cannot say.
        unfinished: Records that a run which stopped left in between.
        source: What a run would do now, as a dry run says.
        repair: What the repair did, if there was one.
    """

    records: int
    chunks: int
    missing_chunks: int | None
    unknown_chunks: int | None
    unfinished: int
    source: IndexReport
    repair: IndexReport | None = None

    @property
    def agrees(self) -> bool:
        """Whether there was nothing to repair. What could not be asked does not count."""
        source = self.source
        return not (
            self.missing_chunks
            or self.unknown_chunks
            or self.unfinished
            or source.added
            or source.updated
            or source.deleted
            or source.failed
        )

    def repaired_by(self, report: IndexReport) -> VerificationReport:
        """The same, with what the repair did."""
        return replace(self, repair=report)


class Verification:
    """Finds out where index and ledger disagree, and prepares a run that repairs it.

    Args:
        ledger: The pipeline's.
        target: The index.
        persistent: The same, to remove chunks from.
        feed: The pipeline's records; it says what its chunks are called by.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        target: IndexTarget,
        persistent: PersistentTarget,
        feed: Feed,
    ) -> None:
        self._ledger = ledger
        self._feed = feed
        self._target = target if isinstance(target, InspectableTarget) else None
        self._persistent = persistent

    def report(self, source: IndexReport) -> VerificationReport:
        """What disagrees.

        Args:
            source: What a dry run over the feed says.
        """
        records, chunks = self._ledger.counts()
        unfinished = sum(
            entry.state is State.PENDING for page in self._ledger.pages() for entry in page
        )
        unknown = self._unknown_chunks()
        return VerificationReport(
            records,
            chunks,
            self._count_missing(),
            None if unknown is None else sum(1 for _ in unknown),
            unfinished,
            source,
        )

    def prepare_repair(self) -> None:
        """Removes unknown chunks, and marks records with missing ones to be indexed again."""
        unknown = self._unknown_chunks()
        while unknown is not None and (part := list(islice(unknown, _CHUNKS_AT_ONCE))):
            self._persistent.delete(part)
        for page in self._ledger.pages():
            about = []
            for entry in page:
                missing = self._missing_of([entry]) or ()
                if missing:
                    about.append((entry, {**entry.chunks, **dict.fromkeys(missing)}))
            self._ledger.begin(about)

    def _count_missing(self) -> int | None:
        count = 0
        for page in self._ledger.pages():
            missing = self._missing_of(page)
            if missing is None:
                return None
            count += len(missing)
        return count if self._target else None

    def _missing_of(self, entries: Sequence[Entry]) -> list[str] | None:
        """The chunks of some records that the index lacks; ``None`` if it cannot be asked."""
        if self._target is None:
            return None
        # What is not certain is written anew by the next run anyway.
        expected = [
            key
            for entry in entries
            for key, mark in entry.chunks.items()
            if mark is not None or entry.state is State.INDEXED
        ]
        missing: list[str] = []
        for start in range(0, len(expected), _CHUNKS_AT_ONCE):
            part = expected[start : start + _CHUNKS_AT_ONCE]
            held = self._target.held(part)
            if held is None:
                return None
            missing += [key for key in part if key not in held]
        return missing

    def _unknown_chunks(self) -> Iterator[str] | None:
        """The pipeline's chunks in the index that the ledger does not know of."""
        names = self._feed.names
        held = self._target.chunk_ids(names) if self._target and names else None
        if held is None:
            return None
        known = {key for page in self._ledger.pages() for entry in page for key in entry.chunks}
        # All of it first: what follows may remove from the store that is being read.
        return iter([key for key in held if key not in known])
