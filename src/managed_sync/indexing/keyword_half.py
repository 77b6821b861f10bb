"""The keyword index beside a vector store, compared with the ledger and filled from the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from managed_sync.indexing.diff import text_hash
from managed_sync.indexing.ledger.model import ChunkHashes
from managed_sync.indexing.stored_index import Disagreements, StoredIndex
from managed_sync.indexing.targets.base import IndexTarget
from managed_sync.indexing.targets.calls import TimedCalls

if TYPE_CHECKING:
    from managed_sync.keywords import KeywordIndex

__all__ = ["KeywordHalf"]

_CHUNKS_AT_ONCE = 500


class KeywordHalf:
    """A keyword index that is to hold what the store holds.

    Args:
        keywords: The keyword index.
        target: The store, as a target.
        store: The store, to read from.
        timed: Makes the calls.
    """

    def __init__(
        self, keywords: KeywordIndex, target: IndexTarget, store: StoredIndex, timed: TimedCalls
    ) -> None:
        self._keywords = keywords
        self._store = store
        self._index = StoredIndex(keywords, timed, hashed_by=target)

    def differences(self, expected: ChunkHashes) -> dict[str, str | None]:
        """Returns the chunks that the keyword index does not hold as they should be.

        Each has the hash that is certain of both halves: the text's, so that a store that can
        change metadata needs no new vector.

        Args:
            expected: The chunks that should be there, with their hashes.
        """
        found = self._index.disagreements(expected) or Disagreements()
        return {
            key: None if (hashes := expected[key]) is None else text_hash(hashes)
            for key in (*found.missing, *found.changed)
        }

    def copy(self, expected: ChunkHashes) -> int:
        """Copies chunks from the store, if it returns them as they should be; returns their number.

        Args:
            expected: The chunks, with their hashes.
        """
        ids, count = list(expected), 0
        for start in range(0, len(ids), _CHUNKS_AT_ONCE):
            part = {key: expected[key] for key in ids[start : start + _CHUNKS_AT_ONCE]}
            chunks = self._store.intact_chunks(part)
            self._keywords.upsert(chunks)
            count += len(chunks)
        return count

    def remove_orphans(self, names: Mapping[str, str], known: Collection[str]) -> int:
        """Removes chunks that the store does not hold; returns their number.

        A chunk is written to the store first, so these were left by something that removed it
        there without the keyword index, such as a run without one.

        Args:
            names: The metadata of the pipeline's chunks.
            known: The chunks of the ledger, which stay.
        """
        unknown = list(self.unknown(names, known))
        held = self._store.existing(unknown)
        orphans = [] if held is None else [key for key in unknown if key not in held]
        self._keywords.delete(orphans)
        return len(orphans)

    def unknown(self, names: Mapping[str, str], known: Collection[str]) -> dict[str, str | None]:
        """Returns the chunks with this metadata that are not known, with the records they name.

        Args:
            names: The metadata.
            known: The ids of chunks to leave out.
        """
        return self._index.unknown(names, known) or {}

    def count(self, names: Mapping[str, str]) -> int:
        """Counts the chunks that have this metadata."""
        return self._index.count(names) or 0
