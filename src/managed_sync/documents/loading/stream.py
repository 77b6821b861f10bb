"""Reads many records at once and hands out the results, in order or as they are ready.

Guarantees:

- Records are listed, downloaded and parsed at the same time, and no more than a fixed number of
  them is in memory.
- However a load ends, by an error, Ctrl-C or a caller that stops early, none of its processes and
  threads is left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from managed_sync.documents.loading.reader import RecordReader
from managed_sync.documents.loading.results import Loaded
from managed_sync.documents.parsing.pool import ParsingPool
from managed_sync.models import SyncedRecord

__all__ = ["LoadStream"]

_Job = TypeVar("_Job")


class LoadStream:
    """The records of one load that are in progress.

    Args:
        reader: Reads a record.
        pool: Parses for the reader; closed when the load ends.
        threads: Maximum number of records that are read at once.
        ahead: Maximum number of records that are read or wait to be handed out.
        keep_order: Whether results come in the order of the records, or else as they are ready.
        include_folders: Whether folders are read, too.
    """

    def __init__(
        self,
        reader: RecordReader,
        pool: ParsingPool,
        *,
        threads: int,
        ahead: int,
        keep_order: bool,
        include_folders: bool,
    ) -> None:
        self._reader = reader
        self._pool = pool
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="managed-sync-load")
        self._ahead = ahead
        self._keep_order = keep_order
        self._include_folders = include_folders

    def results(self, jobs: Iterable[tuple[SyncedRecord, _Job]]) -> Generator[tuple[Loaded, _Job]]:
        """Yields each record's result with the value that came with the record."""
        waiting: deque[Future[tuple[Loaded, _Job]]] = deque()
        try:
            for record, job in jobs:
                if record.is_folder and not self._include_folders:
                    continue
                waiting.append(self._threads.submit(self._read, record, job))
                if self._is_due(waiting):
                    yield self._take(waiting)
            while waiting:
                yield self._take(waiting)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._pool.close()
            self._threads.shutdown(wait=True)

    async def aresults(self, records: AsyncIterable[SyncedRecord]) -> AsyncGenerator[Loaded]:
        """Yields each record's result, on an event loop."""
        waiting: deque[asyncio.Future[Loaded]] = deque()
        try:
            async for record in records:
                if record.is_folder and not self._include_folders:
                    continue
                reading = self._reader.aread(record, self._threads)
                waiting.append(asyncio.ensure_future(reading))
                if self._is_due(waiting):
                    yield await self._atake(waiting)
            while waiting:
                yield await self._atake(waiting)
        finally:
            for task in waiting:
                task.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._pool.close()
            await asyncio.gather(*waiting, return_exceptions=True)
            await asyncio.to_thread(self._threads.shutdown)

    def _read(self, record: SyncedRecord, job: _Job) -> tuple[Loaded, _Job]:
        return self._reader.read(record), job

    def _is_due(
        self, waiting: Sequence[Future[tuple[Loaded, _Job]] | asyncio.Future[Loaded]]
    ) -> bool:
        """Tells whether the next result is ready, or no further record may be read before it."""
        if len(waiting) >= self._ahead:
            return True
        return waiting[0].done() if self._keep_order else any(each.done() for each in waiting)

    def _take(self, waiting: deque[Future[tuple[Loaded, _Job]]]) -> tuple[Loaded, _Job]:
        """Waits for the next result in order, or for any result."""
        if self._keep_order:
            return waiting.popleft().result()
        ready = wait(waiting, return_when=FIRST_COMPLETED).done.pop()
        waiting.remove(ready)
        return ready.result()

    async def _atake(self, waiting: deque[asyncio.Future[Loaded]]) -> Loaded:
        if self._keep_order:
            return await waiting.popleft()
        done, _ = await asyncio.wait(waiting, return_when=FIRST_COMPLETED)
        ready = done.pop()
        waiting.remove(ready)
        return ready.result()
