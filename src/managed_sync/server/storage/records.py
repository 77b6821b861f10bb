"""Records in the database, as the API reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, select

from managed_sync.identifiers import ObjectId
from managed_sync.models import RecordPage, SyncedRecord
from managed_sync.server.domain import KnownContent, source_id_at, type_of
from managed_sync.server.storage.cursors import InvalidCursorError, read_cursor, write_cursor
from managed_sync.server.storage.dialects import rows_of
from managed_sync.server.storage.pipelines import StoredPipeline
from managed_sync.server.storage.tables import pipelines, records

__all__ = [
    "KnownItem",
    "StoredRecord",
    "all_digests",
    "find_record",
    "folders_without_record",
    "known_contents",
    "known_items",
    "objects_by_id",
    "record_page",
    "records_with_names",
    "stored_record",
]

PAGE_SIZE = 100


@dataclass(frozen=True)
class StoredRecord:
    """A record, with the location and digest of its content; ``None`` if it has no content.

    Attributes:
        published_under: The digest of the ``permissions.yaml`` in force for it.
    """

    record: SyncedRecord
    object: str
    container: bool
    location: str | None
    version: str | None
    digest: str | None
    published_under: str | None = None


class KnownItem(NamedTuple):
    """A record as the last sync published it.

    Attributes:
        object: Its object id.
        version: Identifies the unchanged item, also after it was moved.
        closed: Whether it inherits nothing from its container.
        digest: The digest of its content, if it has one.
        link_to: The source id of its target, if it is a link.
    """

    object: str
    version: str | None
    closed: bool
    digest: str | None
    link_to: str | None


def record_page(connection: Connection, pipeline: StoredPipeline, cursor: str | None) -> RecordPage:
    """Returns one page of a pipeline's records, in the order of their source ids.

    The cursor holds the last source id. A record that exists all the time is therefore listed
    exactly once, whatever is added or removed between two pages.

    Raises:
        InvalidParameterError: The cursor is not from a page of this pipeline.
    """
    statement = (
        records_with_names()
        .where(
            records.c.pipeline_id == pipeline.id,
            records.c.scope_id == pipeline.scope_id,
        )
        .order_by(records.c.source_id)
        .limit(PAGE_SIZE + 1)
    )
    if cursor is not None:
        statement = statement.where(records.c.source_id > _last_source_id(cursor, pipeline))
    rows = connection.execute(statement).mappings().all()
    page = [_record(row) for row in rows[:PAGE_SIZE]]
    more = len(rows) > PAGE_SIZE
    return RecordPage(
        records=tuple(page),
        next_cursor=write_cursor(*pipeline.name, page[-1].source_id) if more else None,
    )


def records_with_names() -> Select[Any]:
    """Returns a query for all records with the names of their pipelines."""
    return select(
        records,
        pipelines.c.integration,
        pipelines.c.sync_type,
        pipelines.c.permissions.label("published_under"),
    ).join(pipelines, pipelines.c.id == records.c.pipeline_id)


def _last_source_id(cursor: str, pipeline: StoredPipeline) -> str:
    integration, sync_type, source_id = read_cursor(cursor, str, str, str)
    if (integration, sync_type) != pipeline.name:
        raise InvalidCursorError
    return str(source_id)


def find_record(
    connection: Connection, scope_id: int | None, record_id: str, pipeline_id: int | None = None
) -> StoredRecord | None:
    """Returns a record of a scope, or of one of its pipelines; ``None`` if there is none."""
    statement = records_with_names().where(
        records.c.id == record_id, records.c.scope_id == scope_id
    )
    if pipeline_id is not None:
        statement = statement.where(records.c.pipeline_id == pipeline_id)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else stored_record(row)


def stored_record(values: RowMapping) -> StoredRecord:
    """Returns a row of the table as a record."""
    has_content = values["digest"] is not None
    return StoredRecord(
        _record(values),
        object=values["object"],
        container=values["location"] is not None and not has_content,
        location=values["location"] if has_content else None,
        version=values["version"],
        digest=values["digest"],
        published_under=values["published_under"],
    )


def known_contents(connection: Connection, pipeline: StoredPipeline) -> dict[str, KnownContent]:
    """Returns the contents that earlier syncs read, by source id."""
    rows = connection.execute(
        select(records.c.source_id, records.c.version, records.c.digest).where(
            records.c.pipeline_id == pipeline.id, records.c.digest.is_not(None)
        )
    )
    return {source_id: KnownContent(version, digest) for source_id, version, digest in rows}


def known_items(connection: Connection, pipeline: StoredPipeline) -> dict[str, KnownItem]:
    """Returns the items that the last sync published, by source id."""
    rows = connection.execute(
        select(
            records.c.source_id,
            records.c.object,
            records.c.version,
            records.c.permissions,
            records.c.digest,
            records.c.location,
        ).where(records.c.pipeline_id == pipeline.id)
    )
    return {
        row.source_id: KnownItem(
            row.object,
            row.version,
            _is_closed(row.permissions),
            row.digest,
            _link_to(row.source_id, row.location),
        )
        for row in rows
    }


def _link_to(source_id: str, location: str | None) -> str | None:
    """Returns the target of a link: the location of its content is that of another record."""
    target = None if location in {None, "."} else source_id_at(str(location))
    return None if target == source_id else target


def _is_closed(permissions: str) -> bool:
    return json.loads(permissions).get("inherit") is False if permissions != "{}" else False


def objects_by_id(
    connection: Connection, pipeline: StoredPipeline, record_ids: Sequence[str]
) -> dict[str, str]:
    """Returns the object ids of those records that belong to a pipeline."""
    rows = connection.execute(
        select(records.c.id, records.c.object).where(
            records.c.id.in_(rows_of(connection, record_ids)),
            records.c.pipeline_id == pipeline.id,
        )
    )
    return {row.id: row.object for row in rows}


def folders_without_record(
    connection: Connection, scope_id: int | None, objects: Sequence[str]
) -> set[str]:
    """Returns the objects that are folders without a record.

    The records of contacts, deals and the like belong to a folder of their pipeline, which exists
    only in the permission graph.
    """
    folders = [one for one in objects if type_of(one) == "folder"]
    rows = connection.execute(
        select(records.c.object).where(
            records.c.id.in_(rows_of(connection, [ObjectId.parse(one).id for one in folders])),
            records.c.scope_id == scope_id,
        )
    )
    return set(folders).difference(rows.scalars())


def all_digests(connection: Connection) -> set[str]:
    """Returns the digests of all contents that records name."""
    rows = connection.execute(
        select(records.c.digest).where(records.c.digest.is_not(None)).distinct()
    )
    return set(rows.scalars())


def _record(values: RowMapping) -> SyncedRecord:
    return SyncedRecord(
        id=values["id"],
        integration=values["integration"],
        sync_type=values["sync_type"],
        source_id=values["source_id"],
        data=json.loads(values["data"]),
        permissions=json.loads(values["permissions"]),
        updated_at=values["updated_at"],
    )
