"""The hosted service's requests about syncs and records, with the readers of their responses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from managed_sync.client.wire.base import Operation
from managed_sync.client.wire.records import parse_each, parse_page, refuse_deep
from managed_sync.client.wire.request import Request, path_segment
from managed_sync.client.wire.response import Response, parse_json, parse_model
from managed_sync.errors import NotFoundError, ResponseFormatError
from managed_sync.identifiers import RecordOfSync, lower_ascii
from managed_sync.models import MalformedRecord, RecordPage, SyncedRecord, SyncState, SyncStatus

__all__ = [
    "HostedPipeline",
    "content_request",
    "create_sync",
    "get_record",
    "get_status",
    "list_records",
    "list_syncs",
    "reenable_sync",
]

_STATES = {
    "INITIALIZING": SyncState.SYNCING,
    "ACTIVE": SyncState.SYNCING,
    "IDLE": SyncState.IDLE,
    "ERRORED": SyncState.ERROR,
    "DISABLED": SyncState.DISABLED,
}
# Fields that become attributes of a record, and not part of its data.
_NOT_DATA = {"id", "externalId", "updatedAt", "permissions", "parentFolderId"}


class _Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class HostedPipeline(_Document):
    """One pipeline of the connected user, as the service lists it."""

    id: str = Field(min_length=1)
    integration: str
    pipeline: str
    status: str
    configuration_name: str | None = None

    @property
    def state(self) -> SyncState:
        """The state of the pipeline."""
        return _state(self.status)

    def named(self, integration: str, sync_type: str) -> bool:
        """Returns whether a caller's names mean this pipeline; its id may replace its type."""
        return lower_ascii(self.integration) == lower_ascii(integration) and (
            lower_ascii(self.pipeline) == lower_ascii(sync_type) or self.id == sync_type
        )


class _Syncs(_Document):
    data: list[HostedPipeline]


class _Summary(_Document):
    total_records: int | None = None
    synced_records_count: int | None = None
    last_synced_at: datetime | None = None


class _Status(_Document):
    status: str
    summary: _Summary = _Summary()


class _Paging(_Document):
    remaining_records: int | None = None
    cursor: str | None = None


class _Record(_Document):
    id: str = Field(min_length=1)
    external_id: str | None = None
    updated_at: datetime | None = None
    permissions: dict[str, Any] | None = None


class _Page(_Document):
    data: list[Any]
    paging: _Paging


def list_syncs() -> Operation[list[HostedPipeline]]:
    """Builds a request for the pipelines of the connected user."""
    return Operation(
        Request("GET", "/api/syncs"),
        lambda response: parse_model(_Syncs, parse_json(response)).data,
    )


def create_sync(integration: str, pipeline: str) -> Operation[HostedPipeline]:
    """Builds a request that enables a pipeline for the first time."""
    body = {"integration": lower_ascii(integration), "pipeline": pipeline}
    return Operation(
        Request("POST", "/api/syncs", body=body, is_repeatable=False),
        lambda response: parse_model(HostedPipeline, parse_json(response)),
    )


def reenable_sync(sync: HostedPipeline) -> Operation[None]:
    """Builds a request that enables a disabled pipeline."""
    return Operation(Request("POST", f"{_sync_path(sync.id)}/reenable"), lambda _: None)


def get_status(sync: HostedPipeline) -> Operation[SyncStatus]:
    """Builds a request for the status of a pipeline."""

    def parse(response: Response) -> SyncStatus:
        status = parse_model(_Status, parse_json(response))
        counts = (status.summary.synced_records_count, status.summary.total_records)
        return SyncStatus(
            integration=sync.integration,
            sync_type=sync.pipeline,
            status=_state(status.status),
            last_synced_at=status.summary.last_synced_at,
            record_count=next((count for count in counts if count is not None), 0),
        )

    return Operation(Request("GET", _sync_path(sync.id)), parse)


