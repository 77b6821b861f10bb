"""What a run did, and what it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "IndexProgress",
    "IndexReport",
    "Phase",
    "PlannedChange",
    "RecordFailure",
    "SkippedRecord",
]

Phase: TypeAlias = Literal["comparing", "indexing", "deleting", "stopped", "done"]


class RecordFailure(NamedTuple):
    """A record that is not in the index in its present version.

    Attributes:
        reason: One sentence that names the record and says what is wrong.
        attempts: How often this version was tried.
        retry_at: From when on it is tried again, in seconds since 1970.
    """

    record_id: str
    title: str
    reason: str
    attempts: int
    retry_at: float | None


class SkippedRecord(NamedTuple):
    """A record that has no text to index: an empty file, a picture.

    Attributes:
        reason: One sentence that names the record and says what it is.
    """

    record_id: str
    title: str
    reason: str


class PlannedChange(NamedTuple):
    """What a run would do with one record."""

    kind: Literal["add", "update", "delete"]
    record_id: str
    title: str


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far a run is.

    Attributes:
        phase: What it does now.
        listed: Records that the API listed so far.
        done: Records worked on so far.
        total: Records to work on; still growing while the phase is ``"comparing"``.
        failed: Records among them that could not be indexed.
        deleted: Records removed.
        chunks_embedded: Chunks embedded and written.
        chunks_reused: Chunks that were in the index with the same text.
        bytes: Text that came out of the records, in UTF-8.
        seconds: Since the run began.
    """

    phase: Phase
    listed: int
    done: int
    total: int
    failed: int
    deleted: int
    chunks_embedded: int
    chunks_reused: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did, or would do.

    Attributes:
        added: Records that are new in the index.
        updated: Records that were indexed again since they changed.
        unchanged: Records that had not changed, or whose change left their text as it was.
        deleted: Records removed, since the source no longer has them.
        failed: Every record that is not in the index in its present version, those too that are not
            tried again yet; what the index held of them is still there.
        skipped: Every record that has no text to index.
        unconfirmed: The ids of records that seem to be gone without the API confirming it: what the
            index holds of them is still there.
        unlisted: How many records the API counts and did not list, though it was asked twice.
        chunks_embedded: Chunks embedded and written.
        chunks_reused: Chunks of changed records that were in the index with the same text.
        bytes: Text that came out of the records that were loaded, in UTF-8.
        seconds: How long it took.
        complete: Whether the run came to its end, and saw all records that the API counts;
            ``False`` if it was told to stop, or if there are ``unlisted`` ones.
        changes_only: Whether the API was asked only for what changed since the run before. Then
            deletions were not looked for.
        dry_run: Whether it only looked. Then the counts say what a run would do, and ``updated``
            counts records that may have changed.
        withheld: With ``dry_run``, whether a run would withhold the deletions, since they are more
            than seems right.
        changes: With ``dry_run``, the first thousand of what it would do.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: tuple[RecordFailure, ...] = ()
    skipped: tuple[SkippedRecord, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    unlisted: int = 0
    chunks_embedded: int = 0
    chunks_reused: int = 0
    bytes: int = 0
    seconds: float = 0.0
    complete: bool = True
    changes_only: bool = False
    dry_run: bool = False
    withheld: bool = False
    changes: tuple[PlannedChange, ...] = ()
