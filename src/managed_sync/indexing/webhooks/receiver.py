"""Applies webhook events, soon and safely.

Guarantees:

- An event without a valid signature or secret is refused before its body is read as JSON.
- An event is answered before anything is done about it.
- The API's present answer for a record decides, and never the event: one that arrives twice, late
  or out of order changes nothing that the API does not confirm.
- A record that an event says was created or updated is looked for twice before it is taken to be
  gone.
- An event that cannot be applied holds up no other one.

See ``docs/decisions/0023-indexing-webhooks.md``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from managed_sync.errors import DeletionsWithheldError
from managed_sync.forks import OfProcess
from managed_sync.indexing.report import IndexReport
from managed_sync.indexing.webhooks.events import OF_RECORDS, Event, EventKind, WebhookResponse
from managed_sync.indexing.webhooks.queue import EventQueue, PendingTask, Task
from managed_sync.indexing.webhooks.verifiers import Verifier
from managed_sync.logs import get_logger

__all__ = ["SingleRecordSync", "WebhookReceiver"]

_logger = get_logger("managed_sync.webhooks")


class SingleRecordSync(Protocol):
    """Applies events, as ``IndexSync`` does."""

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


class WebhookReceiver(OfProcess):
    """Takes events of any number of pipelines, and applies them in a thread of its own.

    Events that come within ``quiet_seconds`` are applied together, each record once. Events that
    fail are tried again, after longer and longer pauses. If the process ends before it has applied
    an event, the next run finds the change, so keep running ``IndexSync.run`` now and then.

    Args:
        sync: Applies the events, as an ``IndexSync`` does.
        pipelines: The pipelines that events may be about: each one's name in the event (``sync``,
            or ``syncInstanceId``) with integration and sync type.
        verify: Recognizes an event's sender: ``SharedSecret`` or ``SignedBody``.
        quiet_seconds: Seconds to gather events before they are applied.
        on_report: Called with integration, sync type and report, in the receiver's thread. If it
            fails, that is logged.

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
        self._quiet_seconds = quiet_seconds
        self._on_report = on_report
        self._stop = threading.Event()
        self._enter_process()

    def _begin(self) -> None:
        # Events from before a fork are applied by the process to which they came.
        self._queue = EventQueue(self._quiet_seconds, self._stop)
        self._thread: threading.Thread | None = None

    def receive(self, headers: Mapping[str, str], body: bytes) -> WebhookResponse:
        """Takes one event.

        Args:
            headers: The request's headers, with names in lower case.
            body: The request's body.
        """
        if not self._verify.accepts(headers, body):
            return WebhookResponse(401, "The event has no valid signature or secret.")
        try:
            event = Event.model_validate(json.loads(body))
        except (ValueError, ValidationError, RecursionError):
            return WebhookResponse(400, "The body is not an event.")
        if self._stop.is_set():
            return WebhookResponse(503, "The receiver is closed; send the event again later.")
        pipeline = self._pipelines.get(event.sync_instance_id or "") or self._pipelines.get(
            event.sync
        )
        if pipeline is None or event.integration not in {None, pipeline[0]}:
            return WebhookResponse(404, "No pipeline of this name is expected here.")
        return self._take(pipeline, event)

    def start(self) -> None:
        """Starts the thread that applies events, as the first event does too."""
        with self._queue.changed:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._work, name="managed-sync-webhooks", daemon=True
                )
                self._thread.start()

    def close(self, timeout: float = 30.0) -> None:
        """Ends after the work under way."""
        self._stop.set()
        with self._queue.changed:
            self._queue.changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def wait_until_idle(self, timeout: float = 30.0) -> bool:
        """Waits until every event is applied; returns whether they were in time."""
        return self._queue.wait_until_idle(timeout)

    def _take(self, pipeline: tuple[str, str], event: Event) -> WebhookResponse:
        if event.event is EventKind.SYNC_ERRORED:
            _logger.warning("The sync of %s %s failed: %s", *pipeline, event.data.error)
            return WebhookResponse(202, "Noted.")
        if event.event is EventKind.RECORD_ERRORED:
            _logger.warning("Record %s of %s %s failed.", event.record_id, *pipeline)
            return WebhookResponse(202, "Noted.")
        if event.event in OF_RECORDS and event.record_id is None:
            return WebhookResponse(400, "The event names no record.")
        if event.event is EventKind.SYNC_COMPLETE:
            self._queue.add_pipeline(pipeline)
        elif event.record_id is not None:
            is_expected = event.event is not EventKind.RECORD_DELETED
            self._queue.add_record(pipeline, event.record_id, is_expected=is_expected)
        self.start()
        return WebhookResponse(202, "Accepted.")

    def _work(self) -> None:
        while taken := self._queue.take():
            task, pending = taken
            try:
                report = self._apply(task, pending)
            except DeletionsWithheldError as error:
                # To try again would change nothing: somebody has to look.
                _logger.error("Events of %s %s: %s", task.integration, task.sync_type, error)
                self._tell(task, error.report)
            except BaseException as error:  # noqa: BLE001 - events must not be lost, whatever it is
                # A task that was cancelled in a client, or an exit: nobody else ends this thread.
                pause = self._queue.put_back(task, pending)
                _logger.warning(
                    "Events of %s %s wait %.0f s: %.300s",
                    task.integration,
                    task.sync_type,
                    pause,
                    str(error) or type(error).__name__,
                )
            else:
                self._queue.look_again(task, pending, report.unconfirmed)
                self._tell(task, report)
            self._queue.end_task()

    def _apply(self, task: Task, pending: PendingTask) -> IndexReport:
        if task.is_whole:
            return self._sync.run(
                integration=task.integration, sync_type=task.sync_type, wait=60, stop=self._stop
            )
        return self._sync.apply(
            list(pending.records),
            integration=task.integration,
            sync_type=task.sync_type,
            expected={record_id for record_id, expected in pending.records.items() if expected},
            wait=60,
            stop=self._stop,
        )

    def _tell(self, task: Task, report: IndexReport) -> None:
        if self._on_report is None:
            return
        try:
            self._on_report(task.integration, task.sync_type, report)
        except BaseException:
            _logger.exception("on_report failed; the events were applied.")