def list_records(sync: HostedPipeline, cursor: str | None) -> Operation[RecordPage]:
    """Builds a request for a page of records, whose ``resume_cursor`` contains the sync's id.

    Raises:
        NotFoundError: The cursor belongs to another sync.
    """
    cursor = _cursor_of(sync, cursor)

    def parse(response: Response) -> RecordPage:
        page = parse_model(_Page, parse_page(response, "data"))
        records, malformed = parse_each(page.data, lambda document: _record(sync, document))
        remaining = page.paging.remaining_records
        # An empty page ends the listing too, unless it says that records remain.
        is_caught_up = remaining == 0 or (not page.data and not remaining)
        if not is_caught_up and not page.paging.cursor:
            raise ResponseFormatError(
                "Expected a cursor on a page that is not the last one, got none."
            )
        latest = page.paging.cursor or cursor
        return RecordPage(
            records=records,
            malformed=_of_sync(sync, malformed),
            next_cursor=None if is_caught_up else page.paging.cursor,
            resume_cursor=f"{sync.id}/{latest}" if latest else None,
        )

    params = {} if cursor is None else {"cursor": cursor}
    return Operation(Request("GET", f"{_sync_path(sync.id)}/records", params), parse)


def get_record(sync: HostedPipeline, record: RecordOfSync) -> Operation[SyncedRecord]:
    """Builds a request for one record."""
    return Operation(
        Request("GET", _record_path(record)),
        lambda response: _record(sync, parse_json(response)),
    )


def content_request(record: RecordOfSync) -> Request:
    """Returns the request for a record's content, whose response is streamed."""
    return Request("GET", f"{_record_path(record)}/content")


def _record(sync: HostedPipeline, document: Any) -> SyncedRecord:
    refuse_deep(document)
    record = parse_model(_Record, document)
    data = {name: value for name, value in document.items() if name not in _NOT_DATA}
    parent = document.get("parentFolderId")
    if parent:
        # Only a record's own id names an object: the source's id of a folder would not be found.
        name = "parentId" if _is_uuid(parent) else "parentFolderId"
        data[name] = str(RecordOfSync(sync.id, parent)) if name == "parentId" else parent
    fields = {
        "id": str(RecordOfSync(sync.id, record.id)),
        "integration": sync.integration,
        "sync_type": sync.pipeline,
        "source_id": record.external_id or "",
        "data": data,
        "permissions": record.permissions or {},
        "updated_at": record.updated_at,
    }
    return parse_model(SyncedRecord, fields)


def _of_sync(
    sync: HostedPipeline, malformed: Sequence[MalformedRecord]
) -> tuple[MalformedRecord, ...]:
    """Adds the sync's id to the ids of malformed records."""
    return tuple(
        each._replace(id=str(RecordOfSync(sync.id, each.id))) if each.id else each
        for each in malformed
    )


def _cursor_of(sync: HostedPipeline, cursor: str | None) -> str | None:
    """Returns the service's own cursor; refuses one that was kept from an older sync."""
    kept_of, slash, own = (cursor or "").partition("/")
    if not slash or (kept_of != sync.id and not _is_uuid(kept_of)):
        return cursor
    if kept_of != sync.id:
        raise NotFoundError(
            f"The cursor belongs to the sync {kept_of}, which {sync.id} has replaced. Start again "
            f"without a cursor.",
            status=404,
        )
    return own


def _is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def _state(status: str) -> SyncState:
    try:
        return _STATES[status]
    except KeyError:
        raise ResponseFormatError(
            f"Expected a sync's status in the API's response, one of {', '.join(_STATES)}, got "
            f"{status[:40]!r}."
        ) from None


def _sync_path(sync_id: str) -> str:
    return f"/api/syncs/{path_segment(sync_id, 'sync id')}"


def _record_path(record: RecordOfSync) -> str:
    return f"{_sync_path(record.sync)}/records/{path_segment(record.id, 'record id')}"
