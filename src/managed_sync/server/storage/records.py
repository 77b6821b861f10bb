"""Records in the database, as the API reads them."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from managed_sync.models import RecordPage, SyncedRecord
from managed_sync.server.sources.listing import KnownContent
from managed_sync.server.storage.pipelines import Pipeline
from managed_sync.server.storage.tables import pipelines, records

__all__ = ["StoredRecord", "find_record", "known_contents", "record_page"]

PAGE_SIZE = 100


@dataclass(frozen=True)
class StoredRecord:
    """One record, with where its content lies; ``None`` for a record without content."""

    record: SyncedRecord
    location: str | None
    container: bool


def record_page(connection: Connection, pipeline: Pipeline, cursor: str | None) -> RecordPage:
    """One page of a pipeline's records, in the order of their source ids.

    The cursor says after which source id to go on. So a record that is there all the while is
    listed exactly once, whatever is added or removed between two pages.

    Raises:
        ValueError: The cursor is not one that a page of this pipeline brought.
    """
    statement = (
        select(records, pipelines.c.integration, pipelines.c.sync_type)
        .join(pipelines, pipelines.c.id == records.c.pipeline_id)
        .where(
            records.c.pipeline_id == pipeline.id,
            records.c.scope_id == pipeline.scope_id,
        )
        .order_by(records.c.source_id)
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        statement = statement.where(records.c.source_id > _read_cursor(cursor, pipeline))
    rows = connection.execute(statement).all()
    page = [_record(row) for row in rows[:PAGE_SIZE]]
    more = len(rows) > PAGE_SIZE
    return RecordPage(
        records=tuple(page),
        next_cursor=_write_cursor(page[-1].source_id, pipeline) if more else None,
    )


def find_record(
    connection: Connection, scope_id: int | None, record_id: str
) -> StoredRecord | None:
    """One record of a scope; ``None`` when the scope has no such record."""
    row = connection.execute(
        select(records, pipelines.c.integration, pipelines.c.sync_type)
        .join(pipelines, pipelines.c.id == records.c.pipeline_id)
        .where(records.c.id == record_id, records.c.scope_id == scope_id)
    ).one_or_none()
    if row is None:
        return None
    values = row._mapping
    has_content = values["digest"] is not None
    return StoredRecord(
        _record(row),
        location=values["location"] if has_content else None,
        container=values["location"] is not None and not has_content,
    )


def known_contents(connection: Connection, pipeline: Pipeline) -> dict[str, KnownContent]:
    """What earlier syncs found out about contents, by source id."""
    rows = connection.execute(
        select(records.c.source_id, records.c.version, records.c.digest).where(
            records.c.pipeline_id == pipeline.id, records.c.digest.is_not(None)
        )
    )
    return {source_id: KnownContent(version, digest) for source_id, version, digest in rows}


def _record(row: Row[Any]) -> SyncedRecord:
    values = row._mapping
    return SyncedRecord(
        id=values["id"],
        integration=values["integration"],
        sync_type=values["sync_type"],
        source_id=values["source_id"],
        data=json.loads(values["data"]),
        permissions=json.loads(values["permissions"]),
        updated_at=values["updated_at"],
    )


def _write_cursor(source_id: str, pipeline: Pipeline) -> str:
    text = json.dumps([*pipeline.name, source_id])
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _read_cursor(cursor: str, pipeline: Pipeline) -> str:
    problem = "The cursor is not one that this listing gave; leave it out to begin again."
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise ValueError(problem) from None
    well_formed = isinstance(parts, list) and all(isinstance(part, str) for part in parts)
    if not well_formed or len(parts) != 3 or tuple(parts[:2]) != pipeline.name:
        raise ValueError(problem)
    source_id: str = parts[2]
    if not source_id.isascii() and any("\ud800" <= letter <= "\udfff" for letter in source_id):
        raise ValueError(problem)
    return source_id
