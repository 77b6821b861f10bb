"""Writes records into the index, many at once, so that a stop anywhere can be mended.

For each batch, in this order: the ledger notes every chunk that the index may hold from now on;
new chunks are written; old ones are removed; the ledger notes that it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.documents.model import utf8
from managed_sync.indexing.diff import Change, Work, change_for, unchanged
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import Entry, Outcome
from managed_sync.indexing.targets.retrying import PROBE_ID, PersistentTarget

__all__ = ["Tally", "Writer"]

_RECORDS_AT_ONCE = 200
_CHARACTERS_AT_ONCE = 100_000


@dataclass(slots=True)
class Tally:
    """What was done so far."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: int = 0
    skipped: int = 0
    chunks_embedded: int = 0
    chunks_reused: int = 0
    bytes: int = 0


class Writer:
    """Applies records to a target and a ledger, in batches, and counts.

    Args:
        ledger: The pipeline's.
        target: The index.
        split: Cuts documents.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        target: PersistentTarget,
        split: Callable[[SourceDocument], Sequence[Chunk]],
    ) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._target = target
        self._split = split
        self._waiting: list[Work] = []
        self._characters = 0

    def add(self, work: Work) -> None:
        """Takes a record; writes when there is enough for a batch.

        Raises:
            IndexingError: The index or the ledger cannot be used at all.
        """
        self._waiting.append(work)
        if work.document is not None:
            self._characters += len(work.document.text)
        if self._characters >= _CHARACTERS_AT_ONCE or len(self._waiting) >= _RECORDS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken and is not written yet.

        Raises:
            IndexingError: The index or the ledger cannot be used at all.
        """
        works, self._waiting, self._characters = self._waiting, [], 0
        if not works:
            return
        known = self._ledger.entries([work.record_id for work in works])
        outcomes, changes = [], []
        for work in works:
            entry = known.get(work.record_id) or Entry(work.record_id, title=work.title)
            self._count_bytes(work)
            change = change_for(
                work,
                entry,
                self._split,
                self._target.embedded_text,
                can_relabel=self._target.relabeling is not None,
            )
            if change is None:
                outcomes.append(unchanged(work, entry))
                self.tally.failed += work.reason is not None
                self.tally.unchanged += work.reason is None
            else:
                changes.append(change)
        self._carry_out([change for change in changes if change.touches_the_index])
        # Records with passages that were left out stay in between, for the next run, which does not
        # embed again what is written already.
        left_out = [change for change in changes if self._is_left_out(change)]
        self._ledger.begin(
            [(change.known, change.chunks_in_between(self._target.left_out)) for change in left_out]
        )
        ended = [change for change in changes if not self._is_left_out(change)]
        self._ledger.finish([*outcomes, *(change.outcome() for change in ended)])
        for change in ended:
            self._count(change)
        self._target.raise_if_out_of_order()

    def remove(self, record_ids: Sequence[str]) -> None:
        """Removes records, and forgets them.

        Raises:
            IndexingError: The index or the ledger cannot be used.
        """
        entries = self._ledger.entries(record_ids)
        # Written down first: a run that stops in between must look at them again.
        self._ledger.begin([(entry, dict.fromkeys(entry.chunks)) for entry in entries.values()])
        reasons = self._target.delete(
            [key for entry in entries.values() for key in sorted(entry.chunks)]
        )
        left_out = self._target.left_out
        removed, failed = [], list[Outcome]()
        for entry in entries.values():
            remaining = dict.fromkeys(key for key in entry.chunks if key in reasons)
            if remaining:
                failed.append(_not_removed(entry, remaining, reasons))
            elif left_out.isdisjoint(entry.chunks):
                removed.append(entry)
        self._ledger.finish(failed)
        self._ledger.forget([entry.record_id for entry in removed])
        # Of the others there was nothing in the index.
        self.tally.deleted += sum(bool(entry.chunks) for entry in removed)
        self.tally.failed += len(failed)
        self._target.raise_if_out_of_order()

    def _carry_out(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        about = [(change.known, change.chunks_in_between()) for change in changes]
        # Where the index refuses something, it is tried with a chunk of its own.
        about[0][1][PROBE_ID] = None
        self._ledger.begin(about)
        present = {chunk_id for change in changes for chunk_id in change.known.chunks}
        embedding = [chunk for change in changes for chunk in change.to_embed]
        relabeling = [chunk for change in changes for chunk in change.to_relabel]
        reasons = self._target.upsert(embedding, present) | self._target.relabel(relabeling)
        for change in changes:
            touched = (chunk.chunk_id for chunk in (*change.to_embed, *change.to_relabel))
            change.failures = {key: reasons[key] for key in touched if key in reasons}
        whole = [
            change for change in changes if not change.failures and not self._is_left_out(change)
        ]
        kept = self._target.delete([chunk_id for change in whole for chunk_id in change.stale])
        for change in whole:
            change.not_removed = {key: kept[key] for key in change.stale if key in kept}
        if self._target.has_left_probe:
            # Whoever made it necessary remembers it.
            failed = (one for one in changes if one.failures or self._is_left_out(one))
            next(failed, changes[0]).not_removed[PROBE_ID] = (
                "The index did not remove a chunk that tried it."
            )

    def _is_left_out(self, change: Change) -> bool:
        return not self._target.left_out.isdisjoint((*change.marks, *change.stale))

    def _count_bytes(self, work: Work) -> None:
        if work.document is not None:
            self.tally.bytes += len(utf8(work.document.text))

    def _count(self, change: Change) -> None:
        tally = self.tally
        tally.chunks_embedded += sum(
            chunk.chunk_id not in change.failures for chunk in change.to_embed
        )
        tally.chunks_reused += change.reused
        if change.work.is_empty and not (change.failures or change.not_removed):
            tally.skipped += 1
        elif change.failures or change.not_removed or change.work.reason is not None:
            tally.failed += 1
        elif change.work.is_new:
            tally.added += 1
        else:
            tally.updated += 1


def _not_removed(
    entry: Entry, remaining: Mapping[str, str | None], reasons: Mapping[str, str]
) -> Outcome:
    """The outcome for a record that is gone, of which some passages are still in the index."""
    reason = f"{entry.title} could not be removed: {reasons[next(iter(remaining))]}"
    return Outcome(
        entry.record_id, entry.version or "", entry.title, entry.digest, remaining, reason
    )
