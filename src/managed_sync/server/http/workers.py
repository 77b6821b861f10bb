"""Threads for one kind of work, separate from the threads of the routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from managed_sync.server.http.problems import RETRY_LATER, ProblemError

__all__ = ["Workers"]

_Result = TypeVar("_Result")


class Workers:
    """A few threads, for work that may wait for something outside of the server.

    FastAPI runs all routes in one pool of threads. A route that waits there for the database's
    writer takes a thread from the checks; with enough of these, no request is served any more.

    Args:
        name: The name of the work, for the names of the threads.
        count: The number of threads.
        wait_seconds: The longest time that a request waits for a free thread.
    """

    def __init__(self, name: str, *, count: int, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._free = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=f"managed-sync-{name}")

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Runs a function in one of the threads.

        Raises:
            ProblemError: 503; no thread became free in time.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"Too many requests of this kind are waiting, the first of them for "
                f"{self._wait_seconds:g} s. Try again later.",
                headers=RETRY_LATER,
            ) from None
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except BaseException:
            self._free.release()
            raise
        # Released when the work ends, not the request, which may give up earlier.
        running.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(running)

    def close(self) -> None:
        """Stops accepting work, without waiting for work that is running."""
        self._threads.shutdown(wait=False, cancel_futures=True)
