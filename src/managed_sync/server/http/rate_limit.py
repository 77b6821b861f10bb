"""How often a connected user may ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

from managed_sync.server.domain import Scope

__all__ = ["RateLimit"]

_MOST_USERS = 10_000


class RateLimit:
    """A bucket of tokens for every connected user, in memory that does not grow without end.

    Args:
        per_second: How many requests a user may send in the long run.
        burst: How many at once.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[Scope, tuple[float, float]] = OrderedDict()

    def wait(self, scope: Scope) -> int:
        """Takes one request; the whole seconds to wait if it is one too many, else 0."""
        now = self._clock()
        left, since = self._buckets.pop(scope, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        admitted = left >= 1
        self._buckets[scope] = (left - admitted, now)
        if len(self._buckets) > _MOST_USERS:
            # Whoever asked least recently has the fullest bucket, which is what a new one is.
            self._buckets.popitem(last=False)
        return 0 if admitted else max(1, ceil((1 - left) / self._per_second))
