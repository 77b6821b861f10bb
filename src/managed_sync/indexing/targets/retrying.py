"""A target that is asked again, in smaller parts, until the chunks it refuses stand alone.

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
from managed_sync.documents.model import Metadata
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing.targets.base import EmbeddingTarget, IndexTarget, RelabelingTarget
from managed_sync.indexing.targets.partwise_call import Call, Item, PartwiseCall, reason_of
from managed_sync.indexing.targets.patience import (
    CallTimeoutError,
    Retries,
    TimedCalls,
    is_limited,
    requested_wait,
)
from managed_sync.indexing.targets.vectors import Vector, similarity
from managed_sync.logs import get_logger

__all__ = ["PROBE_ID", "PersistentTarget", "Retries", "Stopped"]

_logger = get_logger("managed_sync.indexing")

_PROBE_TEXT = "The quick brown fox jumps over the lazy dog."
# Of a chunk that a target must take; it is in the index only while that is tried.
PROBE_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "https://managed-sync/probe"))
_PIPELINE = ("project_id", "integration", "sync_type")
# Services give vectors of the same text that differ by a little.
_SAME = 0.999
_FIRST_LIMITED_WAIT = 1.0
_LONGEST_LIMITED_WAIT = 60.0


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run was told to stop while it waited."""


