"""The client's time, in one place, so that tests of waiting take no time."""

from __future__ import annotations

import asyncio
import time as system_time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time and waits."""

    def time(self) -> float:
        """Returns the seconds since 1970, as in the expiry of a token."""

    def monotonic(self) -> float:
        """Returns seconds that only ever grow."""

    def sleep(self, seconds: float) -> None:
        """Waits, in a synchronous client."""

    async def asleep(self, seconds: float) -> None:
        """Waits, in an asynchronous client."""


class SystemClock:
    """The machine's own time."""

    time = staticmethod(system_time.time)
    monotonic = staticmethod(system_time.monotonic)

    def sleep(self, seconds: float) -> None:
        """Blocks the thread."""
        system_time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Lets other tasks run meanwhile."""
        await asyncio.sleep(seconds)
