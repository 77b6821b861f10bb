"""Loads the records of a pipeline, with their content, as a stream of documents.

Guarantees:

- A record that cannot become a document, or is malformed in the listing, is reported with its
  reason; the others are not affected.
- If the listing breaks off, the records before that are loaded first; then the error is raised.
- Memory, threads and processes are bounded, and released however a load ends; see ``stream``.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Sequence,
    Sized,
)
from contextlib import AbstractContextManager, aclosing, closing, nullcontext
from functools import partial
from itertools import chain
from typing import TypedDict, TypeVar, cast

from managed_sync.arguments import check_integer, check_number
from managed_sync.documents.loading import record_metadata
from managed_sync.documents.loading.progress import LoadProgress, ProgressReporter
from managed_sync.documents.loading.reader import DocumentBuilder, RecordReader
from managed_sync.documents.loading.record_templates import Templates
from managed_sync.documents.loading.results import Loaded
from managed_sync.documents.loading.source import (
    AsyncRecordSource,
    ListedRecords,
    RecordSource,
    StatusSource,
    is_asynchronous,
)
from managed_sync.documents.loading.stream import LoadStream
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

__all__ = ["DocumentLoader", "LoadOptions"]

_DEFAULT_MAX_BYTES = 100 * 1024 * 1024
# Records in memory for each download at once: while one takes its time, the others continue.
_AHEAD = 4

_Job = TypeVar("_Job")


class LoadOptions(TypedDict, total=False):
    """The options of ``DocumentLoader``, for classes that pass them on to it."""

    parser: ParserChoice | None
    max_bytes: int
    object_id: Callable[[SyncedRecord], str] | None
    templates: Templates | None
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
    """A loader that turns records into documents, as a stream with bounded memory.

    While some files are parsed, others are downloaded. A record that cannot be read becomes a
    ``LoadFailure``, and the others are not affected.

    Args:
        client: The client for records and content; an asynchronous one for ``aload``.
        parser: Turns a file's bytes into Markdown: ``"unstructured"``, ``"kreuzberg"``, or your own
            parser. By default each format is read by the parser that suits it.
        max_bytes: Larger files are refused, before the download if the record states the size.
        object_id: Returns a record's id in the Permissions API, if that is not
            ``identifiers.object_id_for``.
        templates: By sync type, functions that turn a record without content into text, such as a
            ``RecordTemplate``. They replace this package's templates.
        downloads: Maximum number of downloads at once.
        processes: Number of processes that parse; by default the number of cores. With 0, files
            are parsed in this process, without a limit of time or memory.
        parse_timeout: Seconds to parse a file; one that takes longer is reported as unreadable. If
            a file inside of it takes longer, such as an attachment, it is read again without that.
        max_memory: Bytes of memory for each process that parses, if the system can limit it.
        keep_order: Whether documents come in the order of the records, or else as they are ready.
        include_folders: Whether to load folders, too, with their names and fields as text.
        on_progress: Called after each record.
        show_progress: Whether to draw a progress bar.
        of_one_record: Further errors of downloads that concern one record only, for example
            ``ForbiddenError`` if the listing shows that the token is good.

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
        max_bytes: int = _DEFAULT_MAX_BYTES,
        object_id: Callable[[SyncedRecord], str] | None = None,
        templates: Templates | None = None,
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
        self._max_bytes = check_integer("max_bytes", max_bytes)
        self._object_id = object_id or record_metadata.object_id
        self._templates = templates
        self._downloads = check_integer("downloads", downloads)
        self._processes = (
            available_cores()
            if processes is None
            else check_integer("processes", processes, at_least=0)
        )
        self._parse_timeout = check_number(
            "parse_timeout", parse_timeout, is_positive=True, unit="seconds"
        )
        self._max_memory = check_integer("max_memory", max_memory)
        self._keep_order = keep_order
        self._include_folders = include_folders
        self._on_progress = on_progress
        self._show_progress = show_progress
        self._reports_progress = show_progress or on_progress is not None
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
        if self._reports_progress and isinstance(client, StatusSource):
            total = client.get_sync_status(integration, sync_type).record_count
        yield from self._load(client.iter_records(integration, sync_type), total)

    def load_records(self, records: Iterable[SyncedRecord]) -> Generator[Loaded]:
        """Loads some records.

        Raises:
            ApiError: A download fails for a reason that concerns all records.
            ConfigurationError: A format needs a library that is not installed, or the client is an
                asynchronous one.
            InvalidIdentifierError: ``object_id`` returned something that is not an object id.
        """
        return self._load(records, _length(records))

    def load_jobs(
        self, jobs: Iterable[tuple[SyncedRecord, _Job]]
    ) -> Generator[tuple[Loaded, _Job]]:
        """Loads some records; each result comes with the value that was passed with its record.

        Raises:
            ApiError: A download fails for a reason that concerns all records; or ``jobs`` raised
                it, and the records before that are loaded.
            ConfigurationError: A format needs a library that is not installed, or the client is an
                asynchronous one.
            InvalidIdentifierError: ``object_id`` returned something that is not an object id.
        """
        self._synchronous_client()
        listed = ListedRecords(jobs)
        stream = self._stream()
        with self._progress(_length(jobs)) as progress, closing(stream.results(listed)) as results:
            for loaded, job in results:
                if progress is not None:
                    progress.count(loaded)
                yield loaded, job
        listed.raise_error()

    async def aload(self, integration: str, sync_type: str) -> AsyncGenerator[Loaded]:
        """Loads a pipeline asynchronously, with an asynchronous client or a synchronous one.

        Raises:
            ApiError: The listing cannot be read, or a download fails for a reason that concerns
                all records: no access, no connection, too many requests.
            ConfigurationError: A format needs a library that is not installed.
        """
        total, client = None, self._client
        if self._reports_progress and isinstance(client, StatusSource):
            ask = partial(client.get_sync_status, integration, sync_type)
            status = await ask() if is_asynchronous(self._client) else await to_thread(ask)
            total = status.record_count
        records = self._client.iter_records(integration, sync_type)
        async with aclosing(self._aload(records, total)) as results:
            async for loaded in results:
                yield loaded

    def aload_records(
        self, records: Iterable[SyncedRecord] | AsyncIterable[SyncedRecord]
    ) -> AsyncGenerator[Loaded]:
        """Loads some records asynchronously.

        Raises:
            ApiError: A download fails for a reason that concerns all records.
            ConfigurationError: A format needs a library that is not installed.
            InvalidIdentifierError: ``object_id`` returned something that is not an object id.
        """
        return self._aload(records, _length(records))

    def describe(self, record: SyncedRecord) -> dict[str, Scalar]:
        """Returns the metadata of a record's document, without loading its content."""
        return record_metadata.metadata(
            record,
            object_id=self._object_id(record),
            project_id=self._client.project_id,
            mime_type=str(record.data.get("mimeType") or "text/markdown"),
            title=self.title(record),
        )

    def title(self, record: SyncedRecord) -> str:
        """Returns a record's title, as in the metadata of its document."""
        return record_metadata.record_title(record, self._templates)

    def _load(self, records: Iterable[SyncedRecord], total: int | None) -> Generator[Loaded]:
        self._synchronous_client()
        listed = ListedRecords(records)
        jobs = ((record, None) for record in listed)
        with closing(self._stream().results(jobs)) as results, self._progress(total) as progress:
            read = (loaded for loaded, _ in results)
            for loaded in chain(read, listed.failures()):
                if progress is not None:
                    progress.count(loaded)
                yield loaded

    async def _aload(
        self, records: Iterable[SyncedRecord] | AsyncIterable[SyncedRecord], total: int | None
    ) -> AsyncGenerator[Loaded]:
        listed = ListedRecords(records)
        with self._progress(total) as progress:
            async with aclosing(self._stream().aresults(listed)) as results:
                async for loaded in results:
                    if progress is not None:
                        progress.count(loaded)
                    yield loaded
            for failure in listed.failures():
                if progress is not None:
                    progress.count(failure)
                yield failure

    def _synchronous_client(self) -> RecordSource:
        if is_asynchronous(self._client):
            raise ConfigurationError(
                "An asynchronous client needs an asynchronous method: aload or aload_records, or "
                "the asynchronous methods of the frameworks' loaders."
            )
        return cast("RecordSource", self._client)

    def _stream(self) -> LoadStream:
        pool = ParsingPool(
            self._parser,
            processes=self._processes,
            timeout=self._parse_timeout,
            max_memory=self._max_memory,
        )
        builder = DocumentBuilder(
            project_id=self._client.project_id,
            pool=pool,
            max_bytes=self._max_bytes,
            object_id=self._object_id,
            templates=self._templates,
        )
        at_once = self._downloads + max(self._processes, 1)
        reader = RecordReader(
            self._client,
            builder,
            downloads=self._downloads,
            at_once=at_once,
            of_one_record=self._of_one_record,
        )
        return LoadStream(
            reader,
            pool,
            threads=at_once,
            ahead=_AHEAD * self._downloads,
            keep_order=self._keep_order,
            include_folders=self._include_folders,
        )

    def _progress(self, total: int | None) -> AbstractContextManager[ProgressReporter | None]:
        """Returns a reporter that is closed at the end; ``None`` where nobody wants to know."""
        if not self._reports_progress:
            return nullcontext()
        return closing(
            ProgressReporter(total, on_progress=self._on_progress, show=self._show_progress)
        )


def _length(records: object) -> int | None:
    return len(records) if isinstance(records, Sized) else None