class PersistentTarget:
    """Embeds, writes and deletes in spite of failures that pass or that concern single chunks.

    Args:
        target: The index.
        batch_size: Chunks in one call, at most.
        retries: For calls that fail.
        stop: Ends waiting when it is set.
        calls: Makes the calls; several runs over one target share it if calls are timed.
        before_each_call: Raises where the run may not write any more.

    Attributes:
        left_out: Chunks that were not tried, or not with a result that says anything about them,
            since the index took nothing any more.
        relabeling: The target, if it can change metadata without embedding.
        embedded_text: What of a chunk goes into its vector, if the target says so.
        calls: Makes the calls, in time if they are timed.
        has_left_probe: Whether the chunk ``PROBE_ID`` may still be in the index.
    """

    def __init__(
        self,
        target: IndexTarget,
        *,
        batch_size: int,
        retries: Retries,
        stop: threading.Event,
        calls: TimedCalls | None = None,
        before_each_call: Callable[[], None] = lambda: None,
    ) -> None:
        self._target = target
        self._before_each_call = before_each_call
        self._batch_size = batch_size
        self._retries = retries
        self._stop = stop
        self.calls = calls or TimedCalls(retries.call_timeout)
        self.left_out: set[str] = set()
        self.has_left_probe = False
        self._out_of_order: IndexingError | None = None
        self._limits: dict[str, int] = {}
        self._probe_vector: Vector | None = None
        self._embedding: EmbeddingTarget | None = None
        self.relabeling: RelabelingTarget | None = None
        if isinstance(target, EmbeddingTarget) and target.can_embed:
            self._embedding = target
        self.embedded_text: Callable[[Chunk], str] | None = None
        if isinstance(target, RelabelingTarget):
            self.embedded_text = target.embedded_text
            self.relabeling = target if target.can_relabel else None

    def upsert(self, chunks: Sequence[Chunk], present: Set[str]) -> dict[str, str]:
        """Embeds and writes chunks; gives the reason for each one that was not written."""
        reasons: dict[str, str] = {}
        refused: Counter[str] = Counter()
        for start in range(0, len(chunks), self._batch_size):
            part = chunks[start : start + self._batch_size]
            if self._embedding:
                self._embed_and_write(self._embedding, part, present, reasons, refused)
            else:
                self._carry_out("write", part, self._upsertion(present), reasons, refused)
        return reasons

    def relabel(self, chunks: Sequence[Chunk]) -> dict[str, str]:
        """Writes the metadata of chunks; gives the reason for each one where it failed."""
        relabeling = self.relabeling
        return self._in_batches("relabel", chunks, relabeling.relabel) if relabeling else {}

    def delete(self, chunk_ids: Sequence[str]) -> dict[str, str]:
        """Removes chunks; gives the reason for each one that may still be there."""
        return self._in_batches("delete", chunk_ids, self._target.delete)

    def raise_if_out_of_order(self) -> None:
        """Raises if the target takes nothing any more.

        Raises:
            IndexingError: It takes not even a chunk of its own words, or still says that it is
                limited after all patience.
        """
        if self._out_of_order is not None:
            raise self._out_of_order from self._out_of_order.__cause__

    def _embed_and_write(
        self,
        embedding: EmbeddingTarget,
        chunks: Sequence[Chunk],
        present: Set[str],
        reasons: dict[str, str],
        refused: Counter[str],
    ) -> None:
        vectors: dict[str, Vector] = {}

        def embed(part: Sequence[Chunk]) -> None:
            found = embedding.embed(part)
            self._raise_unless_alike(found)
            vectors.update(zip((chunk.chunk_id for chunk in part), found, strict=True))

        there = set(present)

        def write(part: Sequence[Chunk]) -> None:
            ids = [chunk.chunk_id for chunk in part]
            replaced = there & set(ids)
            # A call that fails may have written all the same.
            there.update(ids)
            embedding.write(part, [vectors[key] for key in ids], replaced)

        self._carry_out("embed", chunks, embed, reasons, refused)
        embedded = [chunk for chunk in chunks if chunk.chunk_id in vectors]
        self._carry_out("write", embedded, write, reasons, refused)

    def probe(self) -> Vector | None:
        """Returns the model's vector of a text that is always the same, if it gives one.

        No cache around the model is asked. A model whose vectors are random has none.
        """
        embedding, probe = self._embedding, _probe({})
        if embedding is None:
            return None
        first, second = self.calls.value(lambda: embedding.embed([probe, probe], cached=False))
        self._probe_vector = first
        return first if similarity(first, second) > _SAME else None

    def _raise_unless_alike(self, vectors: Sequence[Vector]) -> None:
        usual = self._probe_vector
        for vector in vectors:
            if usual is not None and len(vector) != len(usual):
                raise IndexingError(
                    f"The embedding model returned a vector of {len(vector)} dimensions, and of "
                    f"{len(usual)} for another text."
                )

    def _upsertion(self, present: Set[str]) -> Call:
        there = set(present)

        def upsert(part: Sequence[Chunk]) -> None:
            ids = {chunk.chunk_id for chunk in part}
            replaced = there & ids
            # A call that fails may have written all the same.
            there.update(ids)
            self._target.upsert(part, present=replaced)

        return upsert

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
        PartwiseCall(self, kind, call, reasons, refused).carry_out(items)

    def attempt(self, call: Callable[[], None], attempts: int | None = None) -> Exception | None:
        """Calls the target, again if it fails; returns the error if it still does."""
        wait, limited_wait, waited = self._retries.first_wait, _FIRST_LIMITED_WAIT, 0.0
        left = self._retries.attempts if attempts is None else attempts
        while True:
            self._before_each_call()
            try:
                self.calls(call)
            except ConfigurationError:
                # No part of it would fare better.
                raise
            except Exception as error:  # noqa: BLE001 - a store may raise anything
                if is_limited(error):
                    asked = requested_wait(error)
                    seconds = limited_wait if asked is None else asked
                    limited_wait = min(2 * limited_wait, _LONGEST_LIMITED_WAIT)
                    # An answer of no wait at all must not become a loop without an end.
                    seconds = max(seconds, _FIRST_LIMITED_WAIT)
                    waited += seconds
                    if waited > self._retries.patience:
                        self._out_of_order = _limited(error, self._retries.patience)
                        return error
                    _logger.info("The index asks to wait for %g s: %s", seconds, reason_of(error))
                else:
                    left -= 1
                    if left <= 0:
                        if isinstance(error, CallTimeoutError):
                            self._out_of_order = _out_of_order("call", error)
                        return error
                    seconds, wait = wait, 2 * wait
                    _logger.info("The index failed (%s); it is tried again.", type(error).__name__)
            else:
                return None
            if self._stop.wait(seconds):
                raise Stopped

    def is_working(self, kind: str, item: Item) -> bool:
        """Returns whether the target takes a chunk that it has no reason to refuse."""
        if self._out_of_order is None:
            error = self.attempt(lambda: self._try_probe(kind, item))
            if error is not None and self._out_of_order is None:
                self._out_of_order = _out_of_order(kind, error)
        return self._out_of_order is None

    @property
    def is_out_of_order(self) -> bool:
        """Whether the target takes nothing any more."""
        return self._out_of_order is not None

    @property
    def limits(self) -> dict[str, int]:
        """How many items a call of each kind may have, where it turned out to be fewer than all."""
        return self._limits

    def _try_probe(self, kind: str, item: Item) -> None:
        if isinstance(item, Chunk):
            names = {name: item.metadata[name] for name in _PIPELINE if name in item.metadata}
            self._write_probe(kind, _probe(names))
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


def _probe(metadata: Metadata) -> Chunk:
    """A chunk of an object that nobody has a right to, so that nobody can find it."""
    ids = {"object_id": "managed_sync:probe", "chunk_id": PROBE_ID}
    return Chunk(_PROBE_TEXT, {**ids, **metadata})


def _out_of_order(kind: str, error: Exception) -> IndexingError:
    problem = {
        "embed": "The embedding model returns nothing usable",
        "delete": "The index could not be deleted from",
        "call": "The index does not answer",
    }.get(kind, "The index could not be written to")
    found = IndexingError(
        f"{problem}: {reason_of(error)}. What it held is still there; run again when the cause is "
        f"mended."
    )
    found.__cause__ = error
    return found


def _limited(error: Exception, patience: float) -> IndexingError:
    found = IndexingError(
        f"The index or its embedding model still asks to wait after {patience:g} s "
        f"(Retries.patience): {reason_of(error)}. What was not written is left for the next run; "
        f"run again later, or with more patience."
    )
    found.__cause__ = error
    return found
