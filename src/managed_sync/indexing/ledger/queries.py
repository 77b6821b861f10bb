"""Reads one pipeline's part of the ledger."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, select

from managed_sync.indexing.ledger.database import LedgerDatabase
from managed_sync.indexing.ledger.model import (
    LedgerRecord,
    Pipeline,
    RecordState,
    RecordStatus,
    is_due,
)
from managed_sync.indexing.ledger.tables import pipelines, records
from managed_sync.indexing.report import RecordFailure, SkippedRecord

__all__ = ["ROWS_AT_ONCE", "ChunkCounts", "LedgerQueries"]

ROWS_AT_ONCE = 500
_IN_INDEX = (records.c.state == RecordStatus.INDEXED, records.c.chunk_count > 0)


class ChunkCounts(NamedTuple):
    """The numbers of a pipeline's chunks.

    Attributes:
        known: Chunks of the ledger's own records.
        uncertain: The most of these that may be in the index or not.
        found: Chunks in the index that this ledger did not write.
    """

    known: int
    uncertain: int
    found: int


class LedgerQueries:
    """A view of one pipeline's records in the ledger, as they are at each call."""

    def __init__(self, database: LedgerDatabase, pipeline: Pipeline, pipeline_id: int) -> None:
        self.database = database
        self.pipeline = pipeline
        self.pipeline_id = pipeline_id
        self._is_here = records.c.pipeline_id == pipeline_id

    def note(self, name: str) -> Any:
        """Returns a value of the pipeline itself, such as ``settings`` or ``cursor``."""
        statement = select(pipelines.c[name]).filter_by(id=self.pipeline_id)
        with self.database.reading() as connection:
            return connection.execute(statement).scalar_one()

    def counts(self) -> tuple[int, int]:
        """Returns the number of records that have chunks in the index, and of their chunks."""
        (row,) = self._rows(
            select(func.count(), func.coalesce(func.sum(records.c.chunk_count), 0)).where(
                records.c.chunk_count > 0, records.c.state != RecordStatus.FOUND
            )
        )
        return row[0], int(row[1])

    def chunk_counts(self) -> ChunkCounts:
        """Returns the numbers of chunks that the index may hold."""
        is_found = records.c.state == RecordStatus.FOUND
        is_uncertain = and_(~is_found, records.c.chunks.contains(":null"))
        chunks = func.sum(records.c.chunk_count)
        (row,) = self._rows(
            select(*(chunks.filter(each) for each in (~is_found, is_uncertain, is_found)))
        )
        return ChunkCounts(*(int(count or 0) for count in row))

    def records(self, record_ids: Collection[str]) -> dict[str, LedgerRecord]:
        """Returns some records; those that are not known are left out."""
        found = self._rows(select(records).where(records.c.record_id.in_(record_ids)))
        return {row.record_id: _record(row) for row in found}

    def states(self, record_ids: Collection[str]) -> dict[str, RecordState]:
        """Returns the states of some records; those that are not known are left out."""
        statement = _select(*RecordState._fields).where(records.c.record_id.in_(record_ids))
        return {row[0]: RecordState(*row) for row in self._rows(statement)}

    def pages(self) -> Iterator[list[LedgerRecord]]:
        """Yields all records, some at a time."""
        after = ""
        statement = select(records).order_by(records.c.record_id).limit(ROWS_AT_ONCE)
        while page := self._rows(statement.where(records.c.record_id > after)):
            yield [_record(row) for row in page]
            after = page[-1].record_id

    def sample(self, count: int) -> list[LedgerRecord]:
        """Returns some records that are in the index, chosen at random."""
        statement = select(records).where(*_IN_INDEX).order_by(func.random()).limit(count)
        return [_record(row) for row in self._rows(statement)]

    def sample_ids(self, count: int, *, without: Collection[str]) -> list[str]:
        """Returns the ids of some records that are in the index, chosen at random."""
        statement = select(records.c.record_id).where(*_IN_INDEX).order_by(func.random())
        unwanted = set(without)
        found = (row.record_id for row in self._rows(statement.limit(count + len(unwanted))))
        return [record_id for record_id in found if record_id not in unwanted][:count]

    def due(self, now: float) -> list[str]:
        """Returns the records that a run must look at even if the API does not name them."""
        statement = _select("record_id", "state", "retry_at", "attempts").where(
            records.c.state.in_([RecordStatus.PENDING, RecordStatus.FAILED])
        )
        return [
            record_id
            for record_id, state, retry_at, attempts in self._rows(statement)
            if state == RecordStatus.PENDING or is_due(retry_at, attempts, now)
        ]

    def failures(self) -> list[RecordFailure]:
        """Returns the records that are not in the index in their present version."""
        names = ("record_id", "title", "error", "attempts", "retry_at")
        return [RecordFailure(*row) for row in self._with_status(RecordStatus.FAILED, *names)]

    def skipped(self) -> list[SkippedRecord]:
        """Returns the records that have no text to index."""
        names = ("record_id", "title", "error")
        return [SkippedRecord(*row) for row in self._with_status(RecordStatus.SKIPPED, *names)]

    def failed_ids(self) -> set[str]:
        """Returns the ids of the failures, those that were dismissed among them."""
        statuses = (RecordStatus.FAILED, RecordStatus.DISMISSED)
        return {row[0] for status in statuses for row in self._with_status(status, "record_id")}

    def _rows(self, statement: Select[Any]) -> Sequence[Any]:
        """Returns rows of this pipeline's records."""
        with self.database.reading() as connection:
            return connection.execute(statement.where(self._is_here)).all()

    def _with_status(self, status: RecordStatus, *names: str) -> Sequence[Any]:
        statement = _select(*names).where(records.c.state == status)
        return self._rows(statement.order_by(records.c.title, records.c.record_id))


def _select(*names: str) -> Select[Any]:
    return select(*(records.c[name] for name in names))


def _record(row: Any) -> LedgerRecord:
    return LedgerRecord(
        record_id=row.record_id,
        state=RecordStatus(row.state),
        version=row.version,
        digest=row.digest,
        chunks=json.loads(row.chunks),
        title=row.title,
        error=row.error,
        attempts=row.attempts,
        retry_at=row.retry_at,
    )
