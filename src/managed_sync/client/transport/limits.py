"""Limits: how many requests run at once, and how many are sent in a second.

Guarantees:

- Permits are given in the order in which they were asked for, to threads and to tasks of any event
  loop alike. Neither taking nor returning one blocks: a program waits for it as an effect.
- A slot is held for exactly one request and never while waiting for another operation of the same
  client, so a client cannot deadlock on itself.

See ``docs/decisions/0019-client-limits.md``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

from managed_sync.arguments import check_number
from managed_sync.client.transport.effects import Driver
from managed_sync.effects import Program, perform
from managed_sync.forks import OfProcess

__all__ = ["DEFAULT_MAX_CONCURRENT_REQUESTS", "FairSemaphore", "Rate", "RequestSlot"]

DEFAULT_MAX_CONCURRENT_REQUESTS = 16


class FairSemaphore(OfProcess):
    """A fixed number of permits, first come, first served.

    Args:
        count: The number of permits.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._enter_process()

    def _begin(self) -> None:
        self._free = self._count
        self._waiting: deque[Future[None]] = deque()
        self._lock = Lock()

    def acquire(self) -> Future[None]:
        """Returns a permit, which is the caller's once it is done; release it in any case."""
        permit: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                permit.set_result(None)
            else:
                self._waiting.append(permit)
        return permit

    def release(self, permit: Future[None]) -> None:
        """Passes a permit on to the one who has waited longest, or stops waiting for it."""
        if permit.cancel():
            return
        heir: Future[None] | None = None
        with self._lock:
            while self._waiting and heir is None:
                first = self._waiting.popleft()
                # False if it was given up; from here on it cannot be.
                heir = first if first.set_running_or_notify_cancel() else None
            if heir is None:
                # One that was taken before a fork is not missing afterwards.
                self._free = min(self._free + 1, self._count)
        if heir is not None:
            heir.set_result(None)


class Rate(OfProcess):
    """Spreads requests evenly over time. Safe to share between threads.

    Args:
        per_second: The most requests in a second; ``None`` for any number.

    Raises:
        ConfigurationError: ``per_second`` is not a number above 0.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None:
            check_number(
                "max_requests_per_second", per_second, is_positive=True, alternative="None"
            )
        self.is_limited = per_second is not None
        self._interval = 1 / per_second if per_second else 0.0
        self._next = -math.inf
        self._enter_process()

    def _begin(self) -> None:
        self._lock = Lock()

    def next_wait(self, now: float) -> float:
        """Returns the seconds until one more request may be sent, and counts it as sent then."""
        with self._lock:
            moment = max(now, self._next)
            self._next = moment + self._interval
        return moment - now


@dataclass(slots=True)
class RequestSlot:
    """The permits of one operation while its requests are sent, one after another.

    Release it however its program ends; it may be acquired again for another attempt.

    Args:
        semaphores: The limits that it counts for, in an order that is the same for all.
        rate: The limit of requests in a second.
        monotonic: The time, in seconds that only ever grow.
        driver: Performs the waiting.
    """

    semaphores: Sequence[FairSemaphore]
    rate: Rate
    monotonic: Callable[[], float]
    driver: Driver
    _permits: list[tuple[FairSemaphore, Future[None]]] = field(default_factory=list)
    _began: float | None = None

    @property
    def spent(self) -> float:
        """Seconds since the first request could be sent."""
        return 0.0 if self._began is None else self.monotonic() - self._began

    def acquire(self) -> Program[None]:
        """Ends when a request may be sent."""
        if not self._permits:
            for semaphore in self.semaphores:
                permit = semaphore.acquire()
                self._permits.append((semaphore, permit))
                if not permit.done():
                    yield from perform(self.driver.wait_for, permit)
        if self.rate.is_limited:
            seconds = self.rate.next_wait(self.monotonic())
            if seconds:
                yield from perform(self.driver.pause, seconds)
        if self._began is None:
            self._began = self.monotonic()

    def release(self) -> None:
        """Gives all permits back."""
        while self._permits:
            semaphore, permit = self._permits.pop()
            semaphore.release(permit)
