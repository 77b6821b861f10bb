"""The record, on disk, of what an index holds.

Guarantees:

- A chunk that may be in the index is recorded before it is written there, and forgotten only after
  it was removed there. A run that stops anywhere leaves nothing that a later run does not know of.

See ``docs/decisions/0020-indexing-ledger.md``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from managed_sync.documents.model import storable
from managed_sync.indexing.ledger.database import LedgerDatabase
from managed_sync.indexing.ledger.model import (
    ChunkHashes,
    LedgerRecord,
    Pipeline,
    RecordResult,
    RecordStatus,
    UnreadableRecord,
    wait_after,
)
from managed_sync.indexing.ledger.queries import ROWS_AT_ONCE, LedgerQueries
from managed_sync.indexing.ledger.tables import pipelines, records

__all__ = ["Ledger", "PipelineLedger"]


class Ledger:
    """The records of an index, with their versions and chunks.

    Args:
        place: A file, which is made when missing, or the URL of a PostgreSQL database, such as
            ``postgresql+psycopg://user@host/database``, for several workers.

    Raises:
        IndexingError: It cannot be used, or is not a ledger.
        ConfigurationError: The URL cannot be read.

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
        """Returns the part that belongs to a pipeline; it begins when it is first asked for."""
        values = pipeline._asdict()
        insert = _insert(self.database.connection, pipelines)
        with self.database.writing() as connection:
            connection.execute(insert.values(values).on_conflict_do_nothing())
            pipeline_id = connection.execute(
                select(pipelines.c.id).filter_by(**values)
            ).scalar_one()
        return PipelineLedger(self.database, pipeline, pipeline_id)

    def pipelines(self, project_id: str) -> list[Pipeline]:
        """Returns the pipelines of a project that the ledger has a part for, in their order."""
        names = (pipelines.c.project_id, pipelines.c.integration, pipelines.c.sync_type)
        statement = select(*names).filter_by(project_id=project_id).order_by(pipelines.c.id)
        with self.database.reading() as connection:
            return [Pipeline(*row) for row in connection.execute(statement)]

    def has_chunks(self) -> bool:
        """Returns whether the index may hold chunks, of any project and pipeline."""
        statement = select(records.c.record_id).where(records.c.chunk_count > 0).limit(1)
        with self.database.reading() as connection:
            return connection.execute(statement).first() is not None

    def close(self) -> None:
        """Closes the connection."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class PipelineLedger(LedgerQueries):
    """The ledger of one pipeline; ``Ledger.of`` returns it."""

    def set_notes(self, **values: Any) -> None:
        """Writes values of the pipeline itself."""
        with self.database.writing() as connection:
            connection.execute(update(pipelines).filter_by(id=self.pipeline_id).values(values))

    def put_aside(self, unreadable: Sequence[UnreadableRecord]) -> None:
        """Writes down records that the API did not return; what the index holds of them stays."""
        known = self.records([each.record_id for each in unreadable])
        results = []
        for record_id, reason, version in unreadable:
            record = known.get(record_id) or LedgerRecord(record_id, title=record_id)
            results.append(
                RecordResult(record_id, version, record.title, record.digest, record.chunks, reason)
            )
        self.finish(results)

    def dismiss(self, record_ids: Collection[str]) -> int:
        """Writes down that failures are not to be tried again; returns their number."""
        count, ids = 0, list(record_ids)
        statement = update(records).values(state=RecordStatus.DISMISSED)
        statement = statement.where(self._is_here, records.c.state == RecordStatus.FAILED)
        for start in range(0, len(ids), ROWS_AT_ONCE):
            part = records.c.record_id.in_(ids[start : start + ROWS_AT_ONCE])
            with self.database.writing() as connection:
                count += connection.execute(statement.where(part)).rowcount
        return count

    def begin(self, in_flight: Iterable[tuple[LedgerRecord, ChunkHashes]]) -> None:
        """Writes down that records are in flight, and the chunks that the index may hold of them.

        Args:
            in_flight: Each record as it is known, with its chunks and the hashes that are certain.
        """
        self._put(
            [
                _row(
                    record.record_id,
                    RecordStatus.PENDING,
                    chunks,
                    title=record.title,
                    version=record.version,
                    digest=record.digest,
                    error=record.error,
                    attempts=record.attempts,
                    retry_at=record.retry_at,
                )
                for record, chunks in in_flight
            ]
        )

    def finish(self, results: Sequence[RecordResult], *, now: float | None = None) -> None:
        """Writes down the results of jobs, after the index has confirmed them."""
        now = time.time() if now is None else now
        failed = [each.record_id for each in results if each.state is RecordStatus.FAILED]
        before = self.records(failed) if failed else {}
        rows = []
        for result in results:
            attempts, retry_at = 0, None
            if result.state is RecordStatus.FAILED:
                known = before.get(result.record_id)
                is_same = known is not None and known.version == result.version
                attempts = (known.attempts if known and is_same else 0) + 1
                retry_at = now + wait_after(attempts)
            rows.append(
                _row(
                    result.record_id,
                    result.state,
                    result.chunks,
                    title=result.title,
                    version=result.version,
                    digest=result.digest,
                    error=result.error,
                    attempts=attempts,
                    retry_at=retry_at,
                )
            )
        self._put(rows)

    def note_found(self, chunks_of: Mapping[str, Collection[str]]) -> None:
        """Writes down chunks of the index that another ledger may have written, and only those.

        Args:
            chunks_of: The chunks, by their records.
        """
        known = self.records(list(chunks_of))
        statement = records.delete().where(self._is_here, records.c.state == RecordStatus.FOUND)
        with self.database.writing() as connection:
            connection.execute(statement)
        self._put(
            [
                _row(record_id, RecordStatus.FOUND, dict.fromkeys(chunks), title=record_id)
                for record_id, chunks in chunks_of.items()
                if record_id not in known or known[record_id].state is RecordStatus.FOUND
            ]
        )

    def forget(self, record_ids: Collection[str]) -> None:
        """Removes the rows of records whose chunks were removed."""
        statement = records.delete().where(self._is_here, records.c.record_id.in_(record_ids))
        with self.database.writing() as connection:
            connection.execute(statement)

    def invalidate(self, settings: str | None = None) -> None:
        """Lets the next run index every record again, whatever its version is.

        Args:
            settings: The settings that the index is built with from now on.
        """
        for page in self.pages():
            own = [record for record in page if record.state is not RecordStatus.FOUND]
            self.begin([(record, dict.fromkeys(record.chunks)) for record in own])
        # Last, so that a rebuild that stops before is asked for once more.
        notes = {} if settings is None else {"settings": settings, "connected_user": None}
        self.set_notes(cursor=None, **notes)

    def _put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        insert = _insert(self.database.connection, records)
        keys = ["pipeline_id", "record_id"]
        changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        # With a parameter for each column one prepared statement serves all rows.
        statement = insert.values(
            {"pipeline_id": self.pipeline_id, **{name: bindparam(name) for name in rows[0]}}
        )
        with self.database.writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=keys, set_=changed), rows
            )


def _insert(connection: Connection, table: Table) -> Any:
    """Returns an insertion that can say what to do where the row is there already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _row(
    record_id: str,
    state: RecordStatus,
    chunks: ChunkHashes,
    *,
    title: str,
    version: str | None = None,
    digest: str | None = None,
    error: str | None = None,
    attempts: int = 0,
    retry_at: float | None = None,
) -> dict[str, Any]:
    return {
        "record_id": record_id,
        "state": state.value,
        "version": version,
        "digest": digest,
        "chunks": json.dumps(dict(chunks), separators=(",", ":")),
        "chunk_count": len(chunks),
        "title": storable(title),
        "error": None if error is None else storable(error),
        "attempts": attempts,
        "retry_at": retry_at,
    }
