"""The records and pipelines that events named, until they are brought up to date.

Events that come within a quiet time are applied together. Records that failed together are tried
again in halves, apart from those that came meanwhile, until the record that fails is alone.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event
from typing import NamedTuple

from managed_sync.backoff import Backoff

__all__ = ["EventQueue", "PendingTask", "Task"]

_MOST_RECORDS = 500
_SHORTEST_QUIET = 0.1
_LONGEST_PAUSE = 300.0
# Long enough for an API whose copies take a moment to agree.
_SECOND_LOOK_AFTER = 1.0


class Task(NamedTuple):
    """A pipeline of which single records, or all, are to be brought up to date.

    Attributes:
        part: Tells records that failed together from others: 0 for those that have not failed.
    """

    integration: str
    sync_type: str
    is_whole: bool
    part: int = 0


@dataclass(slots=True)
class PendingTask:
    """The records of a task, and the time to begin it.

    Attributes:
        records: Each record once, however many events named it, and whether it is expected to be
            there: an event said so, and it was not looked for in vain yet.
    """

    records: dict[str, bool] = field(default_factory=dict)
    not_before: float = 0.0
    failures: int = 0


class EventQueue:
    """The tasks of a receiver; safe to share between threads.

    Args:
        quiet_seconds: Seconds to gather events before they are applied.
        stop: Ends the queue when it is set.

    Attributes:
        changed: Holds the queue's lock, and is notified of changes.
    """

    def __init__(self, quiet_seconds: float, stop: Event) -> None:
        self._quiet = quiet_seconds
        self._stop = stop
        self._backoff = Backoff(max(quiet_seconds, _SHORTEST_QUIET), longest=_LONGEST_PAUSE)
        self._tasks: dict[Task, PendingTask] = {}
        self._parts = itertools.count(1)
        self._is_busy = False
        self.changed = Condition()

    def add_record(self, pipeline: tuple[str, str], record_id: str, *, is_expected: bool) -> None:
        """Adds a record that an event named.

        Args:
            pipeline: Integration and sync type.
            record_id: The record.
            is_expected: Whether the record should be there.
        """
        with self.changed:
            self._add(pipeline, record_id, is_expected=is_expected)
            self.changed.notify_all()

    def add_pipeline(self, pipeline: tuple[str, str]) -> None:
        """Adds all records of a pipeline.

        Args:
            pipeline: Integration and sync type.
        """
        with self.changed:
            self._add_all(pipeline)
            self.changed.notify_all()

    def take(self) -> tuple[Task, PendingTask] | None:
        """Waits for the next task, and removes it from the queue; ``None`` at the end."""
        with self.changed:
            while not self._stop.is_set():
                now = time.monotonic()
                due = [task for task, pending in self._tasks.items() if pending.not_before <= now]
                if due:
                    self._is_busy = True
                    return due[0], self._tasks.pop(due[0])
                soonest = min((one.not_before for one in self._tasks.values()), default=None)
                self.changed.wait(None if soonest is None else soonest - now)
        return None

    def end_task(self) -> None:
        """Says that the task that was taken has ended."""
        with self.changed:
            self._is_busy = False
            self.changed.notify_all()

    def put_back(self, task: Task, pending: PendingTask) -> float:
        """Puts a task back that failed: its records in two halves, each for itself.

        Returns:
            The seconds until it is tried again.
        """
        failures = pending.failures + 1
        pause = self._backoff.wait(failures)
        not_before = time.monotonic() + pause
        with self.changed:
            if task.is_whole:
                self._tasks[task] = PendingTask({}, not_before, failures)
            for records in _halves(pending.records):
                part = task._replace(part=next(self._parts))
                self._tasks[part] = PendingTask(records, not_before, failures)
        return pause

    def look_again(self, task: Task, pending: PendingTask, unconfirmed: Sequence[str]) -> None:
        """Adds records that were not found: once more, and then by a run.

        Args:
            task: The task that was taken.
            pending: Its records.
            unconfirmed: Those that were not found.
        """
        if task.is_whole or not unconfirmed:
            return
        pipeline = (task.integration, task.sync_type)
        with self.changed:
            expected = [each for each in unconfirmed if pending.records.get(each)]
            if len(expected) < len(unconfirmed):
                # The API does not show that it sees the pipeline: only a listing can decide.
                self._add_all(pipeline)
            for record_id in expected:
                self._add(pipeline, record_id, is_expected=False)
            single = self._tasks.get(task._replace(part=0))
            if expected and single is not None:
                single.not_before = time.monotonic() + _SECOND_LOOK_AFTER

    def wait_until_idle(self, timeout: float) -> bool:
        """Waits until every task has ended; returns whether they did in time."""
        with self.changed:
            return self.changed.wait_for(lambda: not self._tasks and not self._is_busy, timeout)

    def _add(self, pipeline: tuple[str, str], record_id: str, *, is_expected: bool) -> None:
        whole = self._tasks.get(Task(*pipeline, is_whole=True))
        if whole is not None and not whole.failures:
            return  # A run finds everything that single events would tell.
        parts = self._single(pipeline)
        # A record that has failed waits for its time, and is not joined with others again.
        task = next((each for each in parts if record_id in self._tasks[each].records), None)
        if task is None:
            task = Task(*pipeline, is_whole=False)
            self._tasks.setdefault(task, PendingTask(not_before=time.monotonic() + self._quiet))
        records = self._tasks[task].records
        # An older event must not make a record expected that a newer one said is deleted.
        records[record_id] = is_expected and records.get(record_id, True)
        if sum(len(self._tasks[each].records) for each in {*parts, task}) > _MOST_RECORDS:
            self._add_all(pipeline)

    def _add_all(self, pipeline: tuple[str, str]) -> None:
        task = Task(*pipeline, is_whole=True)
        if task not in self._tasks:
            self._tasks[task] = PendingTask(not_before=time.monotonic() + self._quiet)
        if not self._tasks[task].failures:
            for each in self._single(pipeline):
                del self._tasks[each]

    def _single(self, pipeline: tuple[str, str]) -> list[Task]:
        """Returns the tasks for single records of a pipeline."""
        return [task for task in self._tasks if task[:2] == tuple(pipeline) and not task.is_whole]


def _halves(records: Mapping[str, bool]) -> list[dict[str, bool]]:
    """Splits records into two parts; a single record, or none, into as many."""
    items = list(records.items())
    middle = (len(items) + 1) // 2
    return [dict(half) for half in (items[:middle], items[middle:]) if half]
