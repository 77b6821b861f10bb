"""Pipelines and records as the ledger knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from managed_sync.backoff import Backoff

__all__ = [
    "ChunkHashes",
    "LedgerRecord",
    "Pipeline",
    "RecordJob",
    "RecordResult",
    "RecordState",
    "RecordStatus",
    "UnreadableRecord",
    "is_due",
    "wait_after",
]

ChunkHashes = Mapping[str, str | None]
"""Chunks by their ids, each with its hashes; ``None`` where the index may hold another text."""


class Pipeline(NamedTuple):
    """The names of a pipeline."""

    project_id: str
    integration: str
    sync_type: str

    def __str__(self) -> str:
        return f"{self.integration} {self.sync_type}"


class RecordStatus(StrEnum):
    """The status of a record in the index."""

    PENDING = "pending"
    """In flight: a run wrote down what it was about to do, and has not confirmed it yet."""
    INDEXED = "indexed"
    """The index holds the record's version, and nothing else of it."""
    FAILED = "failed"
    """The version could not be indexed; the index holds what it held of the record before.

    Of a file with parts, it also holds what could be read of this version.
    """
    SKIPPED = "skipped"
    """There is no text in the version, so the index holds nothing of it."""
    DISMISSED = "dismissed"
    """The version failed, and somebody decided not to try it again."""
    FOUND = "found"
    """The index holds chunks of it that this ledger did not write and another one may have.

    It is this ledger's once the API lists it; until then nothing of it is removed.
    """


_FINAL = frozenset({RecordStatus.INDEXED, RecordStatus.SKIPPED, RecordStatus.DISMISSED})
# After the second failure; the first one is tried again at once.
_BACKOFF = Backoff(first=60.0, longest=24 * 3600.0)


def wait_after(attempts: int) -> float:
    """Returns the seconds until the next try: none after one failure, then a minute to a day."""
    return 0.0 if attempts <= 1 else _BACKOFF.wait(attempts - 2)


def is_due(retry_at: float | None, attempts: int, now: float) -> bool:
    """Returns whether the time for the next try has come.

    A time that is further away than the longest wait was noted while the clock ran ahead.
    """
    return retry_at is None or not 0 < retry_at - now <= wait_after(attempts) + 1


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """A record's row in the ledger.

    Attributes:
        version: The record's version when it was last worked on, whether that succeeded or not.
        digest: A digest of the document made of it.
        chunks: Every chunk that may be in the index, with its hashes.
        attempts: The number of failures of this version.
        retry_at: The time of the next try, in seconds since 1970.
    """

    record_id: str
    state: RecordStatus = RecordStatus.PENDING
    version: str | None = None
    digest: str | None = None
    chunks: ChunkHashes = field(default_factory=dict)
    title: str = ""
    error: str | None = None
    attempts: int = 0
    retry_at: float | None = None


class RecordState(NamedTuple):
    """The part of a row that decides whether there is something to do for the record."""

    record_id: str
    state: str
    version: str | None
    retry_at: float | None
    attempts: int
    chunk_count: int

    def is_indexed(self, version: str) -> bool:
        """Returns whether the index holds this version's text, if it has any."""
        return self.version == version and self.state in _FINAL

    def is_waiting(self, version: str, now: float) -> bool:
        """Returns whether this version failed, and is not to be tried again yet."""
        has_failed = self.version == version and self.state == RecordStatus.FAILED
        return has_failed and not is_due(self.retry_at, self.attempts, now)


class RecordJob(NamedTuple):
    """The order to bring one record of a listing up to date.

    Attributes:
        version: The version that the API lists.
        is_new: Whether the index holds nothing of it.
    """

    record_id: str
    version: str
    is_new: bool


class RecordResult(NamedTuple):
    """The end of a job: what the index holds now, and the reason if it failed.

    Attributes:
        is_skipped: Whether the record has no text. Then ``error`` says what it is.
    """

    record_id: str
    version: str
    title: str
    digest: str | None
    chunks: ChunkHashes
    error: str | None = None
    is_skipped: bool = False

    @property
    def state(self) -> RecordStatus:
        """The record's status afterwards."""
        if self.is_skipped:
            return RecordStatus.SKIPPED
        return RecordStatus.INDEXED if self.error is None else RecordStatus.FAILED


class UnreadableRecord(NamedTuple):
    """A record that the API names and does not return in a readable form.

    Attributes:
        reason: What is wrong with it.
        version: Stands for the version, so that the same failure counts as another attempt.
    """

    record_id: str
    reason: str
    version: str
