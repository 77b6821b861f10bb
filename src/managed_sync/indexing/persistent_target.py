"""A target that is asked again, in smaller parts, until what it does not take stands alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing.targets import IndexTarget, RelabelingTarget
from managed_sync.logs import get_logger

__all__ = ["PersistentTarget", "Retries", "Stopped"]

_logger = get_logger("managed_sync.indexing")

_LONGEST_REASON = 300
# So many chunks of an object fail before the rest of it is left to another run, and so many
# objects in a row before the index is taken to be out of order.
_CHUNKS_OF_AN_OBJECT = 5
_OBJECTS_IN_A_ROW = 5


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run was told to stop while it waited."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often the index is asked again, and how long after.

    Attributes:
        attempts: How often in all.
        first_wait: Seconds before the second attempt; doubled before each further one.
    """

    attempts: int = 4
    first_wait: float = 0.25


class PersistentTarget:
    """Writes into a target and deletes from it, whatever passes by itself or concerns one chunk.

    Args:
        target: The index.
        batch_size: Chunks in one call, at most.
        retries: For calls that fail.
        stop: Ends waiting when it is set.

    Attributes:
        left_out: Chunks that were not tried, since the index took nothing any more.
        relabeling: The target, if it can change metadata without embedding.
    """

    def __init__(
        self, target: IndexTarget, *, batch_size: int, retries: Retries, stop: threading.Event
    ) -> None:
        self._target = target
        self._batch_size = batch_size
        self._retries = retries
        self._stop = stop
        self.left_out: set[str] = set()
        self._failed_chunks: Counter[str] = Counter()
        self._failed_in_a_row: set[str] = set()
        self._last_error: Exception | None = None
        self._last_reason = ""
        self.relabeling: RelabelingTarget | None = None
        if isinstance(target, RelabelingTarget) and target.can_relabel:
            self.relabeling = target

    def upsert(self, chunks: Sequence[Chunk], present: Set[str]) -> dict[str, str]:
        """Embeds and writes chunks; gives the reason for each one that was not written."""

        def write(part: Sequence[Chunk]) -> None:
            ids = {chunk.chunk_id for chunk in part}
            self._target.upsert(part, present=present & ids)

        return self._in_batches(chunks, write)

    def relabel(self, chunks: Sequence[Chunk]) -> dict[str, str]:
        """Writes the metadata of chunks; gives the reason for each one where it failed."""
        return self._in_batches(chunks, self.relabeling.relabel) if self.relabeling else {}

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks.

        Raises:
            IndexingError: The target does not.
        """
        for start in range(0, len(chunk_ids), self._batch_size):
            part = chunk_ids[start : start + self._batch_size]
            error = self._attempt(lambda part=part: self._target.delete(part))  # type: ignore[misc]
            if error is not None:
                raise _out_of_order("deleted from", error) from error

    def raise_if_out_of_order(self) -> None:
        """Raises if the target took nothing of several objects in a row.

        Raises:
            IndexingError: It did not.
        """
        if self._is_out_of_order:
            error = self._last_error
            assert error is not None  # noqa: S101 - something failed
            raise _out_of_order("written to", error) from error

    @property
    def _is_out_of_order(self) -> bool:
        return len(self._failed_in_a_row) >= _OBJECTS_IN_A_ROW

    def _in_batches(
        self, chunks: Sequence[Chunk], write: Callable[[Sequence[Chunk]], None]
    ) -> dict[str, str]:
        reasons: dict[str, str] = {}
        self._failed_chunks.clear()
        for start in range(0, len(chunks), self._batch_size):
            part = chunks[start : start + self._batch_size]
            self._write(part, write, reasons, self._retries.attempts)
        return reasons

    def _write(
        self,
        chunks: Sequence[Chunk],
        write: Callable[[Sequence[Chunk]], None],
        reasons: dict[str, str],
        attempts: int,
    ) -> None:
        if self._is_out_of_order:
            self.left_out.update(chunk.chunk_id for chunk in chunks)
            return
        hopeless = [chunk.chunk_id for chunk in chunks if self._is_hopeless(chunk)]
        reasons |= dict.fromkeys(hopeless, self._last_reason)
        chunks = [chunk for chunk in chunks if chunk.chunk_id not in reasons]
        if not chunks:
            return
        error = self._attempt(lambda: write(chunks), attempts)
        if error is None:
            self._failed_in_a_row.clear()
        elif len(chunks) == 1:
            self._note(chunks[0], error, reasons)
        else:
            middle = len(chunks) // 2
            for part in (chunks[:middle], chunks[middle:]):
                self._write(part, write, reasons, self._retries.attempts if len(part) == 1 else 1)

    def _attempt(self, call: Callable[[], None], attempts: int | None = None) -> Exception | None:
        """Calls the target, again if it fails; the error if it still does."""
        wait = self._retries.first_wait
        left = self._retries.attempts if attempts is None else attempts
        while True:
            try:
                call()
            except ConfigurationError:
                # No part of it would fare better.
                raise
            except Exception as error:  # noqa: BLE001 - a store may raise anything
                left -= 1
                if left <= 0:
                    return error
                _logger.info("The index failed (%s); it is tried again.", type(error).__name__)
            else:
                return None
            if self._stop.wait(wait):
                raise Stopped
            wait *= 2

    def _is_hopeless(self, chunk: Chunk) -> bool:
        return self._failed_chunks[chunk.object_id] >= _CHUNKS_OF_AN_OBJECT

    def _note(self, chunk: Chunk, error: Exception, reasons: dict[str, str]) -> None:
        self._last_error, self._last_reason = error, _reason(error)
        self._failed_chunks[chunk.object_id] += 1
        self._failed_in_a_row.add(chunk.object_id)
        reasons[chunk.chunk_id] = self._last_reason
        _logger.warning("A chunk of %s was not written: %s", chunk.object_id, self._last_reason)


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split())[:_LONGEST_REASON]
    return said if isinstance(error, IndexingError) else f"{type(error).__name__}: {said}"


def _out_of_order(action: str, error: Exception) -> IndexingError:
    return IndexingError(
        f"The index could not be {action}: {_reason(error)}. What it held is still there; run "
        f"again when the cause is mended."
    )
