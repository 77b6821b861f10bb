"""Reports of runs and verifications, and the progress of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "IndexProgress",
    "IndexReport",
    "Phase",
    "PlannedChange",
    "RecordFailure",
    "SkippedRecord",
    "VerificationReport",
]

Phase: TypeAlias = Literal["comparing", "indexing", "deleting", "stopped", "done"]


class RecordFailure(NamedTuple):
    """A record that is not in the index in its present version.

    Attributes:
        reason: A sentence that names the record and what is wrong with it.
        attempts: The number of tries of this version.
        retry_at: The time of the next try, in seconds since 1970.
    """

    record_id: str
    title: str
    reason: str
    attempts: int
    retry_at: float | None


class SkippedRecord(NamedTuple):
    """A record that has no text to index: an empty file, a picture.

    Attributes:
        reason: A sentence that names the record and says what it is.
    """

    record_id: str
    title: str
    reason: str


class PlannedChange(NamedTuple):
    """A change that a run would make to one record."""

    kind: Literal["add", "update", "delete"]
    record_id: str
    title: str


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """The progress of a run.

    Attributes:
        phase: The step that it is at.
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
    """The changes that a run made, or would make.

    Attributes:
        added: Records that are new in the index.
        updated: Records that were indexed again because they changed.
        unchanged: Records that had not changed, or whose change left their text as it was.
        deleted: Records removed because the source no longer has them.
        failed: Every record that is not in the index in its present version, even if it is not
            tried again yet. The index still holds what it held of them.
        skipped: Every record that has no text to index.
        unconfirmed: The ids of records that seem to be gone, which the API did not confirm. The
            index still holds them.
        unlisted: The number of records that the API counts and did not list when asked twice.
        chunks_embedded: Chunks embedded and written.
        chunks_reused: Chunks of changed records that were in the index with the same text.
        bytes: Text that came out of the records that were loaded, in UTF-8.
        seconds: The duration of the run.
        complete: Whether the run came to its end, and saw all records that the API counts;
            ``False`` if it was told to stop, or if there are ``unlisted`` ones.
        changes_only: Whether the API was asked only for what changed since the run before. Such a
            run does not look for deletions.
        dry_run: Whether it was a dry run. Then the counts say what a run would do, and ``updated``
            counts records that may have changed.
        withheld: With ``dry_run``, whether a run would withhold the deletions because they are too
            many.
        changes: With ``dry_run``, the first thousand changes that a run would make.
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


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The disagreements of the index, the ledger and the source.

    Attributes:
        records: Records that the ledger says are in the index.
        chunks: Their chunks.
        missing_chunks: Chunks among them that the index does not hold; ``None`` if the store cannot
            say.
        unknown_chunks: Chunks of this pipeline in the index that this ledger did not write, and
            another one may have. ``None`` if the store cannot say.
        unfinished: Records that a run which stopped left in flight.
        source: The report of a dry run made now.
        repair: The report of the repair, if there was one.
        changed_chunks: Chunks in the index with another text or metadata than was written;
            ``None`` if the store cannot say.
        duplicate_chunks: Chunks that are in the index more than once; ``None`` if the store cannot
            say.
        wrong_vectors: Chunks with another vector than the embedding model gives for their text now,
            among 20 chosen at random; ``None`` if the store returns no vectors.
        keyword_differences: Chunks that the keyword index lacks, or holds with another text or
            metadata; ``None`` without a keyword index.
    """

    records: int
    chunks: int
    missing_chunks: int | None
    unknown_chunks: int | None
    unfinished: int
    source: IndexReport
    repair: IndexReport | None = None
    changed_chunks: int | None = None
    duplicate_chunks: int | None = None
    wrong_vectors: int | None = None
    keyword_differences: int | None = None

    @property
    def agrees(self) -> bool:
        """Returns whether there was nothing to repair, as far as the store can say.

        Records that are put aside do not count: ``source.failed`` names them, a run tries them
        again, and a repair changes nothing about them.
        """
        return not (self.index_disagrees or self.source_has_changed)

    @property
    def source_has_changed(self) -> bool:
        """Returns whether a run would change more than records that are put aside."""
        source = self.source
        failed = {failure.record_id for failure in source.failed}
        planned = [change.record_id for change in source.changes if change.kind != "delete"]
        return bool(
            source.deleted
            or source.added + source.updated > len(planned)
            or not failed.issuperset(planned)
        )

    @property
    def index_disagrees(self) -> bool:
        """Returns whether the index and the ledger disagree."""
        return bool(
            self.missing_chunks
            or self.unknown_chunks
            or self.unfinished
            or self.changed_chunks
            or self.duplicate_chunks
            or self.wrong_vectors
            or self.keyword_differences
        )

    def repaired_by(self, report: IndexReport) -> VerificationReport:
        """Returns this report with the report of the repair."""
        return replace(self, repair=report)
