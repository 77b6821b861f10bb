"""From records and their content to documents: a stream, with many records under way at once.

Guarantees:

- Records are listed, downloaded and parsed at the same time, and no more than a fixed number of
  them is held, however many there are.
- A record that cannot become a document, or is malformed in the listing, is reported with its
  reason; the others are not affected. Where a listing breaks off, what was listed is loaded first.
- Whatever ends a load, be it an error, Ctrl-C or a caller who has seen enough, no process and no
  thread of it is left.
"""

from __future__ import annotations

import asyncio
from asyncio import ensure_future, gather, to_thread
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
    Sized,
)
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import aclosing
from functools import partial
from typing import TypedDict, cast

from managed_sync.documents.loading import record_metadata
from managed_sync.documents.loading.build import DocumentMaker
from managed_sync.documents.loading.fetch import AsyncRecordReader, RecordReader
from managed_sync.documents.loading.listed_records import ListedRecords
from managed_sync.documents.loading.progress import LoadProgress, ProgressReporter
from managed_sync.documents.loading.results import Loaded
from managed_sync.documents.loading.source import (
    AsyncRecordSource,
    RecordSource,
    StatusSource,
    is_asynchronous,
)
from managed_sync.documents.model import Scalar
from managed_sync.documents.parsing.pool import (
    DEFAULT_MAX_MEMORY,
    DEFAULT_PARSE_TIMEOUT,
    ParsingPool,
    available_cores,
)
from managed_sync.documents.parsing.registry import ParserChoice, chosen_parser
from managed_sync.errors import ConfigurationError, ManagedSyncError
from managed_sync.models import SyncedRecord

__all__ = ["DEFAULT_MAX_BYTES", "DocumentLoader", "LoadOptions"]

DEFAULT_MAX_BYTES = 100 * 1024 * 1024
# Records under way for each download at once: while one takes its time, the others go on.
_UNDER_WAY = 4


class LoadOptions(TypedDict, total=False):
    """The options of ``DocumentLoader``, for whoever passes them on to it."""

    parser: ParserChoice | None
    max_bytes: int
    object_id: Callable[[SyncedRecord], str] | None
    templates: Mapping[str, Callable[[SyncedRecord], str]] | None
    downloads: int
    processes: int | None
    parse_timeout: float
    max_memory: int
    keep_order: bool
    include_folders: bool
    on_progress: Callable[[LoadProgress], None] | None
    show_progress: bool
    of_one_record: Sequence[type[ManagedSyncError]]


