"""The record, on disk, of what an index holds.

Guarantees:

- A chunk that may be in the index is recorded before it is written there, and forgotten only after
  it was removed there. A run that stops anywhere leaves nothing that a later run does not know of.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, and_, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from managed_sync.documents.model import storable
from managed_sync.indexing.ledger.database import LedgerDatabase
from managed_sync.indexing.ledger.model import (
    Entry,
    Outcome,
    Pipeline,
    SetAside,
    Standing,
    State,
    is_due,
    wait_after,
)
from managed_sync.indexing.ledger.tables import pipelines, records
from managed_sync.indexing.report import RecordFailure, SkippedRecord

__all__ = ["Ledger", "PipelineLedger"]

_ROWS_AT_ONCE = 500


class Ledger:
    """The records of an index, with their versions and chunks.

    Args:
        place: A file, which is made if it is not there, or the URL of a PostgreSQL database, such
            as ``postgresql+psycopg://user@host/database``, for several workers.

    Raises:
        IndexingError: It cannot be used, or is not a ledger.
        ConfigurationError: The URL makes no sense.

    Examples:
        ```python
        with Ledger("state.db") as ledger:
            for failure in ledger.of(Pipeline("p1", "googleDrive", "files")).failures():
                print(failure.title, failure.reason)
        ```
    """

    def __init__(self, place: str | Path) -> None:
        self.database = LedgerDatabase(place)

    def of(self, pipeline: Pipeline) -> PipelineLedger:
        """The part that belongs to a pipeline."""
        values = pipeline._asdict()
        insert = _insert(self.database.connection, pipelines)
        with self.database.writing() as connection:
            connection.execute(insert.values(values).on_conflict_do_nothing())
            pipeline_id = connection.execute(
                select(pipelines.c.id).filter_by(**values)
            ).scalar_one()
        return PipelineLedger(self.database, pipeline, pipeline_id)

    def close(self) -> None:
        """Closes the connection."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class PipelineLedger:
    """The ledger of one pipeline; ``Ledger.of`` gives it."""

    def __init__(self, database: LedgerDatabase, pipeline: Pipeline, pipeline_id: int) -> None:
        self.database = database
        self.pipeline = pipeline
        self.pipeline_id = pipeline_id
        self._is_here = records.c.pipeline_id == pipeline_id

    def note(self, name: str) -> Any:
        """A value of the pipeline itself, such as ``settings`` or ``cursor``."""
        with self.database.reading() as connection:
            statement = select(pipelines.c[name]).filter_by(id=self.pipeline_id)
            return connection.execute(statement).scalar_one()

    def set_notes(self, **values: Any) -> None:
        """Writes values of the pipeline itself."""
        with self.database.writing() as connection:
            connection.execute(update(pipelines).filter_by(id=self.pipeline_id).values(values))

    def counts(self) -> tuple[int, int]:
        """How many records have chunks in the index, and how many chunks; without found ones."""
        return self._counts(records.c.state != State.FOUND)

    def found_chunks(self) -> int:
        """How many chunks were found in the index that this ledger did not write."""
        _, chunks = self._counts(records.c.state == State.FOUND)
        return chunks

    def _counts(self, condition: Any) -> tuple[int, int]:
        statement = select(func.count(), func.coalesce(func.sum(records.c.chunk_count), 0))
        statement = statement.where(self._is_here, records.c.chunk_count > 0, condition)
        with self.database.reading() as connection:
            row = connection.execute(statement).one()
        return row[0], int(row[1])

    def entries(self, record_ids: Collection[str]) -> dict[str, Entry]:
        """What is known of some records."""
        statement = select(records).where(self._is_here, records.c.record_id.in_(record_ids))
        with self.database.reading() as connection:
            return {row.record_id: _entry(row) for row in connection.execute(statement)}

    def standings(self, record_ids: Collection[str]) -> dict[str, Standing]:
        """How some records stand; those that are not known are left out."""
        columns = (records.c[name] for name in Standing._fields)
        statement = select(*columns).where(self._is_here, records.c.record_id.in_(record_ids))
        with self.database.reading() as connection:
            return {row[0]: Standing(*row) for row in connection.execute(statement)}

    def pages(self) -> Iterator[list[Entry]]:
        """All records, some at a time."""
        after = ""
        while True:
            statement = (
                select(records)
                .where(self._is_here, records.c.record_id > after)
                .order_by(records.c.record_id)
                .limit(_ROWS_AT_ONCE)
            )
            with self.database.reading() as connection:
                page = [_entry(row) for row in connection.execute(statement)]
            if not page:
                return
            yield page
            after = page[-1].record_id

    def sample(self, count: int) -> list[Entry]:
        """Some records that are in the index, taken at random."""
        statement = (
            select(records)
            .where(self._is_here, records.c.state == State.INDEXED, records.c.chunk_count > 0)
            .order_by(func.random())
            .limit(count)
        )
        with self.database.reading() as connection:
            return [_entry(row) for row in connection.execute(statement)]

    def uncertain_chunks(self) -> int:
        """How many chunks there are at most that may be in the index or not."""
        _, chunks = self._counts(
            and_(records.c.state != State.FOUND, records.c.chunks.contains(":null"))
        )
        return chunks

    def failures(self) -> list[RecordFailure]:
        """The records that are not in the index in their present version, with the reasons."""
        return [
            RecordFailure(row.record_id, row.title, row.error, row.attempts, row.retry_at)
            for row in self._in_state(State.FAILED)
        ]

    def skipped(self) -> list[SkippedRecord]:
        """The records that have no text to index."""
        return [
            SkippedRecord(row.record_id, row.title, row.error)
            for row in self._in_state(State.SKIPPED)
        ]

    def failed_ids(self) -> set[str]:
        """The ids of the failures, those that were dismissed among them."""
        rows = (*self._in_state(State.FAILED), *self._in_state(State.DISMISSED))
        return {row.record_id for row in rows}

    def _in_state(self, state: State) -> Sequence[Any]:
        columns = ("record_id", "title", "error", "attempts", "retry_at")
        statement = select(*(records.c[name] for name in columns))
        statement = statement.where(self._is_here, records.c.state == state)
        with self.database.reading() as connection:
            return connection.execute(
                statement.order_by(records.c.title, records.c.record_id)
            ).all()

    def put_aside(self, failures: Sequence[SetAside]) -> None:
        """Notes records that could not be read from the API; what the index holds of them stays."""
        known = self.entries([each.record_id for each in failures])
        outcomes = []
        for each in failures:
            entry = known.get(each.record_id) or Entry(each.record_id, title=each.record_id)
            outcomes.append(
                Outcome(
                    entry.record_id,
                    each.version,
                    entry.title,
                    entry.digest,
                    entry.chunks,
                    each.reason,
                )
            )
        self.finish(outcomes)

    def dismiss(self, record_ids: Collection[str]) -> int:
        """Notes that failures are not to be tried again; returns how many there were."""
        count = 0
        for part in _in_parts(record_ids):
            statement = update(records).where(
                self._is_here, records.c.state == State.FAILED, records.c.record_id.in_(part)
            )
            with self.database.writing() as connection:
                count += connection.execute(statement.values(state=State.DISMISSED)).rowcount
        return count

    def some_indexed(self, count: int, *, without: Collection[str]) -> list[str]:
        """The ids of some records that are in the index, chosen at random."""
        statement = (
            select(records.c.record_id)
            .where(self._is_here, records.c.state == State.INDEXED, records.c.chunk_count > 0)
            .order_by(func.random())
            .limit(count + len(without))
        )
        with self.database.reading() as connection:
            found = connection.execute(statement).scalars().all()
        others = set(without)
        return [record_id for record_id in found if record_id not in others][:count]

    def due(self, now: float) -> list[str]:
        """The records that a run should look at even if the API does not name them."""
        names = ("record_id", "state", "retry_at", "attempts")
        statement = select(*(records.c[name] for name in names)).where(
            self._is_here, records.c.state.in_([State.PENDING, State.FAILED])
        )
        with self.database.reading() as connection:
            return [
                record_id
                for record_id, state, retry_at, attempts in connection.execute(statement)
                if state == State.PENDING or is_due(retry_at, attempts, now)
            ]

    def begin(self, about: Sequence[tuple[Entry, Mapping[str, str | None]]]) -> None:
        """Writes down that records are in between, and every chunk that the index may hold of them.

        Args:
            about: What is known of each record, and the chunks with the marks that are certain.
        """
        self._put(
            {
                **_row(entry.record_id, State.PENDING, chunks),
                "version": entry.version,
                "digest": entry.digest,
                "title": storable(entry.title),
                "error": entry.error,
                "attempts": entry.attempts,
                "retry_at": entry.retry_at,
            }
            for entry, chunks in about
        )

    def note_found(self, chunks_of: Mapping[str, Collection[str]]) -> None:
        """Writes down chunks of the index that another ledger may have written, and only those.

        Args:
            chunks_of: By their records.
        """
        known = self.entries(list(chunks_of))
        statement = records.delete().where(self._is_here, records.c.state == State.FOUND)
        with self.database.writing() as connection:
            connection.execute(statement)
        self._put(
            {
                **_row(record_id, State.FOUND, dict.fromkeys(chunks)),
                "title": storable(record_id),
                "attempts": 0,
            }
            for record_id, chunks in chunks_of.items()
            if record_id not in known or known[record_id].state is State.FOUND
        )

    def finish(self, outcomes: Sequence[Outcome], *, now: float | None = None) -> None:
        """Writes down how work on records ended, after the index has confirmed it."""
        now = time.time() if now is None else now
        failed = [each.record_id for each in outcomes if each.state is State.FAILED]
        before = self.entries(failed) if failed else {}
        rows = []
        for outcome in outcomes:
            row = _row(outcome.record_id, outcome.state, outcome.chunks)
            row |= {"version": outcome.version, "digest": outcome.digest}
            row["title"] = storable(outcome.title)
            row |= {"error": None, "attempts": 0, "retry_at": None}
            if outcome.error is not None:
                row["error"] = storable(outcome.error)
            if outcome.state is State.FAILED:
                known = before.get(outcome.record_id)
                again = known is not None and known.version == outcome.version
                attempts = (known.attempts if known and again else 0) + 1
                row["attempts"] = attempts
                row["retry_at"] = now + wait_after(attempts)
            rows.append(row)
        self._put(rows)

    def forget(self, record_ids: Collection[str]) -> None:
        """Forgets records whose chunks were removed."""
        statement = records.delete().where(self._is_here, records.c.record_id.in_(record_ids))
        with self.database.writing() as connection:
            connection.execute(statement)

    def distrust(self, settings: str | None = None) -> None:
        """Lets the next run index every record anew, whatever its version is.

        Args:
            settings: What the index will have been built with.
        """
        for page in self.pages():
            own = [entry for entry in page if entry.state is not State.FOUND]
            self.begin([(entry, dict.fromkeys(entry.chunks)) for entry in own])
        # Last, so that a rebuild that stops before is asked for once more.
        notes = {} if settings is None else {"settings": settings, "connected_user": None}
        self.set_notes(cursor=None, **notes)

    def _put(self, rows: Any) -> None:
        rows = [{"pipeline_id": self.pipeline_id, **row} for row in rows]
        if not rows:
            return
        insert = _insert(self.database.connection, records)
        keys = ["pipeline_id", "record_id"]
        changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        # With a parameter for each column one prepared statement serves all rows.
        statement = insert.values({name: bindparam(name) for name in rows[0]})
        with self.database.writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=keys, set_=changed), rows
            )


def _in_parts(record_ids: Collection[str]) -> Iterator[list[str]]:
    ids = list(record_ids)
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        yield ids[start : start + _ROWS_AT_ONCE]


def _row(record_id: str, state: State, chunks: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "record_id": record_id,
        "state": state.value,
        "chunks": json.dumps(dict(chunks), separators=(",", ":")),
        "chunk_count": len(chunks),
    }


def _entry(row: Any) -> Entry:
    return Entry(
        record_id=row.record_id,
        state=State(row.state),
        version=row.version,
        digest=row.digest,
        chunks=json.loads(row.chunks),
        title=row.title,
        error=row.error,
        attempts=row.attempts,
        retry_at=row.retry_at,
    )


def _insert(connection: Connection, table: Any) -> Any:
    """An insertion that can say what to do where the row is there already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
