"""Compares the chunks that an index holds of a pipeline with the ledger's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from managed_sync.documents import Chunk
from managed_sync.documents.vectors import similarity
from managed_sync.errors import ManagedSyncError
from managed_sync.indexing.diff import chunk_hash, has_text_hash, text_hash
from managed_sync.indexing.ledger.model import ChunkHashes, LedgerRecord, Pipeline, RecordStatus
from managed_sync.indexing.targets.base import (
    EmbeddingTarget,
    IndexTarget,
    ReadableTarget,
    StoredChunk,
)
from managed_sync.indexing.targets.calls import TimedCalls
from managed_sync.indexing.targets.renamed import inspectable_target, metadata_target

__all__ = ["Disagreements", "StoredIndex", "expected_chunks"]

_CHUNKS_AT_ONCE = 500
# Stores that keep vectors with fewer digits, and services that compute them again, differ a little.
_SAME_VECTOR = 0.98


@dataclass(slots=True)
class Disagreements:
    """Chunks that the index does not hold as the ledger says.

    Attributes:
        missing: Chunks that are not there.
        changed: Chunks with another text or metadata, with the hash that is still certain: the
            text's, if that is what was written.
        duplicates: Chunks that are there more than once.
        is_read: Whether the store returned texts and metadata as it holds them. If not, nothing is
            known of changes.
        is_counted: Whether the store returned every copy.
    """

    missing: set[str] = field(default_factory=set)
    changed: dict[str, str | None] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    is_read: bool = True
    is_counted: bool = True

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.duplicates)

    def add(self, other: Disagreements) -> None:
        """Adds the disagreements of other records."""
        self.missing |= other.missing
        self.changed |= other.changed
        self.duplicates |= other.duplicates
        self.is_read &= other.is_read
        self.is_counted &= other.is_counted

    @property
    def certain_hashes(self) -> dict[str, str | None]:
        """The hash of each of these chunks that is still certain."""
        return {**self.changed, **dict.fromkeys((*self.missing, *self.duplicates))}


class StoredIndex:
    """An index that can be read, as far as its store can.

    Args:
        target: The index.
        timed: Makes the calls.
        hashed_by: The target that says which part of a chunk the ledger's hashes cover; by default
            the index itself.
    """

    def __init__(
        self, target: IndexTarget, timed: TimedCalls, *, hashed_by: IndexTarget | None = None
    ) -> None:
        self._timed = timed
        self._readable = target if isinstance(target, ReadableTarget) else None
        self._inspectable = inspectable_target(target)
        self._embedding = target if isinstance(target, EmbeddingTarget) else None
        self._updating = metadata_target(hashed_by or target)

    def disagreements(self, expected: ChunkHashes) -> Disagreements | None:
        """Compares chunks with their hashes; ``None`` if the store cannot say.

        Args:
            expected: The chunks that should be there, with their hashes; ``None`` in place of them
                says that only the id is known.
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
                hashes = expected.get(chunk.chunk_id)
                certain = self._certain_hash(chunk, hashes)
                if certain != hashes:
                    found.changed[chunk.chunk_id] = certain
        return found

    def intact_chunks(self, expected: ChunkHashes) -> list[Chunk]:
        """Returns the stored chunks that are as they should be, if the store returns them so.

        Args:
            expected: The chunks, with their hashes.
        """
        stored = [each for each in self._read(list(expected)) or () if each.metadata is not None]
        return [
            chunk
            for each in stored
            if self._certain_hash(each, expected[each.chunk_id]) == expected[each.chunk_id]
            and (chunk := _as_chunk(each)) is not None
        ]

    def existing(self, ids: Sequence[str]) -> set[str] | None:
        """Returns those chunks that are there; ``None`` if the store cannot say."""
        stored = self._stored(ids)
        return None if stored is None else {each.chunk_id for each in stored}

    def wrong_vectors(self, chunk_ids: Sequence[str]) -> list[str] | None:
        """Returns the chunks whose vector the model does not give now; ``None`` if unknown."""
        embedding = self._embedding
        if embedding is None or self._readable is None or not embedding.can_embed:
            return None
        stored = self._read(chunk_ids, vectors=True) or []
        kept = [(each, _as_chunk(each)) for each in stored if each.vector is not None]
        known = [(each, chunk) for each, chunk in kept if chunk is not None]
        if not known:
            return None
        vectors = self._timed.value(lambda: embedding.embed([chunk for _, chunk in known]))
        return [
            each.chunk_id
            for (each, _), vector in zip(known, vectors, strict=True)
            if similarity(each.vector or [], vector) < _SAME_VECTOR
        ]

    def names(self, chunk_id: str) -> Pipeline | None:
        """Returns the pipeline that a chunk's metadata in the index names."""
        for chunk in self._read([chunk_id]) or ():
            if chunk.metadata and all(name in chunk.metadata for name in Pipeline._fields):
                return Pipeline(*(str(chunk.metadata[name]) for name in Pipeline._fields))
        return None

    def count(self, names: Mapping[str, str]) -> int | None:
        """Counts the chunks that have this metadata; ``None`` if the store cannot say."""
        readable = self._readable
        return self._timed.value(lambda: readable.count(names)) if readable else None

    def unknown(
        self, names: Mapping[str, str], known: Collection[str]
    ) -> dict[str, str | None] | None:
        """Returns the chunks with this metadata that are not known, with the records they name.

        Only a chunk that has this metadata when it is read back counts, since a store may ignore a
        filter. ``None`` if the store cannot say.

        Args:
            names: The metadata.
            known: The ids of chunks to leave out.
        """
        inspectable = self._inspectable

        def listed() -> set[str] | None:
            # All ids first: the caller may remove chunks from the store that is being read.
            ids = inspectable.chunk_ids(names) if inspectable else None
            return None if ids is None else set(ids)

        existing = self._timed.value(listed)
        if existing is None:
            return None
        unknown = sorted(key for key in existing if key not in known)
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
        existing = self._timed.value(lambda: inspectable.existing_ids(ids)) if inspectable else None
        if existing is None:
            return None
        return [StoredChunk(key, "", None) for key in sorted(set(ids) & existing)]

    def _read(self, ids: Sequence[str], *, vectors: bool = False) -> Sequence[StoredChunk] | None:
        """Returns the chunks with these ids; others that a store returns are ignored."""
        readable, wanted = self._readable, set(ids)
        if readable is None:
            return None
        found = self._timed.value(lambda: readable.read(ids, vectors=vectors))
        return None if found is None else [each for each in found if each.chunk_id in wanted]

    def _certain_hash(self, stored: StoredChunk, hashes: str | None) -> str | None:
        """Returns the part of a chunk's hashes that is true of the stored chunk."""
        if hashes is None or stored.metadata is None:
            return hashes
        chunk = _as_chunk(stored)
        if chunk is None:
            return None
        updating = self._updating if has_text_hash(hashes) else None
        found = chunk_hash(chunk, updating.embedded_text if updating else None)
        if found == hashes:
            return hashes
        is_same_text = text_hash(found) == text_hash(hashes)
        return text_hash(hashes) if is_same_text and updating else None


def expected_chunks(known: Sequence[LedgerRecord]) -> dict[str, str | None]:
    """Returns the chunks that should be in the index of some records, with their hashes.

    A chunk of a record in flight that is not certain is written again by the next run anyway.
    """
    return {
        key: hashes
        for record in known
        for key, hashes in record.chunks.items()
        if hashes is not None or record.state is RecordStatus.INDEXED
    }


def _as_chunk(stored: StoredChunk) -> Chunk | None:
    """Returns a stored chunk without the fields its store adds; ``None`` if it lost its ids."""
    metadata = {
        key: value
        for key, value in (stored.metadata or {}).items()
        if value is not None and not key.startswith("_")
    }
    try:
        return Chunk(stored.text, metadata)
    except ManagedSyncError:
        return None
