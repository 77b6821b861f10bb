"""Applies what webhooks tell, soon and safely.

What this module promises:

- An event without a valid signature or secret is refused before its body is read as JSON.
- An event is answered before anything is done about it.
- What is done rests on what the API says of a record at that moment, and never on the event: one
  that arrives twice, late or out of order changes nothing that the API does not confirm.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from managed_sync.identifiers import RecordOfSync
from managed_sync.indexing.report import IndexReport
from managed_sync.indexing.webhook_secrets import Verifier
from managed_sync.logs import get_logger

__all__ = ["Answer", "Event", "EventKind", "SingleRecordSync", "WebhookReceiver"]

_logger = get_logger("managed_sync.webhooks")

_MOST_RECORDS = 500
_LONGEST_PAUSE = 300.0


class EventKind(StrEnum):
    """What a webhook tells of."""

    SYNC_COMPLETE = "sync_complete"
    SYNC_ERRORED = "sync_errored"
    RECORD_CREATED = "record_created"
    RECORD_UPDATED = "record_updated"
    RECORD_DELETED = "record_deleted"
    RECORD_ERRORED = "record_errored"


_OF_RECORDS = {EventKind.RECORD_CREATED, EventKind.RECORD_UPDATED, EventKind.RECORD_DELETED}


class _Data(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: str | None = None
    record_id: str | None = Field(default=None, alias="recordId")
    id: str | None = None
    error: Any = None


class Event(BaseModel):
    """One event, as it arrives.

    Attributes:
        event: What it tells of.
        sync: The name of the sync type, such as ``files``.
        integration: Where the records come from, if the event says so.
        data: What it says of a record: its id, no content.
    """

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    event: EventKind
    sync: str = ""
    integration: str | None = None
    sync_instance_id: str | None = Field(default=None, alias="syncInstanceId")
    data: _Data = Field(default_factory=_Data)

    @property
    def record_id(self) -> str | None:
        """The record that it tells of, by the id that the client knows it by."""
        named = self.data.record_id or self.data.id
        if not named or not self.sync_instance_id or "/" in named:
            return named
        # The hosted service names the sync beside the record, and clients name both in one.
        return str(RecordOfSync(self.sync_instance_id, named))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender of an event is answered."""

    status: int
    said: str


class SingleRecordSync(Protocol):
    """What applies events; ``IndexSync`` does."""

    def run(
        self,
        *,
        integration: str,
        sync_type: str,
        wait: float = ...,
        stop: threading.Event | None = ...,
    ) -> IndexReport:
        """Brings a pipeline up to date."""

    def apply(
        self,
        record_ids: Any,
        *,
        integration: str,
        sync_type: str,
        wait: float = ...,
        stop: threading.Event | None = ...,
    ) -> IndexReport:
        """Brings single records up to date."""


@dataclass(slots=True)
class _Pending:
    """What is to be done about a pipeline; each record once, however many events named it."""

    records: dict[str, None] = field(default_factory=dict)
    whole: bool = False
    not_before: float = 0.0
    failures: int = 0


