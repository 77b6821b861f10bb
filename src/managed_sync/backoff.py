"""Waits between attempts: after failures, as a server asks, or until a condition holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import NamedTuple

__all__ = ["Backoff", "http_date", "poll", "retry_after_seconds"]

# 2.0 ** 1024 overflows; any longest wait is reached long before.
_MOST_DOUBLINGS = 64


class Backoff(NamedTuple):
    """Waits that double from one attempt to the next, up to a longest one.

    Attributes:
        first: Seconds before the first retry.
        longest: Seconds that no wait exceeds.

    Examples:
        >>> [Backoff(0.5, longest=8).wait(retries) for retries in range(6)]
        [0.5, 1.0, 2.0, 4.0, 8, 8]
    """

    first: float
    longest: float = math.inf

    def wait(self, retries: int) -> float:
        """Returns the seconds to wait after this many retries have been made already."""
        return min(self.longest, self.first * 2.0 ** min(retries, _MOST_DOUBLINGS))


def retry_after_seconds(retry_after: str | None, date: str | None) -> float | None:
    """Reads the header ``Retry-After``, which has seconds or a date.

    A date is compared with the response's own ``Date`` where there is one, since the clocks of a
    client and a server differ.

    Args:
        retry_after: The header ``Retry-After``.
        date: The header ``Date``.

    Returns:
        The seconds to wait; ``None`` if the header is missing or cannot be read.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (http_date(date or "") or datetime.now(UTC))).total_seconds())


def http_date(text: str) -> datetime | None:
    """Reads a date of an HTTP header; returns ``None`` if it cannot be read."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def poll(
    condition: Callable[[], bool], *, seconds: float, every: float, stop: Event | None = None
) -> bool:
    """Calls a condition until it holds; returns whether it did in time.

    Args:
        condition: Called at least once.
        seconds: The longest time to wait.
        every: Seconds between two calls.
        stop: Ends the waiting when it is set.
    """
    deadline = time.monotonic() + seconds
    pause = stop or Event()
    while not condition():
        left = deadline - time.monotonic()
        if left <= 0 or pause.wait(min(every, left)):
            return False
    return True
