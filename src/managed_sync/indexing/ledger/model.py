"""What the ledger says of pipelines and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "Entry",
    "Outcome",
    "Pipeline",
    "SetAside",
    "Standing",
    "State",
    "is_due",
    "wait_after",
]


class Pipeline(NamedTuple):
    """What names a pipeline."""

    project_id: str
    integration: str
    sync_type: str

    def __str__(self) -> str:
        return f"{self.integration} {self.sync_type}"


class State(StrEnum):
    """How a record stands in the index."""

    PENDING = "pending"
    """In between: a run wrote down what it was about to do, and has not said that it is done."""
    INDEXED = "indexed"
    """The index holds the record's version, and nothing else of it."""
    FAILED = "failed"
    """The version could not be indexed; the index holds what it held of the record before."""
    SKIPPED = "skipped"
    """There is no text in the version, so the index holds nothing of it."""
    DISMISSED = "dismissed"
    """The version failed, and somebody decided that it is not to be tried again."""
    FOUND = "found"
    """The index holds chunks of it that this ledger did not write and another one may have.

    It is this ledger's once the API lists it; until then nothing of it is removed.
    """


_DONE_WITH = frozenset({State.INDEXED, State.SKIPPED, State.DISMISSED})
_FIRST_WAIT = 60.0
_LONGEST_WAIT = 24 * 3600.0


def wait_after(attempts: int) -> float:
    """Seconds until the next try: none after the first failure, then from a minute to a day."""
    if attempts <= 1:
        return 0.0
    return float(min(_FIRST_WAIT * 2 ** min(attempts - 2, 20), _LONGEST_WAIT))


def is_due(retry_at: float | None, attempts: int, now: float) -> bool:
    """Whether the time for the next try has come.

    A time that is further away than any wait is long was noted while the clock ran ahead.
    """
    return retry_at is None or not 0 < retry_at - now <= wait_after(attempts) + 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of a record.

    Attributes:
        version: Of the record as it was last worked on, whether that went well or not.
        digest: Of the document that was made of it.
        chunks: Every chunk that may be in the index, with its marks; ``None`` in place of marks
            says that what the index holds under this id is not certain.
        attempts: How often this version failed.
        retry_at: When it is tried again, in seconds since 1970.
    """

    record_id: str
    state: State = State.PENDING
    version: str | None = None
    digest: str | None = None
    chunks: Mapping[str, str | None] = field(default_factory=dict)
    title: str = ""
    error: str | None = None
    attempts: int = 0
    retry_at: float | None = None


class Standing(NamedTuple):
    """As much of an entry as tells whether there is something to do."""

    record_id: str
    state: str
    version: str | None
    retry_at: float | None
    attempts: int
    chunk_count: int

    def is_indexed(self, version: str) -> bool:
        """Whether the index holds all that it should of this version: its text, if it has any."""
        return self.version == version and self.state in _DONE_WITH

    def waits(self, version: str, now: float) -> bool:
        """Whether this version failed, and is not to be tried again yet."""
        has_failed = self.version == version and self.state == State.FAILED
        return has_failed and not is_due(self.retry_at, self.attempts, now)


class SetAside(NamedTuple):
    """A record that the API names and does not give in a form that can be read.

    Attributes:
        reason: Why.
        version: What stands for the version, so that the same failure counts as another attempt.
    """

    record_id: str
    reason: str
    version: str


class Outcome(NamedTuple):
    """How work on a record ended: what the index holds now, and the reason if it failed.

    Attributes:
        is_skipped: Whether it did not fail, but has no text.
    """

    record_id: str
    version: str
    title: str
    digest: str | None
    chunks: Mapping[str, str | None]
    error: str | None = None
    is_skipped: bool = False

    @property
    def state(self) -> State:
        """How the record stands after it."""
        if self.is_skipped:
            return State.SKIPPED
        return State.INDEXED if self.error is None else State.FAILED
