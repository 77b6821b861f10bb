"""What an index holds of a pipeline, next to what the ledger says that it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from managed_sync.documents import Chunk
from managed_sync.errors import ManagedSyncError
from managed_sync.indexing.diff import is_without_text, mark_of, text_mark
from managed_sync.indexing.ledger.model import Entry, Pipeline, State
from managed_sync.indexing.targets.base import (
    EmbeddingTarget,
    IndexTarget,
    InspectableTarget,
    ReadableTarget,
    RelabelingTarget,
    StoredChunk,
)
from managed_sync.indexing.targets.patience import TimedCalls
from managed_sync.indexing.targets.vectors import similarity

__all__ = ["Disagreements", "StoredIndex", "expected_chunks"]

_CHUNKS_AT_ONCE = 500
# Stores that keep vectors with fewer digits, and services that compute them anew, differ a little.
_SAME_VECTOR = 0.98


@dataclass(slots=True)
class Disagreements:
    """Chunks that the index does not hold as the ledger says, of some records.

    Attributes:
        missing: Those that are not there.
        changed: Those whose text or metadata is another, with the mark that is still certain: the
            text's, if that is what was written.
        duplicates: Those that are there more than once.
        is_read: Whether the store gave back texts and metadata as it holds them. If not, nothing
            is known of changes.
        is_counted: Whether the store gave back every copy.
    """

    missing: set[str] = field(default_factory=set)
    changed: dict[str, str | None] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    is_read: bool = True
    is_counted: bool = True

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.duplicates)

    def add(self, other: Disagreements) -> None:
        """Adds those of other records."""
        self.missing |= other.missing
        self.changed |= other.changed
        self.duplicates |= other.duplicates
        self.is_read &= other.is_read
        self.is_counted &= other.is_counted

    @property
    def marks(self) -> dict[str, str | None]:
        """What is still certain of each of these chunks."""
        return {**self.changed, **dict.fromkeys((*self.missing, *self.duplicates))}


class StoredIndex:
    """An index that can be read, as far as its store can.

    Args:
        target: The index.
        calls: Makes the calls.
    """

    def __init__(self, target: IndexTarget, calls: TimedCalls) -> None:
        self._calls = calls
        self._target = target
        self._readable = target if isinstance(target, ReadableTarget) else None
        self._inspectable = target if isinstance(target, InspectableTarget) else None
        self._embedding = target if isinstance(target, EmbeddingTarget) else None
        self._relabeling = target if isinstance(target, RelabelingTarget) else None

    def disagreements(self, expected: Mapping[str, str | None]) -> Disagreements | None:
        """Compares chunks with their marks; ``None`` if the store cannot say.

        Args:
            expected: The ids and marks of chunks that should be there; no mark says that only the
                id is known.
        """
        found, ids = Disagreements(is_counted=self._readable is not None), list(expected)
        for start in range(0, len(ids), _CHUNKS_AT_ONCE):
            part = ids[start : start + _CHUNKS_AT_ONCE]
            stored = self._stored(part)
            if stored is None:
                return None
            copies = Counter(chunk.chunk_id for chunk in stored)
            found.missing |= {key for key in part if not copies[key]}
            found.duplicates |= {key for key in part if copies[key] > 1}
            for chunk in stored:
                found.is_read &= chunk.metadata is not None
                mark = expected.get(chunk.chunk_id)
                certain = self._certain_mark(chunk, mark)
                if certain != mark:
                    found.changed[chunk.chunk_id] = certain
        return found

    def unlike(self, chunk_ids: Sequence[str]) -> list[str] | None:
        """Those of some chunks whose vector the model does not give now; ``None`` if unknown."""
        embedding = self._embedding
        if embedding is None or self._readable is None or not embedding.can_embed:
            return None
        stored = self._read(chunk_ids, vectors=True) or []
        kept = [(each, _as_chunk(each)) for each in stored if each.vector is not None]
        known = [(each, chunk) for each, chunk in kept if chunk is not None]
        if not known:
            return None
        vectors = self._calls.value(lambda: embedding.embed([chunk for _, chunk in known]))
        return [
            each.chunk_id
            for (each, _), vector in zip(known, vectors, strict=True)
            if similarity(each.vector or [], vector) < _SAME_VECTOR
        ]

    def names(self, chunk_id: str) -> Pipeline | None:
        """The project, integration and sync type that a chunk in the index bears."""
        for chunk in self._read([chunk_id]) or ():
            if chunk.metadata and all(name in chunk.metadata for name in Pipeline._fields):
                return Pipeline(*(str(chunk.metadata[name]) for name in Pipeline._fields))
        return None

    def count(self, names: Mapping[str, str]) -> int | None:
        """How many chunks have this metadata; ``None`` if the store cannot say."""
        readable = self._readable
        return self._calls.value(lambda: readable.count(names)) if readable else None

    def unknown(
        self, names: Mapping[str, str], known: Collection[str]
    ) -> dict[str, str | None] | None:
        """The chunks with this metadata that are not known, with the records that they name.

        Only a chunk that bears this metadata as it is read back counts: a store may ignore what it
        is to filter by. ``None`` if the store cannot say.

        Args:
            names: The metadata.
            known: The ids of those that are left out.
        """
        inspectable = self._inspectable

        def listed() -> set[str] | None:
            # All of it first: what follows may remove from the store that is being read.
            held = inspectable.chunk_ids(names) if inspectable else None
            return None if held is None else set(held)

        held = self._calls.value(listed)
        if held is None:
            return None
        unknown = sorted(key for key in held if key not in known)
        records: dict[str, str | None] = {}
        for start in range(0, len(unknown), _CHUNKS_AT_ONCE):
            for chunk in self._read(unknown[start : start + _CHUNKS_AT_ONCE]) or ():
                metadata = chunk.metadata or {}
                if all(metadata.get(name) == value for name, value in names.items()):
                    record_id = metadata.get("record_id")
                    records[chunk.chunk_id] = record_id if isinstance(record_id, str) else None
        return records

    def _stored(self, ids: Sequence[str]) -> Sequence[StoredChunk] | None:
        if self._readable is not None:
            return self._read(ids)
        inspectable = self._inspectable
        held = self._calls.value(lambda: inspectable.held(ids)) if inspectable else None
        if held is None:
            return None
        return [StoredChunk(key, "", None) for key in sorted(set(ids) & held)]

    def _read(self, ids: Sequence[str], *, vectors: bool = False) -> Sequence[StoredChunk] | None:
        """What is there under some ids; what a store returns beyond them is not believed."""
        readable, wanted = self._readable, set(ids)
        if readable is None:
            return None
        found = self._calls.value(lambda: readable.read(ids, vectors=vectors))
        return None if found is None else [each for each in found if each.chunk_id in wanted]

    def _certain_mark(self, stored: StoredChunk, mark: str | None) -> str | None:
        """As much of a mark as is true of a stored chunk."""
        if mark is None or stored.metadata is None:
            return mark
        chunk = _as_chunk(stored)
        if chunk is None:
            return None
        relabeling = None if is_without_text(mark) else self._relabeling
        found = mark_of(chunk, relabeling.embedded_text if relabeling else None)
        if found == mark:
            return mark
        is_same_text = text_mark(found) == text_mark(mark)
        return text_mark(mark) if is_same_text and relabeling else None


def expected_chunks(entries: Sequence[Entry]) -> dict[str, str | None]:
    """The chunks that should be in the index of some records, with their marks.

    What is not certain of a record in between is written again by the next run anyway.
    """
    return {
        key: mark
        for entry in entries
        for key, mark in entry.chunks.items()
        if mark is not None or entry.state is State.INDEXED
    }


def _as_chunk(stored: StoredChunk) -> Chunk | None:
    """A stored chunk, without what its store adds; ``None`` if it lost what a chunk needs."""
    metadata = {
        key: value
        for key, value in (stored.metadata or {}).items()
        if value is not None and not key.startswith("_")
    }
    try:
        return Chunk(stored.text, metadata)
    except ManagedSyncError:
        return None
