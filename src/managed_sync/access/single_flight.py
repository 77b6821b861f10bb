"""One request for equal requests that are made at the same time.

Guarantees:

- A caller gets the answer to a request that was sent after it asked, never to one that was sent
  before: that one may have been answered before an access was revoked.
- For each key at most one request is under way. A caller who comes meanwhile waits for it to end
  and then shares the next one, so that callers who come at the same time send two at most.
- A request that fails fails for all who share it, and is not remembered.
- A caller that stops waiting does not stop the request for the others. Where the request itself is
  broken off, as by Ctrl-C, those who share it send another one.
- A process that was forked waits for no request of the other one.
- Only callers of an equal key share. What is not part of the key must not change the answer.

See ``docs/decisions/0011-access-caching.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

from managed_sync.effects import Program, arun, run
from managed_sync.forks import OfProcess

__all__ = ["SingleFlight"]

R = TypeVar("R")

_MAX_THREADS = 32


class SingleFlight(OfProcess):
    """Lets concurrent callers share requests; see the module for what that never means.

    Safe to share between threads and tasks. A request must not wait for its own key.

    Examples:
        >>> from managed_sync.effects import perform
        >>> SingleFlight().run("key", perform(str, 7))
        '7'
    """

    def __init__(self) -> None:
        self._enter_process()

    def _begin(self) -> None:
        self._lock = Lock()
        self._flights: dict[Hashable, _Flight] = {}
        # The event loop's own pool would not do: it may be full of threads that wait for flights.
        self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="managed-sync-checks")

    def run(self, key: Hashable, program: Program[R]) -> R:
        """Returns the result of a program, run here or for another caller of an equal key.

        Raises:
            Exception: The error that the program raised.
        """
        for flight, is_mine in self._flights_for(key):
            if is_mine:
                with self._flying(key, flight):
                    flight.answer = answer = run(program)
                return answer
            flight.landed.result()
        outcome: R = flight.outcome()
        return outcome

    async def arun_in_thread(self, key: Hashable, program: Program[R]) -> R:
        """Like ``run``, and shared with its callers, without blocking the event loop."""

        def fly(flight: _Flight) -> None:
            with self._flying(key, flight):
                flight.answer = run(program)

        def start(flight: _Flight) -> None:
            self._pool.submit(copy_context().run, fly, flight)

        answer: R = await self._outcome(key, start)
        return answer

    async def arun(self, key: Hashable, program: Program[R]) -> R:
        """Returns the result of a program, run here or for another task of an equal key.

        Tasks of different event loops do not share: a request ends with its loop.

        Raises:
            Exception: The error that the program raised.
        """
        own_key = (asyncio.get_running_loop(), key)

        def start(flight: _Flight) -> None:
            # A task of its own: the caller's may be cancelled while others wait.
            flight.task = asyncio.create_task(self._afly(own_key, flight, program))
            # A task that is cancelled before its first step has no other way to say so.
            flight.task.add_done_callback(
                lambda _: self._land(own_key, flight, asyncio.CancelledError())
            )

        answer: R = await self._outcome(own_key, start)
        return answer

    async def _outcome(self, key: Hashable, start: Callable[[_Flight], None]) -> Any:
        for flight, is_mine in self._flights_for(key):
            if is_mine:
                try:
                    start(flight)
                except BaseException as error:
                    self._land(key, flight, error)
                    raise
            await asyncio.wrap_future(flight.landed)
        return flight.outcome()

    async def _afly(self, key: Hashable, flight: _Flight, program: Program[Any]) -> None:
        # The error is raised to those who wait.
        with suppress(Exception), self._flying(key, flight):
            flight.answer = await arun(program)

    def _flights_for(self, key: Hashable) -> Iterator[tuple[_Flight, bool]]:
        """Yields the flights to wait for, and whether it is the caller who has to start each one.

        The last one is the one whose outcome is the caller's: it was sent after the caller came.
        """
        with self._lock:
            flight, is_mine = self._current_flight(key)
            was_sent_later = not flight.is_sent
        while True:
            yield flight, is_mine
            if is_mine or (was_sent_later and not flight.is_broken_off):
                return
            with self._lock:
                is_mine = False
                if flight.next is None:
                    # Whatever flight there is now began after the one waited for had landed.
                    flight.next, is_mine = self._current_flight(key)
                flight = flight.next
            was_sent_later = True

    def _current_flight(self, key: Hashable) -> tuple[_Flight, bool]:
        """Returns the flight under way, or a new one, and whether it is new."""
        flight = self._flights.get(key)
        if flight is not None:
            return flight, False
        flight = self._flights[key] = _Flight()
        # A future that runs can't be cancelled by a task that stops waiting for it.
        flight.landed.set_running_or_notify_cancel()
        return flight, True

    @contextmanager
    def _flying(self, key: Hashable, flight: _Flight) -> Iterator[None]:
        with self._lock:
            flight.is_sent = True
        try:
            yield
        except BaseException as error:
            self._land(key, flight, error)
            raise
        self._land(key, flight)

    def _land(self, key: Hashable, flight: _Flight, error: BaseException | None = None) -> None:
        with self._lock:
            # It may have landed before: at once, when it could not be started.
            if self._flights.get(key) is not flight:
                return
            del self._flights[key]
        if error is not None:
            flight.error, flight.traceback = error, error.__traceback__
        flight.landed.set_result(None)


@dataclass(slots=True, eq=False)
class _Flight:
    """A request: not yet sent, sent, and once ``landed``, with an answer or an error."""

    is_sent: bool = False
    landed: Future[None] = field(default_factory=Future)
    answer: Any = None
    error: BaseException | None = None
    traceback: TracebackType | None = None
    next: _Flight | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_broken_off(self) -> bool:
        return self.error is not None and not isinstance(self.error, Exception)

    def outcome(self) -> Any:
        if self.error is not None:
            # The same error is raised to several callers, whose traces must not pile up in it.
            raise self.error.with_traceback(self.traceback)
        return self.answer
