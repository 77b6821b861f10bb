"""A cache of decisions and lists that a caller allowed to be kept for a while.

Guarantees:

- A decision is found only under the key it was kept under: subject, relation and object.
- It is found until its lifetime ends, counted from before the request was sent. Finding it does
  not prolong that.
- An older decision never replaces a newer one.
- A lifetime of 0 keeps nothing.

See ``docs/decisions/0011-access-caching.md``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from managed_sync.forks import OfProcess

__all__ = ["DecisionCache", "ExpiringCache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    since: float
    lifetime: float
    weight: int

    def is_alive(self, now: float) -> bool:
        return 0 <= now - self.since < self.lifetime


class ExpiringCache(OfProcess, Generic[K, V]):
    """A cache of values for a limited time, of which it keeps those used last.

    Safe to share between threads.

    Args:
        size: The weights of all values together stay at or below this.
        clock: Seconds that only ever grow, as of ``time.monotonic``.

    Examples:
        >>> cache = ExpiringCache[str, int](10, clock=lambda: 100.0)
        >>> cache.keep("a", 1, since=95.0, lifetime=30.0)
        >>> cache.keep("b", 2, since=60.0, lifetime=30.0)
        >>> cache.find("a"), cache.find("b")
        (1, None)
    """

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._enter_process()

    def _begin(self) -> None:
        # Emptied by a fork as well: a thread may have been changing it at that moment.
        self._lock = Lock()
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._weight = 0

    def find(self, key: K) -> V | None:
        """Returns the value kept under ``key``, if it is still alive."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if not entry.is_alive(self._clock()):
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return entry.value

    def keep(self, key: K, value: V, *, since: float, lifetime: float, weight: int = 1) -> None:
        """Keeps a value, and replaces an older one.

        Args:
            key: The key under which it is found.
            value: The value.
            since: The time as of which it is true; a value of a later time is not replaced.
            lifetime: Seconds from ``since`` for which it may be found. If they are over
                already, nothing is kept, and an older value is still removed.
            weight: The part of the size it takes up; a value heavier than the size is not kept.
        """
        entry = _Entry(value, since, lifetime, weight)
        with self._lock:
            present = self._entries.get(key)
            if present is not None:
                if present.since > since:
                    return
                self._remove(key)
            if weight > self._size or not entry.is_alive(self._clock()):
                return
            self._entries[key] = entry
            self._weight += weight
            while self._weight > self._size:
                self._remove(next(iter(self._entries)))

    def _remove(self, key: K) -> None:
        self._weight -= self._entries.pop(key).weight


class DecisionCache:
    """A cache of allowances and denials, each with a lifetime of its own.

    Args:
        allow_ttl: Seconds for which an allowance is kept.
        deny_ttl: Seconds for which a denial is kept.
        size: Decisions kept at most.
        clock: Seconds that only ever grow, as of ``time.monotonic``.
    """

    def __init__(
        self, *, allow_ttl: float, deny_ttl: float, size: int, clock: Callable[[], float]
    ) -> None:
        self._ttl = {True: allow_ttl, False: deny_ttl}
        self.is_on = allow_ttl > 0 or deny_ttl > 0
        self._cache = ExpiringCache[tuple[str, str, str], bool](size, clock)

    def find(self, subject: str, relation: str, object_ids: Iterable[str]) -> dict[str, bool]:
        """Returns the decisions that are kept, by object id."""
        if not self.is_on:
            return {}
        found = {
            object_id: self._cache.find((subject, relation, object_id)) for object_id in object_ids
        }
        return {object_id: allowed for object_id, allowed in found.items() if allowed is not None}

    def keep(
        self, subject: str, relation: str, decisions: Mapping[str, bool], *, asked_at: float
    ) -> None:
        """Keeps decisions by object id, as of the time before they were requested."""
        if not self.is_on:
            return
        for object_id, allowed in decisions.items():
            self._cache.keep(
                (subject, relation, object_id),
                allowed,
                since=asked_at,
                lifetime=self._ttl[allowed],
            )
