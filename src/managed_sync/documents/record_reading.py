"""One record after another to documents: download, then parse; synchronously or not."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from threading import Semaphore

from managed_sync.documents.document_maker import DocumentMaker
from managed_sync.documents.load_results import Loaded
from managed_sync.documents.record_metadata import has_content
from managed_sync.documents.record_source import AsyncRecordSource, RecordSource
from managed_sync.errors import (
    ApiTimeoutError,
    BadRequestError,
    DocumentError,
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
    """

    def __init__(self, client: RecordSource, maker: DocumentMaker, downloads: int) -> None:
        self._client = client
        self._maker = maker
        self._downloads = Semaphore(downloads)

    def read(self, record: SyncedRecord) -> Loaded:
        """The document, or why there is none."""
        try:
            if not has_content(record):
                return self._maker.from_fields(record)
            self._maker.check_announced_size(record)
            with self._downloads:
                content = self._client.download_content(record.id, max_bytes=self._maker.max_bytes)
            return self._maker.from_content(record, content)
        except _OF_ONE_RECORD as error:
            return self._maker.failure(record, error)


class AsyncRecordReader:
    """Reads records with an asynchronous client; parsing, which blocks, goes to threads.

    Args:
        client: Where the content comes from.
        maker: What makes documents of it.
        downloads: How many files are downloaded at once.
        threads: Where to parse.
        held: How many files are downloaded or parsed at once.
    """

    def __init__(
        self,
        client: AsyncRecordSource,
        maker: DocumentMaker,
        downloads: int,
        *,
        threads: Executor,
        held: int,
    ) -> None:
        self._client = client
        self._maker = maker
        self._downloads = asyncio.Semaphore(downloads)
        self._held = asyncio.Semaphore(held)
        self._threads = threads

    async def read(self, record: SyncedRecord) -> Loaded:
        """The document, or why there is none."""
        async with self._held:
            try:
                if not has_content(record):
                    return self._maker.from_fields(record)
                self._maker.check_announced_size(record)
                async with self._downloads:
                    content = await self._client.download_content(
                        record.id, max_bytes=self._maker.max_bytes
                    )
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._maker.from_content, record, content
                )
            except _OF_ONE_RECORD as error:
                return self._maker.failure(record, error)