class DocumentLoader:
    """Loads records as documents, a stream with bounded memory.

    While some files are parsed, others are downloaded. A record that cannot be read becomes a
    ``LoadFailure``, and the others are not affected.

    Args:
        client: Where records and content come from; an asynchronous one for ``aload``.
        parser: What turns a file's bytes into Markdown text: ``"unstructured"``,
            ``"kreuzberg"``, a parser of your own; by default what suits each format.
        max_bytes: Larger files are refused, before the download if the record says the size.
        object_id: What a record is called in the Permissions API, where it is not
            ``identifiers.object_id_for`` that says so.
        templates: By sync type, what turns a record that is no file into text, such as a
            ``RecordTemplate``; in place of this package's own.
        downloads: How many files are downloaded at once.
        processes: How many processes parse; by default as many as there are cores. With 0, files
            are parsed in this process, which no limit of time or memory then protects.
        parse_timeout: Seconds for each file; one that takes longer is reported as unreadable.
        max_memory: Bytes of memory for each process that parses, where the system can limit it.
        keep_order: Whether documents come in the order of the records; otherwise in that in
            which they are ready.
        include_folders: Whether folders are loaded too, by their names and fields.
        on_progress: Called after each record.
        show_progress: Whether to draw a progress bar.
        of_one_record: Errors of downloads that concern one record only, besides those that always
            do: such as ``ForbiddenError``, where the listing shows that the token is good.

    Raises:
        ConfigurationError: A limit is too low to load anything.

    Examples:
        ```python
        for loaded in DocumentLoader(client).load("googleDrive", "files"):
            if isinstance(loaded, LoadFailure):
                print(loaded.title, loaded.reason)
        ```
    """

    def __init__(
        self,
        client: RecordSource | AsyncRecordSource,
        *,
        parser: ParserChoice | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        object_id: Callable[[SyncedRecord], str] | None = None,
        templates: Mapping[str, Callable[[SyncedRecord], str]] | None = None,
        downloads: int = 8,
        processes: int | None = None,
        parse_timeout: float = DEFAULT_PARSE_TIMEOUT,
        max_memory: int = DEFAULT_MAX_MEMORY,
        keep_order: bool = True,
        include_folders: bool = False,
        on_progress: Callable[[LoadProgress], None] | None = None,
        show_progress: bool = False,
        of_one_record: Sequence[type[ManagedSyncError]] = (),
    ) -> None:
        self._client = client
        self._parser = chosen_parser(parser)
        self._max_bytes = _at_least(1, max_bytes=max_bytes)
        self._object_id = object_id or record_metadata.object_id
        self._templates = templates
        self._downloads = _at_least(1, downloads=downloads)
        self._processes = _at_least(
            0, processes=available_cores() if processes is None else processes
        )
        if parse_timeout <= 0:
            raise ConfigurationError(f"parse_timeout must be above 0 seconds, not {parse_timeout}.")
        self._parse_timeout = parse_timeout
        self._max_memory = _at_least(1, max_memory=max_memory)
        self._keep_order = keep_order
        self._include_folders = include_folders
        self._on_progress = on_progress
        self._show_progress = show_progress
        self._of_one_record = of_one_record

    def load(self, integration: str, sync_type: str) -> Generator[Loaded]:
        """Loads a pipeline.

        Raises:
            ApiError: The listing cannot be read, or a download fails for a reason that concerns
                all records: no access, no connection, too many requests.
            ConfigurationError: A format needs a library that is not installed, or the client is an
                asynchronous one.
        """
        client = self._synchronous_client()
        total = None
        if self._wants_total and isinstance(client, StatusSource):
            total = client.get_sync_status(integration, sync_type).record_count
        yield from self._stream(client.iter_records(integration, sync_type), total)

    def load_records(self, records: Iterable[SyncedRecord]) -> Generator[Loaded]:
        """Loads some records.

        Raises:
            ApiError: A download fails for a reason that concerns all records.
            ConfigurationError: A format needs a library that is not installed, or the client is an
                asynchronous one.
            InvalidIdentifierError: ``object_id`` gave something that is not an object id.
        """
        yield from self._stream(records, len(records) if isinstance(records, Sized) else None)

    async def aload(self, integration: str, sync_type: str) -> AsyncGenerator[Loaded]:
        """Loads a pipeline asynchronously, with an asynchronous client or a synchronous one.

        Raises:
            ApiError: The listing cannot be read, or a download fails for a reason that concerns
                all records: no access, no connection, too many requests.
            ConfigurationError: A format needs a library that is not installed.
        """
        total, client = None, self._client
        if self._wants_total and isinstance(client, StatusSource):
            ask = partial(client.get_sync_status, integration, sync_type)
            status = await ask() if is_asynchronous(self._client) else await to_thread(ask)
            total = status.record_count
        records = self._client.iter_records(integration, sync_type)
        async with aclosing(self._astream(records, total)) as stream:
            async for loaded in stream:
                yield loaded

    async def aload_records(
        self, records: Iterable[SyncedRecord] | AsyncIterable[SyncedRecord]
    ) -> AsyncGenerator[Loaded]:
        """Loads some records asynchronously.

        Raises:
            ApiError: A download fails for a reason that concerns all records.
            ConfigurationError: A format needs a library that is not installed.
            InvalidIdentifierError: ``object_id`` gave something that is not an object id.
        """
        total = len(records) if isinstance(records, Sized) else None
        async with aclosing(self._astream(records, total)) as stream:
            async for loaded in stream:
                yield loaded

    def describe(self, record: SyncedRecord) -> dict[str, Scalar]:
        """The metadata of a record's document, as far as it is known without the content."""
        return record_metadata.metadata(
            record,
            object_id=self._object_id(record),
            project_id=self._client.project_id,
            mime_type=str(record.data.get("mimeType") or "text/markdown"),
            templates=self._templates,
        )

    def title(self, record: SyncedRecord) -> str:
        """Returns what people call a record, as its document's metadata have it."""
        return record_metadata.title(record, self._templates)

    def _stream(self, records: Iterable[SyncedRecord], total: int | None) -> Generator[Loaded]:
        pool, threads = self._pool(), self._threads()
        reader = self._reader(self._maker(pool))
        waiting: deque[Future[Loaded]] = deque()
        listed = ListedRecords(records)
        with self._reporter(total) as progress:
            try:
                for record in filter(self._is_wanted, listed):
                    waiting.append(threads.submit(reader.read, record))
                    if self._is_full(waiting) or self._has_next(waiting):
                        yield progress.counted(self._take(waiting))
                while waiting:
                    yield progress.counted(self._take(waiting))
                yield from map(progress.counted, listed.failures())
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                pool.close()
                threads.shutdown(wait=True)

    async def _astream(
        self, records: Iterable[SyncedRecord] | AsyncIterable[SyncedRecord], total: int | None
    ) -> AsyncGenerator[Loaded]:
        pool, threads = self._pool(), self._threads()
        read = self._asynchronous_read(self._maker(pool), threads)
        waiting: deque[asyncio.Future[Loaded]] = deque()
        listed = ListedRecords(records)
        with self._reporter(total) as progress:
            try:
                async for record in listed:
                    if not self._is_wanted(record):
                        continue
                    waiting.append(ensure_future(read(record)))
                    if self._is_full(waiting) or self._has_next(waiting):
                        yield progress.counted(await self._atake(waiting))
                while waiting:
                    yield progress.counted(await self._atake(waiting))
                for failure in listed.failures():
                    yield progress.counted(failure)
            finally:
                for task in waiting:
                    task.cancel()
                threads.shutdown(wait=False, cancel_futures=True)
                pool.close()
                await gather(*waiting, return_exceptions=True)
                await to_thread(threads.shutdown)

    def _synchronous_client(self) -> RecordSource:
        if is_asynchronous(self._client):
            raise ConfigurationError(
                "An asynchronous client loads with aload, aload_records, or the asynchronous "
                "methods of the frameworks' loaders."
            )
        return cast("RecordSource", self._client)

    def _pool(self) -> ParsingPool:
        return ParsingPool(
            self._parser,
            processes=self._processes,
            timeout=self._parse_timeout,
            max_memory=self._max_memory,
        )

    def _asynchronous_read(
        self, maker: DocumentMaker, threads: ThreadPoolExecutor
    ) -> Callable[[SyncedRecord], Awaitable[Loaded]]:
        if is_asynchronous(self._client):
            return AsyncRecordReader(
                self._client,
                maker,
                self._downloads,
                threads=threads,
                held=self._at_once,
                of_one_record=self._of_one_record,
            ).read
        reader = self._reader(maker)
        return lambda record: asyncio.get_running_loop().run_in_executor(
            threads, reader.read, record
        )

    def _reader(self, maker: DocumentMaker) -> RecordReader:
        return RecordReader(self._synchronous_client(), maker, self._downloads, self._of_one_record)

    @property
    def _at_once(self) -> int:
        """Files that are downloaded or parsed at once; others wait, or are done."""
        return self._downloads + max(self._processes, 1)

    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._at_once, thread_name_prefix="managed-sync-load")

    def _maker(self, pool: ParsingPool) -> DocumentMaker:
        return DocumentMaker(
            project_id=self._client.project_id,
            pool=pool,
            max_bytes=self._max_bytes,
            object_id=self._object_id,
            templates=self._templates,
        )

    def _reporter(self, total: int | None) -> ProgressReporter:
        return ProgressReporter(total, on_progress=self._on_progress, show=self._show_progress)

    @property
    def _wants_total(self) -> bool:
        return self._show_progress or self._on_progress is not None

    def _is_wanted(self, record: SyncedRecord) -> bool:
        return self._include_folders or not record.is_folder

    def _is_full(self, waiting: Sequence[Future[Loaded] | asyncio.Future[Loaded]]) -> bool:
        return len(waiting) >= _UNDER_WAY * self._downloads

    def _has_next(self, waiting: Sequence[Future[Loaded] | asyncio.Future[Loaded]]) -> bool:
        return waiting[0].done() if self._keep_order else any(one.done() for one in waiting)

    def _take(self, waiting: deque[Future[Loaded]]) -> Loaded:
        """The next one in order, or the next one that is ready."""
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


def _at_least(lowest: int, **named: int) -> int:
    """A number that is checked, given under its name.

    Raises:
        ConfigurationError: It is too low.
    """
    ((name, value),) = named.items()
    if value < lowest:
        raise ConfigurationError(f"{name} must be at least {lowest}, not {value}.")
    return value
