"""One record after another to documents: download, then parse; synchronously or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from threading import Semaphore

from managed_sync.documents.loading import record_metadata
from managed_sync.documents.loading.build import DocumentMaker
from managed_sync.documents.loading.record_metadata import has_content
from managed_sync.documents.loading.results import Loaded
from managed_sync.documents.loading.source import AsyncRecordSource, RecordSource
from managed_sync.errors import (
    ApiError,
    ApiTimeoutError,
    BadRequestError,
    DocumentError,
    InvalidIdentifierError,
    ManagedSyncError,
    NotFoundError,
    ResponseFormatError,
    ServerError,
)
from managed_sync.models import SyncedRecord

__all__ = ["AsyncRecordReader", "RecordReader"]

# What concerns one record only. Everything else, such as an expired token, concerns them all.
_OF_ONE_RECORD = (
    DocumentError,
    NotFoundError,
    BadRequestError,
    ServerError,
    ResponseFormatError,
    ApiTimeoutError,
)


class RecordReader:
    """Reads records; safe to share between threads.

    Args:
        client: Where the content comes from.
        maker: What makes documents of it.
        downloads: How many files are downloaded at once.
        of_one_record: Further errors that concern one record only.
    """

    def __init__(
        self,
        client: RecordSource,
        maker: DocumentMaker,
        downloads: int,
        of_one_record: Sequence[type[ManagedSyncError]] = (),
    ) -> None:
        self._client = client
        self._maker = maker
        self._downloads = Semaphore(downloads)
        self._of_one_record: tuple[type[ManagedSyncError], ...] = (*_OF_ONE_RECORD, *of_one_record)

    def read(self, record: SyncedRecord) -> Loaded:
        """The document, or why there is none."""
        try:
            if not has_content(record):
                return self._maker.from_fields(record)
            self._maker.check_announced_size(record)
            with self._downloads, _naming(record):
                content = self._client.download_content(record.id, max_bytes=self._maker.max_bytes)
            return self._maker.from_content(record, content)
        except ManagedSyncError as error:
            if not _is_of_one_record(error, self._of_one_record):
                raise
            return self._maker.failure(record, error)


class AsyncRecordReader:
    """Reads records with an asynchronous client; parsing, which blocks, goes to threads.

    Args:
        client: Where the content comes from.
        maker: What makes documents of it.
        downloads: How many files are downloaded at once.
        threads: Where to parse.
        held: How many files are downloaded or parsed at once.
        of_one_record: Further errors that concern one record only.
    """

    def __init__(
        self,
        client: AsyncRecordSource,
        maker: DocumentMaker,
        downloads: int,
        *,
        threads: Executor,
        held: int,
        of_one_record: Sequence[type[ManagedSyncError]] = (),
    ) -> None:
        self._client = client
        self._maker = maker
        self._downloads = asyncio.Semaphore(downloads)
        self._held = asyncio.Semaphore(held)
        self._threads = threads
        self._of_one_record: tuple[type[ManagedSyncError], ...] = (*_OF_ONE_RECORD, *of_one_record)

    async def read(self, record: SyncedRecord) -> Loaded:
        """The document, or why there is none."""
        async with self._held:
            try:
                if not has_content(record):
                    return self._maker.from_fields(record)
                self._maker.check_announced_size(record)
                async with self._downloads:
                    with _naming(record):
                        content = await self._client.download_content(
                            record.id, max_bytes=self._maker.max_bytes
                        )
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._maker.from_content, record, content
                )
            except ManagedSyncError as error:
                if not _is_of_one_record(error, self._of_one_record):
                    raise
                return self._maker.failure(record, error)


def _is_of_one_record(error: ManagedSyncError, kinds: tuple[type[ManagedSyncError], ...]) -> bool:
    """Whether other records are not concerned."""
    return isinstance(error, kinds) or (isinstance(error, ApiError) and error.is_of_one_record)


@contextmanager
def _naming(record: SyncedRecord) -> Iterator[None]:
    """Turns what concerns this record's download only into an error that names the record."""
    try:
        yield
    except (InvalidIdentifierError, OSError) as error:
        raise DocumentError(
            f"The content of {record_metadata.title(record)} could not be read: {error}."
        ) from error
