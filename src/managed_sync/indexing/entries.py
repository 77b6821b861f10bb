"""What the ledger says of pipelines and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Entry", "Outcome", "Pipeline", "Standing", "State"]


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
    chunk_count: int

    def is_indexed(self, version: str) -> bool:
        """Whether the index holds this version."""
        return self.version == version and self.state == State.INDEXED

    def waits(self, version: str, now: float) -> bool:
        """Whether this version failed, and is not to be tried again yet."""
        has_failed = self.version == version and self.state == State.FAILED
        return has_failed and self.retry_at is not None and now < self.retry_at


class Outcome(NamedTuple):
    """How work on a record ended: what the index holds now, and the reason if it failed."""

    record_id: str
    version: str
    title: str
    digest: str | None
    chunks: Mapping[str, str | None]
    error: str | None = None
