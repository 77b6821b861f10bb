"""The records of a pipeline in the order in which syncs changed them.

A cursor marks the last change that a client has seen. Every sync gives its changes a number of its
own and publishes them at once, so no change ever appears before a cursor that was handed out. A
record that changes again moves to the end: no version of it is skipped or listed twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, tuple_

from managed_sync.server.storage.cursors import InvalidCursorError, read_cursor, write_cursor
from managed_sync.server.storage.pipelines import StoredPipeline
from managed_sync.server.storage.records import StoredRecord, records_with_names, stored_record
from managed_sync.server.storage.tables import records

__all__ = ["RecordChangePage", "change_page", "latest_cursor"]


@dataclass(frozen=True)
class RecordChangePage:
    """One page of changes.

    Attributes:
        records: The records of this page.
        total: The number of records of the pipeline.
        remaining: The number of changes after this page.
        cursor: The cursor that continues after this page, now or later.
    """

    records: tuple[StoredRecord, ...]
    total: int
    remaining: int
    cursor: str


def change_page(
    connection: Connection, pipeline: StoredPipeline, cursor: str | None, size: int
) -> RecordChangePage:
    """Returns the changes since a cursor; without one, all records in the order of changes.

    Raises:
        InvalidParameterError: The cursor belongs to another pipeline, or to this one before it was
            deleted and enabled again.
    """
    position = (0, "") if cursor is None else _position(cursor, pipeline)
    order = tuple_(records.c.changed, records.c.source_id)
    own = records.c.pipeline_id == pipeline.id
    pending = (own, order > position)
    count = select(func.count()).select_from(records)
    statement = (
        records_with_names()
        .where(*pending)
        .order_by(records.c.changed, records.c.source_id)
        .limit(size)
    )
    rows = connection.execute(statement).mappings().all()
    if rows:
        position = (rows[-1]["changed"], rows[-1]["source_id"])
    return RecordChangePage(
        records=tuple(stored_record(row) for row in rows),
        total=connection.execute(count.where(own)).scalar_one(),
        remaining=connection.execute(count.where(*pending)).scalar_one() - len(rows),
        cursor=_write(position, pipeline),
    )


def latest_cursor(connection: Connection, pipeline: StoredPipeline) -> str:
    """Returns the cursor after the last change."""
    row = connection.execute(
        select(records.c.changed, records.c.source_id)
        .where(records.c.pipeline_id == pipeline.id)
        .order_by(records.c.changed.desc(), records.c.source_id.desc())
        .limit(1)
    ).one_or_none()
    return _write((0, "") if row is None else (row.changed, row.source_id), pipeline)


def _write(position: tuple[int, str], pipeline: StoredPipeline) -> str:
    # A pipeline that was deleted and enabled again counts its changes from the start.
    return write_cursor(pipeline.id, pipeline.created_at.isoformat(), *position)


def _position(cursor: str, pipeline: StoredPipeline) -> tuple[int, str]:
    number, created_at, changed, source_id = read_cursor(cursor, int, str, int, str)
    if (number, created_at) != (pipeline.id, pipeline.created_at.isoformat()):
        raise InvalidCursorError
    return int(changed), str(source_id)
