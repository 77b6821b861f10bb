"""A permission service in memory that takes its time and counts what is asked of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

__all__ = ["PermissionService", "Usage"]


@dataclass(slots=True)
class Usage:
    """The counts of requests and ids.

    Attributes:
        calls: Requests.
        rounds: Requests one after another; those under way at the same time count once.
        checked: Objects that were asked about.
        listed: Objects that were sent as a list.
        first_check: Objects that the very first request asked about, if it was a check.
    """

    calls: int = 0
    rounds: int = 0
    checked: int = 0
    listed: int = 0
    first_check: int = 0


class PermissionService:
    """Answers checks and lists, each in ``latency`` seconds, whatever its size.

    Lists are whole. Somebody unknown may read nothing.

    Args:
        allowed: The objects that each subject may read.
    """

    def __init__(self, allowed: Mapping[str, Sequence[str]]) -> None:
        self._lists = {subject: tuple(object_ids) for subject, object_ids in allowed.items()}
        self._allowed = {subject: frozenset(ids) for subject, ids in self._lists.items()}
        self._lock = threading.Lock()
        self._usage = Usage()
        self._under_way = 0
        self.latency = 0.0

    def check(self, subject: str, object_ids: Sequence[str]) -> list[bool]:
        """Returns one decision per object, in their order."""
        with self._counted(checked=len(object_ids)):
            if self.latency:
                time.sleep(self.latency)
            return self._decide(subject, object_ids)

    async def acheck(self, subject: str, object_ids: Sequence[str]) -> list[bool]:
        """Like ``check``, without blocking the event loop."""
        with self._counted(checked=len(object_ids)):
            if self.latency:
                await asyncio.sleep(self.latency)
            return self._decide(subject, object_ids)

    def list_objects(self, subject: str) -> list[str]:
        """All objects that the subject may read."""
        object_ids = list(self._lists.get(subject, ()))
        with self._counted(listed=len(object_ids)):
            if self.latency:
                time.sleep(self.latency)
            return object_ids

    async def alist_objects(self, subject: str) -> list[str]:
        """Like ``list_objects``, without blocking the event loop."""
        object_ids = list(self._lists.get(subject, ()))
        with self._counted(listed=len(object_ids)):
            if self.latency:
                await asyncio.sleep(self.latency)
            return object_ids

    def take_usage(self) -> Usage:
        """Returns the counts since the last call."""
        with self._lock:
            usage, self._usage = replace(self._usage), Usage()
            return usage

    def _decide(self, subject: str, object_ids: Sequence[str]) -> list[bool]:
        allowed = self._allowed.get(subject, frozenset())
        return [object_id in allowed for object_id in object_ids]

    @contextmanager
    def _counted(self, *, checked: int = 0, listed: int = 0) -> Iterator[None]:
        with self._lock:
            if self._usage.calls == 0:
                self._usage.first_check = checked
            self._usage.calls += 1
            self._usage.rounds += self._under_way == 0
            self._usage.checked += checked
            self._usage.listed += listed
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
