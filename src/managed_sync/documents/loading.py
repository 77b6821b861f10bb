"""From records and their content to documents, one at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from managed_sync import identifiers
from managed_sync.documents import parsing
from managed_sync.documents.parsing import Parser
from managed_sync.documents.records_as_text import record_text, record_title
from managed_sync.documents.source_document import Scalar, SourceDocument
from managed_sync.errors import (
    ApiTimeoutError,
    BadRequestError,
    ConfigurationError,
    ContentTooLargeError,
    DocumentError,
    EmptyContentError,
    ManagedSyncError,
    NotFoundError,
    ParsingError,
    ResponseFormatError,
    ServerError,
)
from managed_sync.models import FileContent, SyncedRecord

__all__ = [
    "DEFAULT_MAX_BYTES",
    "DocumentLoader",
    "LoadFailure",
    "RecordSource",
    "documents_only",
]

_logger = logging.getLogger(__name__)

DEFAULT_MAX_BYTES = 100 * 1024 * 1024

_UNKNOWN_TYPE = "application/octet-stream"
# What concerns one record only. Everything else, such as an expired token, concerns them all.
_OF_ONE_RECORD = (
    DocumentError,
    NotFoundError,
    BadRequestError,
    ServerError,
    ResponseFormatError,
    ApiTimeoutError,
)


class RecordSource(Protocol):
    """What the loader needs of a client; ``ManagedSyncClient`` has it."""

    @property
    def project_id(self) -> str:
        """The project that the records belong to."""
        ...

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        """All records of a pipeline."""
        ...

    def download_content(self, record_id: str) -> FileContent:
        """The bytes of a file; called from several threads at once."""
        ...


@dataclass(frozen=True)
class LoadFailure:
    """A record that did not become a document.

    Attributes:
        reason: One sentence that names the record's file and says what is wrong.
        error: The error itself, with the library's error as its cause.
    """

    record_id: str
    object_id: str
    title: str
    reason: str
    error: ManagedSyncError


def documents_only(
    loaded: Iterable[SourceDocument | LoadFailure],
    *,
    failures: list[LoadFailure],
    raise_on_failure: bool,
) -> Iterator[SourceDocument]:
    """The documents among what was loaded; what failed is logged and added to ``failures``.

    Raises:
        ManagedSyncError: Something failed, and ``raise_on_failure`` is set.
    """
    for one in loaded:
        if isinstance(one, SourceDocument):
            yield one
        elif raise_on_failure:
            raise one.error
        else:
            _logger.warning("Not loaded: %s", one.reason)
            failures.append(one)


class DocumentLoader:
    """Loads records as documents, in their order and with bounded memory.

    While one file is parsed, the next few are downloaded. A record that cannot be read becomes a
    ``LoadFailure``, and the others are not affected. Folders are left out.

    Args:
        client: Where records and content come from.
        parser: What turns a file's bytes into Markdown text.
        max_bytes: Larger files are refused, before the download if the record says the size.
        object_id: What a record is called in the Permissions API, where it is not
            ``identifiers.object_id_for`` that says so.
        downloads_ahead: How many files are downloaded at once, and held before they are parsed.

    Raises:
        ConfigurationError: A limit is below 1.

    Example:
        ```python
        for loaded in DocumentLoader(client).load("googleDrive", "files"):
            if isinstance(loaded, LoadFailure):
                print(loaded.title, loaded.reason)
        ```
    """

    def __init__(
        self,
        client: RecordSource,
        *,
        parser: Parser | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        object_id: Callable[[SyncedRecord], str] | None = None,
        downloads_ahead: int = 4,
    ) -> None:
        if max_bytes < 1 or downloads_ahead < 1:
            raise ConfigurationError(
                f"max_bytes ({max_bytes}) and downloads_ahead ({downloads_ahead}) must be at "
                "least 1."
            )
        self._client = client
        self._parse = parser or parsing.parse
        self._max_bytes = max_bytes
        self._object_id = object_id or _object_id
        self._downloads_ahead = downloads_ahead

    def load(self, integration: str, sync_type: str) -> Iterator[SourceDocument | LoadFailure]:
        """Loads a pipeline.

        Raises:
            ApiError: The listing cannot be read, or a download fails for a reason that concerns
                all records: no access, no connection, too many requests.
            ConfigurationError: A format needs a library that is not installed.
        """
        return self.load_records(self._client.iter_records(integration, sync_type))

    def load_records(
        self, records: Iterable[SyncedRecord]
    ) -> Iterator[SourceDocument | LoadFailure]:
        """Loads some records, in their order.

        Raises:
            ApiError: A download fails for a reason that concerns all records.
            ConfigurationError: A format needs a library that is not installed.
            InvalidIdentifierError: ``object_id`` gave something that is not an object id.
        """
        waiting: deque[tuple[SyncedRecord, Future[FileContent] | None]] = deque()
        pool = ThreadPoolExecutor(self._downloads_ahead, thread_name_prefix="managed-sync-download")
        try:
            for record in records:
                if record.is_folder:
                    continue
                content = pool.submit(self._download, record) if _is_file(record) else None
                waiting.append((record, content))
                if len(waiting) > self._downloads_ahead:
                    yield self._finish(*waiting.popleft())
            while waiting:
                yield self._finish(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _finish(
        self, record: SyncedRecord, content: Future[FileContent] | None
    ) -> SourceDocument | LoadFailure:
        object_id = self._object_id(record)
        try:
            if content is None:
                return SourceDocument(
                    _not_blank(record_text(record), record),
                    self._metadata(record, object_id, "text/markdown"),
                )
            file = content.result()
            mime_type = _mime_type(record, file)
            text = self._text_of(record, file, mime_type)
            return SourceDocument(text, self._metadata(record, object_id, mime_type))
        except _OF_ONE_RECORD as error:
            return LoadFailure(record.id, object_id, _title(record), str(error), error)

    def _download(self, record: SyncedRecord) -> FileContent:
        size = record.data.get("size")
        if isinstance(size, int):
            self._check_size(record, size)
        content = self._client.download_content(record.id)
        self._check_size(record, len(content.data))
        return content

    def _check_size(self, record: SyncedRecord, size: int) -> None:
        if size > self._max_bytes:
            raise ContentTooLargeError(
                f"{_title(record)} has {size:,} bytes; the limit is {self._max_bytes:,}. "
                "Raise max_bytes to load it."
            )

    def _text_of(self, record: SyncedRecord, file: FileContent, mime_type: str) -> str:
        filename = file.filename or _filename(record)
        try:
            text = self._parse(file.data, content_type=mime_type, filename=filename)
        except ManagedSyncError:
            raise
        except Exception as error:
            raise ParsingError(
                f"{_title(record)} could not be read: the parser failed with "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            ) from error
        return _not_blank(text, record)

    def _metadata(self, record: SyncedRecord, object_id: str, mime_type: str) -> dict[str, Scalar]:
        parent = record.data.get("parentId")
        url = record.data.get("url")
        values = {
            "object_id": object_id,
            "record_id": record.id,
            "source_id": record.source_id,
            "integration": record.integration,
            "sync_type": record.sync_type,
            "project_id": self._client.project_id,
            "container_id": f"folder:{parent}" if isinstance(parent, str) and parent else None,
            "title": _title(record),
            "url": url if isinstance(url, str) else None,
            "mime_type": mime_type,
            "updated_at": record.updated_at.isoformat() if record.updated_at else None,
        }
        return {name: value for name, value in values.items() if value}


def _object_id(record: SyncedRecord) -> str:
    return identifiers.object_id_for(record.sync_type, record.id)


def _is_file(record: SyncedRecord) -> bool:
    return identifiers.object_type_for(record.sync_type) == "file"


def _filename(record: SyncedRecord) -> str:
    return str(record.data.get("name") or PurePosixPath(record.source_id).name)


def _title(record: SyncedRecord) -> str:
    if _is_file(record):
        return _filename(record) or record.id
    return record_title(record)


def _mime_type(record: SyncedRecord, file: FileContent) -> str:
    """The type the server sent, unless it sent none; then the type the record states."""
    if file.content_type and file.content_type != _UNKNOWN_TYPE:
        return file.content_type
    return str(record.data.get("mimeType") or _UNKNOWN_TYPE)


def _not_blank(text: str, record: SyncedRecord) -> str:
    if not text.strip():
        raise EmptyContentError(f"{_title(record)} has no text in it.")
    return text
