"""The limit on the requests of each connected user."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

from managed_sync.server.domain import Scope

__all__ = ["RateLimit"]

_MAX_USERS = 10_000


class RateLimit:
    """A token bucket for each connected user, in bounded memory.

    Args:
        per_second: The requests per second that a user may send on average.
        burst: The requests that a user may send at once.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[Scope, tuple[float, float]] = OrderedDict()

    def wait(self, scope: Scope) -> int:
        """Counts one request; returns the seconds to wait if it is above the limit, else 0."""
        now = self._clock()
        left, since = self._buckets.pop(scope, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        admitted = left >= 1
        self._buckets[scope] = (left - admitted, now)
        if len(self._buckets) > _MAX_USERS:
            # The least recent user has the fullest bucket, and a new bucket is full.
            self._buckets.popitem(last=False)
        return 0 if admitted else max(1, ceil((1 - left) / self._per_second))
