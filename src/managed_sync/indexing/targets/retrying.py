"""A target whose calls are made again, in smaller parts, until the chunks it refuses stand alone.

Guarantees:

- A chunk is only noted as refused if the target takes another one at about the same time. Otherwise
  the target is out of order, and what it did not take is left for another run.
- A target that says it is limited is waited for, and that is held against no chunk.
- A text is embedded once, however often its writing is tried.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence, Set

from managed_sync.documents import Chunk
from managed_sync.documents.vectors import Vector, similarity
from managed_sync.errors import IndexingError
from managed_sync.indexing.targets.base import EmbeddingTarget, IndexTarget
from managed_sync.indexing.targets.calls import Retries, TargetCalls, TimedCalls, out_of_order
from managed_sync.indexing.targets.partwise_call import Call, Item, PartwiseCall
from managed_sync.indexing.targets.renamed import metadata_target

__all__ = ["PROBE_ID", "RetryingTarget"]

_PROBE_TEXT = "The quick brown fox jumps over the lazy dog."
# Of a chunk that a target must take; it is in the index only while that is tried.
PROBE_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "https://managed-sync/probe"))
# Of an object that nobody has a right to, so that nobody can find it.
_PROBE_IDS = {"object_id": "managed_sync:probe", "chunk_id": PROBE_ID}
_PIPELINE = ("project_id", "integration", "sync_type")
# Services give vectors of the same text that differ by a little.
_SAME = 0.999


class RetryingTarget:
    """Embeds, writes and deletes in spite of failures that pass or that concern single chunks.

    Args:
        target: The index.
        batch_size: Chunks in one call, at most.
        retries: For calls that fail.
        stop: Ends waiting when it is set.
        timed: Makes the calls; several runs over one target share it if calls are timed.
        before_each_call: Raises where the run may not write any more.

    Attributes:
        left_out: Chunks of which nothing is known, since the index took nothing any more.
        can_update_metadata: Whether the target can change metadata without embedding.
        embedded_text: Gives the part of a chunk that goes into its vector, if the target says so.
        timed: Makes the calls, in time if calls are timed.
        has_left_probe: Whether the chunk ``PROBE_ID`` may still be in the index.
    """

    def __init__(
        self,
        target: IndexTarget,
        *,
        batch_size: int,
        retries: Retries,
        stop: threading.Event,
        timed: TimedCalls | None = None,
        before_each_call: Callable[[], None] = lambda: None,
    ) -> None:
        self._target = target
        self._batch_size = batch_size
        self.timed = timed or TimedCalls(retries.call_timeout)
        self._calls = TargetCalls(retries, self.timed, stop, before_each_call)
        self.left_out: Set[str] = self._calls.left_out
        self.has_left_probe = False
        self._probe_vector: Vector | None = None
        self._embedding: EmbeddingTarget | None = None
        if isinstance(target, EmbeddingTarget) and target.can_embed:
            self._embedding = target
        self._updating = metadata_target(target)
        self.embedded_text = self._updating.embedded_text if self._updating else None
        self.can_update_metadata = bool(self._updating and self._updating.can_update_metadata)

    def upsert(self, chunks: Sequence[Chunk], present: Set[str]) -> dict[str, str]:
        """Embeds and writes chunks; returns the reason for each one that was not written.

        Args:
            chunks: The chunks.
            present: The ids of chunks that may be in the index already.
        """
        reasons: dict[str, str] = {}
        refused: Counter[str] = Counter()
        embedding, vectors, there = self._embedding, dict[str, Vector](), set(present)

        def embed(part: Sequence[Chunk]) -> None:
            assert embedding is not None  # noqa: S101 - called only then
            found = embedding.embed(part)
            self._raise_unless_alike(found)
            vectors.update(zip((chunk.chunk_id for chunk in part), found, strict=True))

        def write(part: Sequence[Chunk]) -> None:
            ids = [chunk.chunk_id for chunk in part]
            replaced = there & set(ids)
            # A call that fails may have written all the same.
            there.update(ids)
            if embedding is None:
                self._target.upsert(part, present=replaced)
            else:
                embedding.write(part, [vectors[key] for key in ids], replaced)

        for start in range(0, len(chunks), self._batch_size):
            part = chunks[start : start + self._batch_size]
            if embedding is not None:
                vectors.clear()
                self._carry_out("embed", part, embed, reasons, refused)
                part = [chunk for chunk in part if chunk.chunk_id in vectors]
            self._carry_out("write", part, write, reasons, refused)
        return reasons

    def update_metadata(self, chunks: Sequence[Chunk]) -> dict[str, str]:
        """Writes the metadata of chunks; returns the reason for each one where it failed."""
        if self._updating is None or not self.can_update_metadata:
            return {}
        return self._in_batches("update", chunks, self._updating.update_metadata)

    def delete(self, chunk_ids: Sequence[str]) -> dict[str, str]:
        """Removes chunks; returns the reason for each one that may still be there."""
        return self._in_batches("delete", chunk_ids, self._target.delete)

    def probe(self) -> Vector | None:
        """Returns the model's vector of a text that is always the same, if it gives one.

        No cache around the model is asked. A model whose vectors are random has none.
        """
        embedding, probe = self._embedding, Chunk(_PROBE_TEXT, _PROBE_IDS)
        if embedding is None:
            return None
        first, second = self.timed.value(lambda: embedding.embed([probe, probe], cached=False))
        self._probe_vector = first
        return first if similarity(first, second) > _SAME else None

    def raise_if_out_of_order(self) -> None:
        """Raises if the target takes nothing any more.

        Raises:
            IndexingError: It takes not even a chunk of this package's own, or still says that it
                is limited after all patience.
        """
        error = self._calls.out_of_order
        if error is not None:
            raise error from error.__cause__

    def _in_batches(self, kind: str, items: Sequence[Item], call: Call) -> dict[str, str]:
        reasons: dict[str, str] = {}
        refused: Counter[str] = Counter()
        for start in range(0, len(items), self._batch_size):
            self._carry_out(kind, items[start : start + self._batch_size], call, reasons, refused)
        return reasons

    def _carry_out(
        self,
        kind: str,
        items: Sequence[Item],
        call: Call,
        reasons: dict[str, str],
        refused: Counter[str],
    ) -> None:
        """Makes a call with items, and in smaller and smaller parts if it fails."""
        call_in_parts = PartwiseCall(self._calls, self._is_working, kind, call, reasons, refused)
        call_in_parts.carry_out(items)

    def _raise_unless_alike(self, vectors: Sequence[Vector]) -> None:
        usual = self._probe_vector
        for vector in vectors:
            if usual is not None and len(vector) != len(usual):
                raise IndexingError(
                    f"The embedding model returned a vector of {len(vector)} dimensions, and of "
                    f"{len(usual)} for another text."
                )

    def _is_working(self, kind: str, item: Item) -> bool:
        """Returns whether the target takes a chunk that it has no reason to refuse."""
        if self._calls.out_of_order is None:
            error = self._calls.attempt(lambda: self._try_probe(kind, item))
            if error is not None and self._calls.out_of_order is None:
                self._calls.out_of_order = out_of_order(kind, error)
        return self._calls.out_of_order is None

    def _try_probe(self, kind: str, item: Item) -> None:
        if isinstance(item, Chunk):
            pipeline = {name: item.metadata[name] for name in _PIPELINE if name in item.metadata}
            self._write_probe(kind, Chunk(_PROBE_TEXT, {**_PROBE_IDS, **pipeline}))
        if kind != "embed":
            self._target.delete([PROBE_ID])
            self.has_left_probe = False

    def _write_probe(self, kind: str, probe: Chunk) -> None:
        if self._embedding is None:
            self.has_left_probe = True
            self._target.upsert([probe], present={PROBE_ID})
            return
        if kind == "embed" or self._probe_vector is None:
            (self._probe_vector,) = self._embedding.embed([probe], cached=False)
        if kind != "embed":
            self.has_left_probe = True
            self._embedding.write([probe], [self._probe_vector], {PROBE_ID})
