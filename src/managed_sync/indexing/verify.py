"""Compares the index with the ledger, and both with the source."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from managed_sync.errors import IndexingError
from managed_sync.identifiers import lower_ascii
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.keyword_half import KeywordHalf
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import ChunkHashes, LedgerRecord, RecordStatus
from managed_sync.indexing.report import IndexReport, VerificationReport
from managed_sync.indexing.stored_index import Disagreements, StoredIndex, expected_chunks
from managed_sync.indexing.targets.retrying import RetryingTarget
from managed_sync.logs import get_logger

__all__ = ["Verification"]

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


@dataclass(slots=True)
class Verification:
    """Finds disagreements of index and ledger, and prepares a run that repairs them.

    Args:
        ledger: The pipeline's.
        index: The index, to read from.
        target: The same index, to remove chunks from.
        feed: The pipeline's records; it knows the metadata that the pipeline's chunks have.
        keywords: The keyword index of the same chunks, if there is one.
    """

    ledger: PipelineLedger
    index: StoredIndex
    target: RetryingTarget
    feed: Feed
    keywords: KeywordHalf | None = None
    _wrong_vectors: list[str] | None = None

    def report(self, source: IndexReport) -> VerificationReport:
        """Returns the disagreements.

        Args:
            source: The report of a dry run over the feed.
        """
        records, chunks = self.ledger.counts()
        unfinished = sum(
            record.state is RecordStatus.PENDING for page in self.ledger.pages() for record in page
        )
        unknown = self._unknown_chunks(self.feed.names)
        found = self._disagreements()
        self._wrong_vectors = None if found is None else self._sample_vectors()
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
            keyword_differences=len(self._keyword_differences()) if self.keywords else None,
        )

    def prepare_repair(self) -> None:
        """Marks records to index again whose chunks disagree, or that have unknown ones."""
        self._mend_keywords(self.feed.names)
        self._write_down(self._unknown_chunks(self.feed.names) or {})
        found = self._disagreements() or Disagreements()
        self._invalidate(
            {
                **self._keyword_differences(),
                **dict.fromkeys(self._wrong_vectors or ()),
                **found.certain_hashes,
            }
        )

    def remove_unknown(self) -> None:
        """Removes the pipeline's chunks of which this ledger knows no record.

        Raises:
            IndexingError: The index cannot be deleted from.
        """
        unknown = list(self._unknown_chunks(self.feed.names) or ())
        for start in range(0, len(unknown), _CHUNKS_AT_ONCE):
            self.target.delete(unknown[start : start + _CHUNKS_AT_ONCE])
        self.target.raise_if_out_of_order()
        self.ledger.note_found({})

    def check_sample(self) -> None:
        """Looks up some chunks in the index and counts them; compares all if that disagrees.

        Records whose chunks disagree are marked to be indexed again. Chunks that the ledger does
        not know are written down with their records, so that the run removes them unless it needs
        them. If the ledger does not know their records either, they may be another ledger's: they
        stay unless the API lists their records.

        Raises:
            IndexingError: So much is missing that this seems to be another index.
        """
        sample = _one_chunk_each(self.ledger.sample(_SAMPLE))
        found = self.index.disagreements(sample) if sample else Disagreements()
        keyword_differences = self.keywords.differences(sample) if self.keywords else {}
        if found is None and not self.keywords:
            return
        if sample:
            missing = found.missing if found else set()
            names = self._names_in_index([key for key in sample if key not in missing])
        else:
            names = self.ledger.pipeline._asdict()
        if found or keyword_differences or (names and self._is_miscounted(names)):
            self._compare_all(names)

    def _compare_all(self, names: Mapping[str, str] | None) -> None:
        found = self._disagreements() or Disagreements()
        self._raise_if_lost(found)
        self._mend_keywords(names)
        unknown = self._unknown_chunks(names) or {}
        keyword_differences = self._keyword_differences()
        if not (found or unknown or keyword_differences):
            return
        _logger.warning(
            "The index of %s disagrees with the ledger: of the ledger's chunks, %d are missing, "
            "%d changed, %d doubled and %d not in the keyword index; %d others are there. This run "
            "indexes their records again, as far as the ledger knows them.",
            self.ledger.pipeline,
            len(found.missing),
            len(found.changed),
            len(found.duplicates),
            len(keyword_differences),
            len(unknown),
        )
        self._invalidate({**keyword_differences, **found.certain_hashes})
        self._write_down(unknown)
        # Only a comparison of everything finds records that are gone.
        self.ledger.set_notes(cursor=None)

    def _raise_if_lost(self, found: Disagreements) -> None:
        chunks, uncertain, _ = self.ledger.chunk_counts()
        lost = len(found.missing) + sum(hashes is None for hashes in found.changed.values())
        if lost and lost >= chunks - uncertain:
            raise IndexingError(
                f"The index holds nothing of {self.ledger.pipeline}, but the ledger "
                f"{self.ledger.database.name} says that it does. If this is a new or emptied "
                f"index, run once with rebuild=True (--rebuild), or give it a ledger of its own."
            )
        if lost >= _FEWEST_MISSING and lost > _MOST_MISSING * chunks:
            raise IndexingError(
                f"The index lacks {lost} of {chunks} chunks of {self.ledger.pipeline} that the "
                f"ledger {self.ledger.database.name} says it holds. It may be another index, or "
                f"one restored from an old copy. If it is the right one, write what it lacks with "
                f"verify(repair=True) (managed-sync verify --repair)."
            )

    def _is_miscounted(self, names: Mapping[str, str]) -> bool:
        counts = [self.index.count(names), self.keywords.count(names) if self.keywords else None]
        chunks, uncertain, found = self.ledger.chunk_counts()
        most = chunks + found
        return any(
            counted is not None and not most - uncertain <= counted <= most for counted in counts
        )

    def _mend_keywords(self, names: Mapping[str, str] | None) -> None:
        """Makes the keyword index what the store is, as far as the store can be read.

        Args:
            names: The metadata of this pipeline's chunks; ``None`` if others may share it.
        """
        if self.keywords is None:
            return
        copied = removed = 0
        for page in self.ledger.pages():
            expected = expected_chunks(page)
            differences = self.keywords.differences(expected)
            copied += self.keywords.copy({key: expected[key] for key in differences})
        if names:
            removed = self.keywords.remove_orphans(names, self._own_chunks())
        if copied or removed:
            _logger.info(
                "Copied %d chunks of %s from the store to the keyword index, and removed %d there.",
                copied,
                self.ledger.pipeline,
                removed,
            )

    def _keyword_differences(self) -> dict[str, str | None]:
        """Returns the chunks that the keyword index does not hold as the ledger says."""
        if self.keywords is None:
            return {}
        pages = map(expected_chunks, self.ledger.pages())
        return {k: v for page in pages for k, v in self.keywords.differences(page).items()}

    def _names_in_index(self, existing: Sequence[str]) -> Mapping[str, str] | None:
        """Returns the metadata of this pipeline's chunks; ``None`` if others may share it."""
        names = self.index.names(existing[0]) if existing else None
        # The hosted API takes names that differ by case. It also takes the id of a sync in place of
        # its type, and then others have these names too.
        is_own = names is not None and [*map(lower_ascii, names)] == [
            *map(lower_ascii, self.ledger.pipeline)
        ]
        return names._asdict() if names is not None and is_own else None

    def _disagreements(self) -> Disagreements | None:
        every = Disagreements()
        for page in self.ledger.pages():
            found = self.index.disagreements(expected_chunks(page))
            if found is None:
                return None
            every.add(found)
        return every

    def _sample_vectors(self) -> list[str] | None:
        """Returns chunks of a sample whose vectors are not the model's; ``None`` if unknown."""
        sample = list(_one_chunk_each(self.ledger.sample(_VECTORS)))
        try:
            if not sample or self.target.probe() is None:
                return None
            return self.index.wrong_vectors(sample)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            _logger.warning("No vectors were compared, since the model failed: %s", error)
            return None

    def _invalidate(self, certain: ChunkHashes) -> None:
        """Marks the records of chunks to be indexed again.

        Args:
            certain: The chunks, with the hashes that are still certain.
        """
        for page in self.ledger.pages():
            self.ledger.begin(
                [
                    (record, {key: certain.get(key, old) for key, old in record.chunks.items()})
                    for record in page
                    if not certain.keys().isdisjoint(record.chunks)
                ]
            )

    def _write_down(self, unknown: Mapping[str, str | None]) -> None:
        """Adds chunks to their records in the ledger."""
        chunks_of: dict[str, dict[str, str | None]] = defaultdict(dict)
        for chunk_id, record_id in unknown.items():
            if record_id is not None:
                chunks_of[record_id][chunk_id] = None
        known = self.ledger.records(list(chunks_of)).values()
        own = [record for record in known if record.state is not RecordStatus.FOUND]
        self.ledger.begin(
            [(record, {**record.chunks, **chunks_of[record.record_id]}) for record in own]
        )
        for record in own:
            del chunks_of[record.record_id]
        self.ledger.note_found(chunks_of)
        if chunks_of:
            _logger.warning(
                "The index holds chunks of %d records of %s that the ledger %s does not know. "
                "Those that the API does not list stay: they may be another ledger's, such as "
                "another connected user's. Use one collection for each ledger; if there is no "
                "other one, remove them with verify(repair=True, remove_unknown=True) "
                "(managed-sync verify --repair --remove-unknown).",
                len(chunks_of),
                self.ledger.pipeline,
                self.ledger.database.name,
            )

    def _unknown_chunks(self, names: Mapping[str, str] | None) -> dict[str, str | None] | None:
        """Returns the pipeline's chunks that this ledger did not write, with their records."""
        if not names:
            return None
        own = self._own_chunks()
        unknown = self.index.unknown(names, own)
        return (
            {**self.keywords.unknown(names, own), **(unknown or {})} if self.keywords else unknown
        )

    def _own_chunks(self) -> set[str]:
        """Returns the chunks that this ledger wrote."""
        return {
            key
            for page in self.ledger.pages()
            for record in page
            if record.state is not RecordStatus.FOUND
            for key in record.chunks
        }


def _one_chunk_each(known: Sequence[LedgerRecord]) -> dict[str, str | None]:
    """Returns a chunk of each record, chosen at random, with its hashes."""
    return dict(random.choice(list(record.chunks.items())) for record in known)  # noqa: S311
