"""Writes records into the index, in batches and in an order that survives a stop anywhere.

For each batch, in this order: the ledger notes every chunk that the index may hold from now on;
new chunks are written; old ones are removed; the ledger notes that it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from managed_sync.documents import Chunk, Loaded, SourceDocument
from managed_sync.documents.model import utf8
from managed_sync.indexing.diff import ChunkDiff, diff_record
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import LedgerRecord, RecordJob, RecordResult
from managed_sync.indexing.progress import Tally
from managed_sync.indexing.targets.retrying import PROBE_ID, RetryingTarget

__all__ = ["Writer"]

_RECORDS_AT_ONCE = 200
_CHARACTERS_AT_ONCE = 100_000


@dataclass(slots=True)
class Writer:
    """Applies records to a target and a ledger, in batches, and counts.

    Args:
        ledger: The pipeline's.
        target: The index.
        split: Splits documents.
        tally: The counts.
    """

    ledger: PipelineLedger
    target: RetryingTarget
    split: Callable[[SourceDocument], Sequence[Chunk]]
    tally: Tally
    _waiting: list[tuple[RecordJob, Loaded]] = field(default_factory=list)
    _characters: int = 0

    def add(self, job: RecordJob, loaded: Loaded) -> None:
        """Takes a record, and writes when there is enough for a batch.

        Raises:
            IndexingError: The index or the ledger cannot be used at all.
        """
        self._waiting.append((job, loaded))
        if isinstance(loaded, SourceDocument):
            for text in (loaded.text, *(part.text for part in loaded.parts)):
                self._characters += len(text)
                self.tally.bytes += len(utf8(text))
        if self._characters >= _CHARACTERS_AT_ONCE or len(self._waiting) >= _RECORDS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes the records that were taken and are not written yet.

        Raises:
            IndexingError: The index or the ledger cannot be used at all.
        """
        batch, self._waiting, self._characters = self._waiting, [], 0
        if not batch:
            return
        known = self.ledger.records([job.record_id for job, _ in batch])
        diffs = [
            diff_record(
                job,
                loaded,
                known.get(job.record_id) or LedgerRecord(job.record_id, title=loaded.title),
                self.split,
                self.target.embedded_text,
                can_update_metadata=self.target.can_update_metadata,
            )
            for job, loaded in batch
        ]
        self._carry_out([diff for diff in diffs if diff.touches_index])
        # Records with chunks that were left out stay in flight for the next run, which does not
        # embed again what is written already.
        in_flight, ended = list[ChunkDiff](), list[ChunkDiff]()
        for diff in diffs:
            (in_flight if self._is_left_out(diff) else ended).append(diff)
        self.ledger.begin(
            [(diff.known, diff.chunks_in_flight(self.target.left_out)) for diff in in_flight]
        )
        self.ledger.finish([diff.result() for diff in ended])
        for diff in ended:
            self._count(diff)
        self.target.raise_if_out_of_order()

    def remove(self, record_ids: Sequence[str]) -> None:
        """Removes records, and forgets them.

        Raises:
            IndexingError: The index or the ledger cannot be used.
        """
        known = self.ledger.records(record_ids).values()
        # Written down first: a run that stops after this must look at them again.
        self.ledger.begin([(record, dict.fromkeys(record.chunks)) for record in known])
        reasons = self.target.delete([key for record in known for key in sorted(record.chunks)])
        removed, failed = [], list[RecordResult]()
        for record in known:
            remaining = dict.fromkeys(key for key in record.chunks if key in reasons)
            if remaining:
                reason = reasons[next(iter(remaining))]
                failed.append(
                    RecordResult(
                        record.record_id,
                        record.version or "",
                        record.title,
                        record.digest,
                        remaining,
                        f"{record.title} could not be removed: {reason}",
                    )
                )
            elif self.target.left_out.isdisjoint(record.chunks):
                removed.append(record)
        self.ledger.finish(failed)
        self.ledger.forget([record.record_id for record in removed])
        # The index held nothing of the others.
        self.tally.deleted += sum(bool(record.chunks) for record in removed)
        self.tally.failed += len(failed)
        self.target.raise_if_out_of_order()

    def _carry_out(self, diffs: Sequence[ChunkDiff]) -> None:
        if not diffs:
            return
        in_flight = [(diff.known, diff.chunks_in_flight()) for diff in diffs]
        # Where the index refuses a chunk, it is tried with a chunk of this package's own.
        in_flight[0][1][PROBE_ID] = None
        self.ledger.begin(in_flight)
        present = {chunk_id for diff in diffs for chunk_id in diff.known.chunks}
        to_embed = [chunk for diff in diffs for chunk in diff.to_embed]
        to_update = [chunk for diff in diffs for chunk in diff.to_update]
        reasons = self.target.upsert(to_embed, present)
        if to_update:
            reasons |= self.target.update_metadata(to_update)
        for diff in diffs:
            touched = (chunk.chunk_id for chunk in (*diff.to_embed, *diff.to_update))
            diff.failures = {key: reasons[key] for key in touched if key in reasons}
        whole = [diff for diff in diffs if not diff.failures and not self._is_left_out(diff)]
        if stale := [chunk_id for diff in whole for chunk_id in diff.stale]:
            kept = self.target.delete(stale)
            for diff in whole:
                diff.not_removed = {key: kept[key] for key in diff.stale if key in kept}
        if self.target.has_left_probe:
            # The record that made it necessary remembers it.
            failed = (diff for diff in diffs if diff.failures or self._is_left_out(diff))
            next(failed, diffs[0]).not_removed[PROBE_ID] = (
                "The index did not remove a chunk that tried it."
            )

    def _is_left_out(self, diff: ChunkDiff) -> bool:
        return not (
            diff.is_unchanged or self.target.left_out.isdisjoint((*diff.chunk_hashes, *diff.stale))
        )

    def _count(self, diff: ChunkDiff) -> None:
        tally = self.tally
        tally.chunks_embedded += sum(chunk.chunk_id not in diff.failures for chunk in diff.to_embed)
        tally.chunks_reused += diff.reused
        has_failed = bool(diff.failures or diff.not_removed)
        if diff.is_empty and not has_failed:
            tally.skipped += 1
        elif has_failed or diff.error is not None:
            tally.failed += 1
        elif diff.is_unchanged:
            tally.unchanged += 1
        elif diff.job.is_new:
            tally.added += 1
        else:
            tally.updated += 1
