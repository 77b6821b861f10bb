"""The records to load: the protocols of clients, and a listing that may end with an error."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from inspect import iscoroutinefunction
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, runtime_checkable

from managed_sync.documents.loading.results import LoadFailure
from managed_sync.errors import ApiError, MalformedRecordsError, ResponseFormatError
from managed_sync.models import FileContent, MalformedRecord, SyncedRecord

__all__ = ["AsyncRecordSource", "ListedRecords", "RecordSource", "StatusSource", "is_asynchronous"]

_Item = TypeVar("_Item")


class RecordSource(Protocol):
    """A client that records can be loaded with; ``ManagedSyncClient`` is one."""

    @property
    def project_id(self) -> str:
        """The project that the records belong to."""
        ...

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        """Yields all records of a pipeline."""
        ...

    def download_content(self, record_id: str, *, max_bytes: int) -> FileContent:
        """Returns a file's bytes up to a maximum; several threads call it at once."""
        ...


class AsyncRecordSource(Protocol):
    """An asynchronous client that records can be loaded with."""

    @property
    def project_id(self) -> str:
        """The project that the records belong to."""
        ...

    def iter_records(self, integration: str, sync_type: str) -> AsyncIterator[SyncedRecord]:
        """Yields all records of a pipeline."""
        ...

    async def download_content(self, record_id: str, *, max_bytes: int) -> FileContent:
        """Returns a file's bytes up to a maximum; several calls are awaited at once."""
        ...


@runtime_checkable
class StatusSource(Protocol):
    """A client that knows the number of records of a pipeline, for a progress bar."""

    def get_sync_status(self, integration: str, sync_type: str) -> Any:
        """Returns the state of a pipeline; awaited if the client is asynchronous."""
        ...


def is_asynchronous(client: RecordSource | AsyncRecordSource) -> TypeGuard[AsyncRecordSource]:
    """Tells whether the client's methods must be awaited."""
    return iscoroutinefunction(client.download_content)


class ListedRecords(Generic[_Item]):
    """A listing to iterate over once that ends early, instead of raising, on an API error.

    So the records before the error are loaded first. ``failures`` then reports or raises the error.

    Args:
        records: The listing, synchronous or not. It may raise at any record, and at the end.
    """

    def __init__(self, records: Iterable[_Item] | AsyncIterable[_Item]) -> None:
        self._records = records
        self._error: ApiError | None = None

    def __iter__(self) -> Iterator[_Item]:
        assert isinstance(self._records, Iterable)  # noqa: S101 - callers choose by the client
        try:
            yield from self._records
        except ApiError as error:
            self._error = error

    async def __aiter__(self) -> AsyncIterator[_Item]:
        try:
            async for record in _each(self._records):
                yield record
        except ApiError as error:
            self._error = error

    def failures(self) -> Iterator[LoadFailure]:
        """Yields the malformed records of the listing, once it has ended.

        Raises:
            ApiError: The listing ended early.
        """
        if isinstance(self._error, MalformedRecordsError):
            yield from map(_failure, self._error.malformed)
        else:
            self.raise_error()

    def raise_error(self) -> None:
        """Raises the error that ended the listing, if one did.

        Raises:
            ApiError: The listing ended early, or has malformed records.
        """
        if self._error is not None:
            raise self._error


async def _each(records: Iterable[_Item] | AsyncIterable[_Item]) -> AsyncIterator[_Item]:
    """Yields the records; waits in a thread for a listing that may block on the network."""
    if isinstance(records, AsyncIterable):
        async for record in records:
            yield record
    elif isinstance(records, Iterator):
        while (following := await to_thread(next, records, None)) is not None:
            yield following
    else:
        for record in records:
            yield record


def _failure(record: MalformedRecord) -> LoadFailure:
    name = record.id or "a record without an id"
    reason = f"{name} cannot be read. {record.reason}"
    return LoadFailure(record.id or "", "", name, reason, ResponseFormatError(reason))
