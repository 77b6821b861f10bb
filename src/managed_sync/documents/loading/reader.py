"""Reads one record: downloads its content, checks it, parses it, and builds the document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Semaphore
from typing import cast

from managed_sync.documents.chunking.chunk_metadata import small_tables_html
from managed_sync.documents.loading.record_metadata import (
    filename,
    has_content,
    metadata,
    mime_type,
    record_title,
)
from managed_sync.documents.loading.record_templates import Templates, record_text
from managed_sync.documents.loading.results import Loaded, LoadFailure
from managed_sync.documents.loading.source import AsyncRecordSource, RecordSource, is_asynchronous
from managed_sync.documents.model import SourceDocument
from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.file_types import contradicts
from managed_sync.documents.parsing.pool import ParsingPool
from managed_sync.errors import (
    ApiError,
    ApiTimeoutError,
    BadRequestError,
    ContentTooLargeError,
    DocumentError,
    EmptyContentError,
    InvalidIdentifierError,
    ManagedSyncError,
    NotFoundError,
    ParsingError,
    ResponseFormatError,
    ServerError,
)
from managed_sync.logs import get_logger
from managed_sync.models import FileContent, SyncedRecord

__all__ = ["DocumentBuilder", "RecordReader"]

_logger = get_logger(__name__)

_PARTS_IN_A_MESSAGE = 5
# Errors that concern one record only. Any other, such as an expired token, concerns them all.
_OF_ONE_RECORD = (
    DocumentError,
    NotFoundError,
    BadRequestError,
    ServerError,
    ResponseFormatError,
    ApiTimeoutError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentBuilder:
    """Builds the documents of records, and reports the records that have none.

    Args:
        project_id: The project that the records belong to.
        pool: Parses files.
        max_bytes: Larger files are refused.
        object_id: Returns a record's object id.
        templates: Templates by sync type that replace this package's.
    """

    project_id: str
    pool: ParsingPool
    max_bytes: int
    object_id: Callable[[SyncedRecord], str]
    templates: Templates | None

    def from_fields(self, record: SyncedRecord) -> SourceDocument:
        """Builds the document of a record that is only its fields, such as a contact.

        Raises:
            EmptyContentError: The fields have no text in them.
            DocumentError: The template of its sync type failed.
        """
        title = self._title(record)
        try:
            text = markdown.clean(record_text(record, self.templates))
        except ManagedSyncError:
            raise
        except Exception as error:
            raise DocumentError(
                f"{title} could not be written as text: the template for {record.sync_type} "
                f"failed with {type(error).__name__}: {error}."
            ) from error
        if not text.strip():
            raise EmptyContentError(f"{title} has no text in it.")
        return self._document(record, title, text, "text/markdown")

    def check_announced_size(self, record: SyncedRecord) -> None:
        """Refuses a file before its download if the record states that it is too large.

        Raises:
            ContentTooLargeError: The stated size is above the limit.
        """
        size = record.data.get("size")
        if isinstance(size, int):
            self._check_size(self._title(record), size)

    def from_content(self, record: SyncedRecord, content: FileContent) -> SourceDocument:
        """Builds the document of a file.

        Raises:
            DocumentError: The content is too large, or cannot be read.
            ConfigurationError: Its format needs a library that is not installed.
        """
        title, name, size = self._title(record), filename(record), len(content.data)
        self._check_size(title, size)
        declared = str(record.data.get("mimeType") or "")
        if record.data.get("size") != size and contradicts(content.content_type, declared, name):
            raise ParsingError(
                f"{title} must be {declared}, got {content.content_type}, which may be a login "
                f"page or an error. Try again, and look at the API's log."
            )
        content_type = mime_type(record, content)
        parsed = self.pool.parse(
            content.data, content_type=content_type, filename=content.filename or name
        )
        if parsed.unread:
            _logger.warning("Not read in %s: %s", title, _listed(parsed.unread))
        document = self._document(record, title, parsed, content_type)
        parts = [replace(part, tables_html=small_tables_html(part.text)) for part in parsed.parts]
        return replace(document, parts=tuple(parts), interrupted=parsed.interrupted)

    def failure(self, record: SyncedRecord, error: ManagedSyncError) -> LoadFailure:
        """Returns the report of a record that became no document."""
        try:
            object_id = self.object_id(record)
        except Exception:  # noqa: BLE001 - a caller's function, and perhaps the one that failed
            object_id = ""
        return LoadFailure(record.id, object_id, self._title(record), str(error), error)

    def _title(self, record: SyncedRecord) -> str:
        return record_title(record, self.templates)

    def _check_size(self, title: str, size: int) -> None:
        if size > self.max_bytes:
            raise ContentTooLargeError(
                f"{title} has {size:,} bytes; the limit is {self.max_bytes:,}. "
                f"Raise max_bytes to load it."
            )

    def _document(
        self,
        record: SyncedRecord,
        title: str,
        text: str,
        mime_type: str,
    ) -> SourceDocument:
        known = metadata(
            record,
            object_id=self.object_id(record),
            project_id=self.project_id,
            mime_type=mime_type,
            title=title,
        )
        if tables := small_tables_html(text):
            known["tables_html"] = tables
        return SourceDocument(str(text), known)


class RecordReader:
    """Reads records, synchronously or not; safe to share between threads.

    Args:
        client: Downloads content.
        builder: Builds the documents.
        downloads: Maximum number of downloads at once.
        at_once: Maximum number of files that are downloaded or parsed at once on an event loop.
        of_one_record: Further errors that concern one record only.
    """

    def __init__(
        self,
        client: RecordSource | AsyncRecordSource,
        builder: DocumentBuilder,
        *,
        downloads: int,
        at_once: int,
        of_one_record: Sequence[type[ManagedSyncError]] = (),
    ) -> None:
        self._client = client
        self._builder = builder
        self._downloads = Semaphore(downloads)
        self._async_downloads = asyncio.Semaphore(downloads)
        self._async_slots = asyncio.Semaphore(at_once)
        self._of_one_record: tuple[type[ManagedSyncError], ...] = (*_OF_ONE_RECORD, *of_one_record)

    def read(self, record: SyncedRecord) -> Loaded:
        """Returns the record's document, or the reason for having none.

        Raises:
            ManagedSyncError: The error concerns other records, too.
        """
        client = cast("RecordSource", self._client)
        try:
            if not has_content(record):
                return self._builder.from_fields(record)
            self._builder.check_announced_size(record)
            with self._downloads, _naming(record):
                content = client.download_content(record.id, max_bytes=self._builder.max_bytes)
            return self._builder.from_content(record, content)
        except ManagedSyncError as error:
            if not self._is_of_one_record(error):
                raise
            return self._builder.failure(record, error)

    async def aread(self, record: SyncedRecord, threads: Executor) -> Loaded:
        """Does the same on an event loop; parsing and a client that blocks run in the threads."""
        client, in_thread = self._client, asyncio.get_running_loop().run_in_executor
        if not is_asynchronous(client):
            return await in_thread(threads, self.read, record)
        async with self._async_slots:
            try:
                if not has_content(record):
                    return self._builder.from_fields(record)
                self._builder.check_announced_size(record)
                async with self._async_downloads:
                    with _naming(record):
                        content = await client.download_content(
                            record.id, max_bytes=self._builder.max_bytes
                        )
                return await in_thread(threads, self._builder.from_content, record, content)
            except ManagedSyncError as error:
                if not self._is_of_one_record(error):
                    raise
                return self._builder.failure(record, error)

    def _is_of_one_record(self, error: ManagedSyncError) -> bool:
        return isinstance(error, self._of_one_record) or (
            isinstance(error, ApiError) and error.is_of_one_record
        )


def _listed(unread: Sequence[str]) -> str:
    """Returns the parts that were not read, for one line of a log."""
    further = len(unread) - _PARTS_IN_A_MESSAGE
    named = "; ".join(unread[:_PARTS_IN_A_MESSAGE])
    return f"{named}; and {further:,} more" if further > 0 else named


@contextmanager
def _naming(record: SyncedRecord) -> Iterator[None]:
    """Turns an error of this download alone into one that names the record."""
    try:
        yield
    except (InvalidIdentifierError, OSError) as error:
        raise DocumentError(
            f"The content of {record_title(record)} could not be read: {error}."
        ) from error
