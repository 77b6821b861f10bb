"""Webhook events as they arrive, and the responses to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from managed_sync.identifiers import RecordOfSync

__all__ = ["OF_RECORDS", "Event", "EventKind", "WebhookResponse"]


class EventKind(StrEnum):
    """The kinds of events."""

    SYNC_COMPLETE = "sync_complete"
    SYNC_ERRORED = "sync_errored"
    RECORD_CREATED = "record_created"
    RECORD_UPDATED = "record_updated"
    RECORD_DELETED = "record_deleted"
    RECORD_ERRORED = "record_errored"


OF_RECORDS = {EventKind.RECORD_CREATED, EventKind.RECORD_UPDATED, EventKind.RECORD_DELETED}


class _Data(BaseModel):
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

    model: str | None = None
    record_id: str | None = Field(default=None, alias="recordId")
    id: str | None = None
    error: Any = None


class Event(BaseModel):
    """One event.

    Attributes:
        event: Its kind.
        sync: The name of the sync type, such as ``files``.
        integration: The integration, if the event names it.
        data: The id of a record, without content.
    """

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    event: EventKind
    sync: str = ""
    integration: str | None = None
    sync_instance_id: str | None = Field(default=None, alias="syncInstanceId")
    data: _Data = Field(default_factory=_Data)

    @property
    def record_id(self) -> str | None:
        """The record's id as the client knows it."""
        record_id = self.data.record_id or self.data.id
        if not record_id or not self.sync_instance_id or "/" in record_id:
            return record_id
        # The hosted service names the sync beside the record; clients name both in one id.
        return str(RecordOfSync(self.sync_instance_id, record_id))


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """The response to the sender of an event."""

    status: int
    message: str
