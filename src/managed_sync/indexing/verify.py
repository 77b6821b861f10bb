"""Compares what the index holds with what the ledger says, and both with the source."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from managed_sync.errors import IndexingError
from managed_sync.identifiers import lower_ascii
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import Entry, State
from managed_sync.indexing.report import IndexReport
from managed_sync.indexing.stored_index import Disagreements, StoredIndex, expected_chunks
from managed_sync.indexing.targets.base import IndexTarget
from managed_sync.indexing.targets.retrying import PersistentTarget
from managed_sync.logs import get_logger

__all__ = ["Verification", "VerificationReport"]

_logger = get_logger("managed_sync.indexing")

_CHUNKS_AT_ONCE = 500
# So many records are looked up at each run, with one chunk of each.
_SAMPLE = 50
# So many chunks are embedded again by a verification.
_VECTORS = 20
# A run that finds more than this share of the chunks missing, and at least so many, ends: then the
# index is most likely another one, or one restored from an old copy.
_MOST_MISSING = 0.3
_FEWEST_MISSING = 20


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """Where the index, the ledger and the source disagree.

    Attributes:
        records: Records that the ledger says are in the index.
        chunks: Their chunks.
        missing_chunks: Chunks among them that the index does not hold; ``None`` if the store cannot
            say.
        unknown_chunks: Chunks of this pipeline in the index that this ledger did not write;
            another one may have. ``None`` if the store cannot say.
        unfinished: Records that a run which stopped left in between.
        source: What a run would do now, as a dry run says.
        repair: What the repair did, if there was one.
        changed_chunks: Chunks in the index whose text or metadata is not what was written; ``None``
            if the store cannot say.
        duplicate_chunks: Chunks that are in the index more than once; ``None`` if the store cannot
            say.
        wrong_vectors: Chunks whose vector is not the one that the embedding model gives for their
            text now, among 20 taken at random; ``None`` if the store gives no vectors.
    """

    records: int
    chunks: int
    missing_chunks: int | None
    unknown_chunks: int | None
    unfinished: int
    source: IndexReport
    repair: IndexReport | None = None
    changed_chunks: int | None = None
    duplicate_chunks: int | None = None
    wrong_vectors: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether there was nothing to repair. What could not be asked does not count.

        Nor do records that are put aside, which ``source.failed`` names: a run tries them again,
        and a repair changes nothing about them.
        """
        return not (self.index_disagrees or self.source_has_changed)

    @property
    def source_has_changed(self) -> bool:
        """Whether a run would index or delete anything but records that are put aside."""
        source = self.source
        failed = {failure.record_id for failure in source.failed}
        planned = [change.record_id for change in source.changes if change.kind != "delete"]
        return bool(
            source.deleted
            or source.added + source.updated > len(planned)
            or not failed.issuperset(planned)
        )

    @property
    def index_disagrees(self) -> bool:
        """Whether the index is not what the ledger says."""
        return bool(
            self.missing_chunks
            or self.unknown_chunks
            or self.unfinished
            or self.changed_chunks
            or self.duplicate_chunks
            or self.wrong_vectors
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
        self._index = StoredIndex(target, persistent.calls)
        self._persistent = persistent
        self._wrong_vectors: list[str] | None = None

    def report(self, source: IndexReport) -> VerificationReport:
        """What disagrees.

        Args:
            source: What a dry run over the feed says.
        """
        records, chunks = self._ledger.counts()
        unfinished = sum(
            entry.state is State.PENDING for page in self._ledger.pages() for entry in page
        )
        unknown = self._unknown_chunks(self._feed.names)
        found = self._disagreements()
        self._wrong_vectors = None if found is None else self._unlike_sample()
        return VerificationReport(
            records,
            chunks,
            None if found is None else len(found.missing),
            None if unknown is None else len(unknown),
            unfinished,
            source,
            changed_chunks=len(found.changed) if found is not None and found.is_read else None,
            duplicate_chunks=(
                len(found.duplicates) if found is not None and found.is_counted else None
            ),
            wrong_vectors=None if self._wrong_vectors is None else len(self._wrong_vectors),
        )

    def prepare_repair(self) -> None:
        """Marks records to be indexed again whose chunks disagree, or that have unknown ones."""
        self._write_down(self._unknown_chunks(self._feed.names) or {})
        found = self._disagreements() or Disagreements()
        self._distrust({**dict.fromkeys(self._wrong_vectors or ()), **found.marks})

    def remove_unknown(self) -> None:
        """Removes the pipeline's chunks of which this ledger knows no record.

        Raises:
            IndexingError: The index cannot be deleted from.
        """
        unknown = list(self._unknown_chunks(self._feed.names) or ())
        for start in range(0, len(unknown), _CHUNKS_AT_ONCE):
            self._persistent.delete(unknown[start : start + _CHUNKS_AT_ONCE])
        self._persistent.raise_if_out_of_order()
        self._ledger.note_found({})

    def check_sample(self) -> None:
        """Looks up some chunks in the index and counts them; compares all if that disagrees.

        Records whose chunks disagree are marked to be indexed again, and chunks that the ledger
        does not know of are written down with their records, so that the run removes them unless
        it needs them. Those of records that the ledger does not know either may be another
        ledger's: they stay unless the API lists their records.

        Raises:
            IndexingError: So much is missing that this seems to be another index.
        """
        sample = _one_chunk_each(self._ledger.sample(_SAMPLE))
        found = self._index.disagreements(sample)
        if found is None:
            return
        names = self._names_in_index([key for key in sample if key not in found.missing])
        if not sample:
            names = self._ledger.pipeline._asdict()
        if found or (names and self._is_miscounted(names)):
            self._put_in_line(names)

    def _put_in_line(self, names: Mapping[str, str] | None) -> None:
        found = self._disagreements() or Disagreements()
        unknown = self._unknown_chunks(names) or {}
        self._raise_if_lost(found)
        _logger.warning(
            "The index of %s is not what the ledger says: of the ledger's chunks, %d are missing, "
            "%d changed and %d doubled; %d others are there. This run indexes the ledger's records "
            "among theirs again.",
            self._ledger.pipeline,
            len(found.missing),
            len(found.changed),
            len(found.duplicates),
            len(unknown),
        )
        self._distrust(found.marks)
        self._write_down(unknown)
        # Only a comparison of everything finds records that are gone.
        self._ledger.set_notes(cursor=None)

    def _raise_if_lost(self, found: Disagreements) -> None:
        _, chunks = self._ledger.counts()
        lost = len(found.missing) + sum(mark is None for mark in found.changed.values())
        if lost and lost >= chunks - self._ledger.uncertain_chunks():
            raise IndexingError(
                f"The index holds nothing of {self._ledger.pipeline}, but the ledger "
                f"{self._ledger.database.name} says that it does. If this is a new or emptied "
                f"index, run once with rebuild=True (--rebuild), or give it a ledger of its own."
            )
        if lost >= _FEWEST_MISSING and lost > _MOST_MISSING * chunks:
            raise IndexingError(
                f"The index lacks {lost} of {chunks} chunks of {self._ledger.pipeline} that the "
                f"ledger {self._ledger.database.name} says it holds. It may be another index, or "
                f"one restored from an old copy. If it is the right one, write what it lacks with "
                f"verify(repair=True) (managed-sync verify --repair)."
            )

    def _is_miscounted(self, names: Mapping[str, str]) -> bool:
        counted = self._index.count(names)
        _, chunks = self._ledger.counts()
        chunks += self._ledger.found_chunks()
        least = chunks - self._ledger.uncertain_chunks()
        return counted is not None and not least <= counted <= chunks

    def _names_in_index(self, held: Sequence[str]) -> Mapping[str, str] | None:
        """What this pipeline's chunks bear; ``None`` if those of others may bear it as well."""
        names = self._index.names(held[0]) if held else None
        # The hosted API takes names that differ by case. It also takes the id of a sync for its
        # type: then others have these names too.
        is_own = names is not None and [*map(lower_ascii, names)] == [
            *map(lower_ascii, self._ledger.pipeline)
        ]
        return names._asdict() if names is not None and is_own else None

    def _disagreements(self) -> Disagreements | None:
        every = Disagreements()
        for page in self._ledger.pages():
            found = self._index.disagreements(expected_chunks(page))
            if found is None:
                return None
            every.add(found)
        return every

    def _unlike_sample(self) -> list[str] | None:
        """Some chunks of some whose vectors are not the model's; ``None`` if it cannot say."""
        sample = list(_one_chunk_each(self._ledger.sample(_VECTORS)))
        try:
            if not sample or self._persistent.probe() is None:
                return None
            return self._index.unlike(sample)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            _logger.warning("No vectors were compared, since the model failed: %s", error)
            return None

    def _distrust(self, marks: Mapping[str, str | None]) -> None:
        """Marks records to be indexed again, and what is still certain of their chunks."""
        for page in self._ledger.pages():
            concerned = [entry for entry in page if not marks.keys().isdisjoint(entry.chunks)]
            self._ledger.begin(
                [
                    (entry, {key: marks.get(key, mark) for key, mark in entry.chunks.items()})
                    for entry in concerned
                ]
            )

    def _write_down(self, unknown: Mapping[str, str | None]) -> None:
        """Adds chunks to what the ledger says of their records."""
        chunks_of: dict[str, dict[str, str | None]] = defaultdict(dict)
        for chunk_id, record_id in unknown.items():
            if record_id is not None:
                chunks_of[record_id][chunk_id] = None
        entries = self._ledger.entries(list(chunks_of))
        own = [entry for entry in entries.values() if entry.state is not State.FOUND]
        self._ledger.begin(
            [(entry, {**entry.chunks, **chunks_of[entry.record_id]}) for entry in own]
        )
        for entry in own:
            del chunks_of[entry.record_id]
        self._ledger.note_found(chunks_of)
        if chunks_of:
            _logger.warning(
                "The index holds chunks of %d records of %s that the ledger %s does not know. "
                "Those that the API does not list stay: they may be another ledger's, such as "
                "another connected user's. Use one collection for each ledger; if there is no "
                "other one, remove them with verify(repair=True, remove_unknown=True) "
                "(managed-sync verify --repair --remove-unknown).",
                len(chunks_of),
                self._ledger.pipeline,
                self._ledger.database.name,
            )

    def _unknown_chunks(self, names: Mapping[str, str] | None) -> dict[str, str | None] | None:
        """The pipeline's chunks in the index that this ledger did not write, with their records."""
        if not names:
            return None
        own = {
            key
            for page in self._ledger.pages()
            for entry in page
            if entry.state is not State.FOUND
            for key in entry.chunks
        }
        return self._index.unknown(names, own)


def _one_chunk_each(entries: Sequence[Entry]) -> dict[str, str | None]:
    """A chunk of each record, taken at random, with its mark."""
    return dict(random.choice(list(entry.chunks.items())) for entry in entries)  # noqa: S311