class WebhookReceiver:
    """Takes events of any number of pipelines, and applies them in a thread of its own.

    Events that come within ``quiet_seconds`` are applied together, each record once. What fails is
    tried again, after longer and longer pauses. What a process that ends has not applied is found
    by the next run, so keep running ``IndexSync.run`` now and then.

    Args:
        sync: What applies them.
        pipelines: The pipelines that events may be about: each one's name in the event (``sync``,
            or ``syncInstanceId``) with integration and sync type.
        verify: What knows an event's sender: ``SharedSecret`` or ``SignedBody``.
        quiet_seconds: How long to gather events before they are applied.
        on_report: Called with what was done, in the receiver's thread.

    Examples:
        ```python
        receiver = WebhookReceiver(
            sync, {"files": ("googleDrive", "files")}, verify=SignedBody(secret)
        )
        app = WebhookApp(receiver)      # any ASGI server runs this
        ```
    """

    def __init__(
        self,
        sync: SingleRecordSync,
        pipelines: Mapping[str, tuple[str, str]],
        *,
        verify: Verifier,
        quiet_seconds: float = 1.0,
        on_report: Callable[[str, str, IndexReport], None] | None = None,
    ) -> None:
        self._sync = sync
        self._pipelines = dict(pipelines)
        self._verify = verify
        self._quiet = quiet_seconds
        self._on_report = on_report
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._busy = False
        self._thread: threading.Thread | None = None

    def receive(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Takes one event.

        Args:
            headers: The request's, with names in lower case.
            body: As it arrived.
        """
        if not self._verify.accepts(headers, body):
            return Answer(401, "The event bears no valid signature or secret.")
        try:
            event = Event.model_validate(json.loads(body))
        except (ValueError, ValidationError, RecursionError):
            return Answer(400, "The body is not an event.")
        names = self._pipelines.get(event.sync_instance_id or "") or self._pipelines.get(event.sync)
        if names is None:
            return Answer(404, "No pipeline of this name is expected here.")
        if event.integration is not None and event.integration != names[0]:
            return Answer(404, "No pipeline of this name is expected here.")
        return self._take(names, event)

    def start(self) -> None:
        """Begins to apply; the first event does it as well."""
        with self._changed:
            self._start()

    def close(self, timeout: float = 30.0) -> None:
        """Ends after what is under way."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def wait_until_idle(self, timeout: float = 30.0) -> bool:
        """Waits until everything that was taken is applied; whether it was, in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending and not self._busy, timeout)

    def _take(self, names: tuple[str, str], event: Event) -> Answer:
        if event.event is EventKind.SYNC_ERRORED:
            _logger.warning("The sync of %s %s failed: %s", *names, event.data.error)
            return Answer(202, "Noted.")
        if event.event is EventKind.RECORD_ERRORED:
            _logger.warning("Record %s of %s %s failed.", event.record_id, *names)
            return Answer(202, "Noted.")
        if event.event in _OF_RECORDS and event.record_id is None:
            return Answer(400, "The event names no record.")
        with self._changed:
            pending = self._pending.setdefault(names, _Pending())
            if not pending.records and not pending.whole:
                pending.not_before = time.monotonic() + self._quiet
            if event.event is EventKind.SYNC_COMPLETE or len(pending.records) >= _MOST_RECORDS:
                # A run finds all that single events would tell.
                pending.whole = True
            elif event.record_id is not None:
                pending.records[event.record_id] = None
            self._start()
            self._changed.notify_all()
        return Answer(202, "Accepted.")

    def _start(self) -> None:
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(
                target=self._work, name="managed-sync-webhooks", daemon=True
            )
            self._thread.start()

    def _work(self) -> None:
        while taken := self._next():
            names, pending = taken
            try:
                report = self._apply(names, pending)
            except Exception as error:  # noqa: BLE001 - events must not be lost, whatever it is
                self._put_back(names, pending, error)
            else:
                if self._on_report is not None:
                    self._on_report(*names, report)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> tuple[tuple[str, str], _Pending] | None:
        """What is due next, when it is due; ``None`` at the end."""
        with self._changed:
            while not self._stop.is_set():
                now = time.monotonic()
                due = [names for names, one in self._pending.items() if one.not_before <= now]
                if due:
                    self._busy = True
                    return due[0], self._pending.pop(due[0])
                soonest = min((one.not_before for one in self._pending.values()), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
        return None

    def _apply(self, names: tuple[str, str], pending: _Pending) -> IndexReport:
        integration, sync_type = names
        if pending.whole:
            return self._sync.run(
                integration=integration, sync_type=sync_type, wait=60, stop=self._stop
            )
        return self._sync.apply(
            list(pending.records),
            integration=integration,
            sync_type=sync_type,
            wait=60,
            stop=self._stop,
        )

    def _put_back(self, names: tuple[str, str], pending: _Pending, error: Exception) -> None:
        pause = min(max(self._quiet, 0.1) * 2 ** (pending.failures + 1), _LONGEST_PAUSE)
        _logger.warning("Events of %s %s wait %.0f s: %s", *names, pause, error)
        with self._changed:
            newer = self._pending.get(names, _Pending())
            self._pending[names] = _Pending(
                records={**pending.records, **newer.records},
                whole=pending.whole or newer.whole,
                not_before=time.monotonic() + pause,
                failures=pending.failures + 1,
            )
