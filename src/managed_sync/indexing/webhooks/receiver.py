"""Applies what webhooks tell, soon and safely.

Guarantees:

- An event without a valid signature or secret is refused before its body is read as JSON.
- An event is answered before anything is done about it.
- What is done rests on what the API says of a record at that moment, and never on the event: one
  that arrives twice, late or out of order changes nothing that the API does not confirm.
- A record that an event says was created or updated is looked for twice before it is taken to be
  gone.
- An event that cannot be applied holds up no other one: events that fail together are tried again
  in halves, apart from those that came meanwhile, until the one that fails is alone.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from managed_sync.errors import DeletionsWithheldError
from managed_sync.forks import OfProcess
from managed_sync.identifiers import RecordOfSync
from managed_sync.indexing.report import IndexReport
from managed_sync.indexing.webhooks.verifiers import Verifier
from managed_sync.logs import get_logger

__all__ = ["Answer", "Event", "EventKind", "SingleRecordSync", "WebhookReceiver"]

_logger = get_logger("managed_sync.webhooks")

_MOST_RECORDS = 500
_LONGEST_PAUSE = 300.0
_MOST_DOUBLINGS = 12
# Long enough for an API whose copies take a moment to agree.
_SECOND_LOOK_AFTER = 1.0


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
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

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
        expected: Collection[str] = ...,
        wait: float = ...,
        stop: threading.Event | None = ...,
    ) -> IndexReport:
        """Brings single records up to date; those that are ``expected`` are not removed."""


class _Work(NamedTuple):
    """A pipeline, and whether all of it or single records are to be brought up to date.

    Attributes:
        part: Tells records that failed together from others: 0 for those that have not failed.
    """

    integration: str
    sync_type: str
    is_whole: bool
    part: int = 0


@dataclass(slots=True)
class _Pending:
    """What is to be done, and when.

    Attributes:
        records: Each record once, however many events named it, and whether it is expected to be
            there: an event said so, and it was not looked for in vain yet.
    """

    records: dict[str, bool] = field(default_factory=dict)
    not_before: float = 0.0
    failures: int = 0


class WebhookReceiver(OfProcess):
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
        on_report: Called with what was done, in the receiver's thread. If it fails, that is logged.

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
        self._stop = threading.Event()
        self._enter_process()

    def _begin(self) -> None:
        # What came before a fork is applied by the process to which it came.
        self._pending: dict[_Work, _Pending] = {}
        self._parts = itertools.count(1)
        self._changed = threading.Condition()
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
        if self._stop.is_set():
            return Answer(503, "The receiver is closed; send the event again later.")
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
            if event.event is EventKind.SYNC_COMPLETE:
                self._want_all(names)
            elif event.record_id is not None:
                self._want(names, event.record_id, event.event is not EventKind.RECORD_DELETED)
            self._start()
            self._changed.notify_all()
        return Answer(202, "Accepted.")

    def _want(self, names: tuple[str, str], record_id: str, is_expected: bool) -> None:
        whole = self._pending.get(_Work(*names, is_whole=True))
        if whole is not None and not whole.failures:
            return  # A run finds all that single events would tell.
        parts = self._single(names)
        # One that has failed waits for its time, and is not joined with others again.
        work = next((each for each in parts if record_id in self._pending[each].records), None)
        if work is None:
            work = _Work(*names, is_whole=False)
            not_before = time.monotonic() + self._quiet
            self._pending.setdefault(work, _Pending(not_before=not_before))
        records = self._pending[work].records
        # An older event must not make it expected that a newer one said is deleted.
        records[record_id] = is_expected and records.get(record_id, True)
        if sum(len(self._pending[each].records) for each in {*parts, work}) > _MOST_RECORDS:
            self._want_all(names)

    def _want_all(self, names: tuple[str, str]) -> None:
        work = _Work(*names, is_whole=True)
        if work not in self._pending:
            self._pending[work] = _Pending(not_before=time.monotonic() + self._quiet)
        if not self._pending[work].failures:
            for each in self._single(names):
                del self._pending[each]

    def _single(self, names: tuple[str, str]) -> list[_Work]:
        """What is to be done for single records of a pipeline."""
        return [work for work in self._pending if work[:2] == tuple(names) and not work.is_whole]

    def _start(self) -> None:
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(
                target=self._work, name="managed-sync-webhooks", daemon=True
            )
            self._thread.start()

    def _work(self) -> None:
        while taken := self._next():
            work, pending = taken
            try:
                report = self._apply(work, pending)
            except DeletionsWithheldError as error:
                # To try again would change nothing: somebody has to look.
                _logger.error("Events of %s %s: %s", work.integration, work.sync_type, error)
                self._tell(work, error.report)
            except BaseException as error:  # noqa: BLE001 - events must not be lost, whatever it is
                # A task that was cancelled in a client, or an exit: nobody else ends this thread.
                self._put_back(work, pending, error)
            else:
                self._look_again(work, pending, report)
                self._tell(work, report)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> tuple[_Work, _Pending] | None:
        """What is due next, when it is due; ``None`` at the end."""
        with self._changed:
            while not self._stop.is_set():
                now = time.monotonic()
                due = [work for work, one in self._pending.items() if one.not_before <= now]
                if due:
                    self._busy = True
                    return due[0], self._pending.pop(due[0])
                soonest = min((one.not_before for one in self._pending.values()), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
        return None

    def _apply(self, work: _Work, pending: _Pending) -> IndexReport:
        integration, sync_type, is_whole, _ = work
        if is_whole:
            return self._sync.run(
                integration=integration, sync_type=sync_type, wait=60, stop=self._stop
            )
        return self._sync.apply(
            list(pending.records),
            integration=integration,
            sync_type=sync_type,
            expected={record_id for record_id, expected in pending.records.items() if expected},
            wait=60,
            stop=self._stop,
        )

    def _look_again(self, work: _Work, pending: _Pending, report: IndexReport) -> None:
        """Sees to records that were not found: once more, and then by a run."""
        if work.is_whole or not report.unconfirmed:
            return
        names = (work.integration, work.sync_type)
        with self._changed:
            missed = [each for each in report.unconfirmed if pending.records.get(each)]
            if len(missed) < len(report.unconfirmed):
                # The API does not show that it sees the pipeline: only a listing can decide.
                self._want_all(names)
            for record_id in missed:
                self._want(names, record_id, is_expected=False)
            single = self._pending.get(work._replace(part=0))
            if missed and single is not None:
                single.not_before = time.monotonic() + _SECOND_LOOK_AFTER

    def _tell(self, work: _Work, report: IndexReport) -> None:
        if self._on_report is None:
            return
        try:
            self._on_report(work.integration, work.sync_type, report)
        except BaseException:
            _logger.exception("on_report failed; the events were applied.")

    def _put_back(self, work: _Work, pending: _Pending, error: BaseException) -> None:
        pause = min(
            max(self._quiet, 0.1) * 2 ** min(pending.failures + 1, _MOST_DOUBLINGS), _LONGEST_PAUSE
        )
        _logger.warning(
            "Events of %s %s wait %.0f s: %.300s",
            work.integration,
            work.sync_type,
            pause,
            str(error) or type(error).__name__,
        )
        not_before, failures = time.monotonic() + pause, pending.failures + 1
        with self._changed:
            if work.is_whole:
                self._pending[work] = _Pending({}, not_before, failures)
            for records in _halves(pending.records):
                part = work._replace(part=next(self._parts))
                self._pending[part] = _Pending(records, not_before, failures)


def _halves(records: Mapping[str, bool]) -> list[dict[str, bool]]:
    """The records in two parts; a single one, or none, in as many."""
    named = list(records.items())
    middle = (len(named) + 1) // 2
    return [dict(half) for half in (named[:middle], named[middle:]) if half]
