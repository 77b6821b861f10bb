"""Repeated calls at a frequency, timed by a monotonic clock.

The time of day can jump: a clock that was ahead is corrected, or a machine starts with a wrong one.
A timetable that followed it would wait for as long as the clock was ahead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from math import inf
from threading import TIMEOUT_MAX, Condition, Thread
from time import monotonic

from managed_sync.logs import get_logger
from managed_sync.server.domain import InvalidParameterError

__all__ = ["Timetable", "parse_frequency"]

_logger = get_logger("managed_sync.server")

_MAX_WAIT_SECONDS = min(TIMEOUT_MAX, 86_400.0)
_STOP_SECONDS = 5.0
_FREQUENCY = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_frequency(text: str) -> timedelta:
    """Returns the time between two syncs.

    Examples:
        >>> parse_frequency("15m")
        datetime.timedelta(seconds=900)

    Raises:
        InvalidParameterError: The text is not a whole number of minutes, hours or days.
    """
    match = _FREQUENCY.fullmatch(text)
    if match is None:
        raise InvalidParameterError(
            "frequency must be a whole number of minutes, hours or days, such as 1m, 15m, 1h or "
            f"1d, got {text!r}."
        )
    return int(match[1]) * _UNITS[match[2]]


class Timetable:
    """Calls a function for each of its entries at a fixed interval.

    Args:
        call: Called with the entry that is due; must return soon.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(self, call: Callable[[int], None], clock: Callable[[], float] = monotonic) -> None:
        self._call = call
        self._clock = clock
        self._due: dict[int, float] = {}
        self._every: dict[int, float] = {}
        self._changed = Condition()
        self._stopped = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Starts the calls."""
        self._thread = Thread(target=self._run, name="managed-sync-timetable", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the calls."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def put(self, entry: int, *, every: float, first: float) -> None:
        """Adds an entry, or replaces it.

        Args:
            entry: The entry.
            every: Seconds between two calls.
            first: Seconds until the first one.
        """
        with self._changed:
            self._every[entry] = every
            self._due[entry] = self._clock() + first
            self._changed.notify()

    def remove(self, entry: int) -> None:
        """Removes an entry if it exists."""
        with self._changed:
            self._due.pop(entry, None)
            self._every.pop(entry, None)

    def call_due(self) -> None:
        """Makes the calls that are due now."""
        with self._changed:
            due = self._take_due()
        for entry in due:
            try:
                self._call(entry)
            except Exception:
                _logger.exception("A scheduled call failed")

    def _take_due(self) -> list[int]:
        now = self._clock()
        due = [entry for entry, moment in self._due.items() if moment <= now]
        for entry in due:
            # Missed calls are not repeated: one call brings everything up to date.
            self._due[entry] = now + self._every[entry]
        return due

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (pause := self._pause()) > 0:
                    self._changed.wait(min(pause, _MAX_WAIT_SECONDS))
                if self._stopped:
                    return
            self.call_due()

    def _pause(self) -> float:
        return min(self._due.values(), default=inf) - self._clock()
