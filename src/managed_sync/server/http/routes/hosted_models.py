"""The bodies and responses of the hosted service's paths of the Sync API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from managed_sync.models import ApiModel
from managed_sync.server.http.routes.parameters import Name

__all__ = [
    "EnableHostedSync",
    "HostedPage",
    "HostedStatus",
    "HostedSyncResponse",
    "ListedSync",
    "ListedSyncs",
    "Paging",
    "Summary",
]


class EnableHostedSync(ApiModel):
    """The body of enableHostedSync."""

    integration: Name
    pipeline: Name
    configuration: dict[str, Any] | None = None
    configuration_name: Name | None = None


class HostedSyncResponse(ApiModel):
    """A pipeline, as enabling and disabling it return it."""

    id: str
    user_id: str
    integration: str
    pipeline: str
    project_id: str
    status: str


class ListedSync(ApiModel):
    """A pipeline in a list."""

    id: str
    integration: str
    pipeline: str
    status: str
    configuration_name: str | None
    date_created: datetime
    date_updated: datetime


class ListedSyncs(ApiModel):
    """All pipelines of a connected user."""

    data: list[ListedSync]


class Summary(ApiModel):
    """The progress of a pipeline."""

    total_records: int
    synced_records_count: int
    last_synced_at: datetime | None
    latest_cursor: str


class HostedStatus(ApiModel):
    """The state of a pipeline."""

    status: str
    summary: Summary


class Paging(ApiModel):
    """The position of a page among the changes; ``last_seen`` is the id of its last record."""

    total_records: int
    total_active_records: int
    remaining_records: int
    cursor: str
    last_seen: str | None


class HostedPage(ApiModel):
    """A page of records."""

    data: list[dict[str, Any]]
    paging: Paging
