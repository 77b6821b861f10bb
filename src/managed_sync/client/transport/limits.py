"""How many requests are under way at once, and how many are sent in a second.

Whoever wants to send takes a place, and leaves it when the answer was read. Places are given in the
order in which they were asked for, to threads and to tasks of any event loop alike. Neither taking
nor leaving one blocks: what a flow has to wait for is a step. A place is held for one request only,
and never while something else of the client is waited for, so that nobody waits for himself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock
from types import TracebackType
from typing import Self

from managed_sync.arguments import check_number
from managed_sync.client.transport.clock import Clock
from managed_sync.client.transport.effects import Flow, Pause, WaitFor
from managed_sync.forks import OfProcess

__all__ = ["DEFAULT_MAX_CONCURRENT_REQUESTS", "Places", "Rate", "Turn"]

DEFAULT_MAX_CONCURRENT_REQUESTS = 16


class Places(OfProcess):
    """A fixed number of places, first come, first served.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._enter_process()

    def _begin(self) -> None:
        self._free = self._count
        self._waiting: deque[Future[None]] = deque()
        self._lock = Lock()

    def take(self) -> Future[None]:
        """A place, which is the taker's once it is done; it must be left in any case."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                place.set_result(None)
            else:
                self._waiting.append(place)
        return place

    def leave(self, place: Future[None]) -> None:
        """Gives a place to whoever waits longest, or gives up waiting for it."""
        if place.cancel():
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
        per_second: How many there may be in a second; ``None`` for any number.

    Raises:
        ConfigurationError: It is not a number above 0.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None:
            check_number(
                "max_requests_per_second", per_second, is_positive=True, alternative="None"
            )
        self._interval = 1 / per_second if per_second else 0.0
        self._next = -math.inf
        self._enter_process()

    def _begin(self) -> None:
        self._lock = Lock()

    def next_wait(self, now: float) -> float:
        """Seconds until it is the turn of one more request, which is counted as sent then."""
        if not self._interval:
            return 0.0
        with self._lock:
            moment = max(now, self._next)
            self._next = moment + self._interval
        return moment - now


class Turn:
    """The places of one operation while its requests are sent, one after another.

    A context manager, so that places are left however its flow ends; it may be entered again for
    another attempt.

    Args:
        places: The limits that it counts for, in an order that is the same for all.
        rate: How many requests may be sent in a second.
        clock: The time.
    """

    def __init__(self, places: Sequence[Places], rate: Rate, clock: Clock) -> None:
        self._places = places
        self._rate = rate
        self._clock = clock
        self._taken: list[tuple[Places, Future[None]]] = []
        self._began: float | None = None

    @property
    def spent(self) -> float:
        """Seconds since the first request could be sent."""
        return 0.0 if self._began is None else self._clock.monotonic() - self._began

    def wait(self) -> Flow[None]:
        """Ends when a request may be sent."""
        if not self._taken:
            for places in self._places:
                place = places.take()
                self._taken.append((places, place))
                if not place.done():
                    yield WaitFor(place)
        seconds = self._rate.next_wait(self._clock.monotonic())
        if seconds:
            yield Pause(seconds)
        if self._began is None:
            self._began = self._clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._taken:
            places, place = self._taken.pop()
            places.leave(place)
