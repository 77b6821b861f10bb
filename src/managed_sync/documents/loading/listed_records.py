"""The records of a listing, as far as it goes: where it ends with an error, what came is kept."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from managed_sync.documents.loading.results import LoadFailure
from managed_sync.errors import ApiError, MalformedRecordsError, ResponseFormatError
from managed_sync.models import MalformedRecord, SyncedRecord

__all__ = ["ListedRecords"]


class ListedRecords:
    """Records to iterate over once, synchronously or not; an error of their listing ends them.

    Args:
        records: As the client gives them, which may raise at any record, and at the end.
    """

    def __init__(self, records: Iterable[SyncedRecord] | AsyncIterable[SyncedRecord]) -> None:
        self._records = records
        self._error: ApiError | None = None

    def __iter__(self) -> Iterator[SyncedRecord]:
        assert isinstance(self._records, Iterable)  # noqa: S101 - callers choose by the client
        try:
            yield from self._records
        except ApiError as error:
            self._error = error

    async def __aiter__(self) -> AsyncIterator[SyncedRecord]:
        try:
            async for record in _each(self._records):
                yield record
        except ApiError as error:
            self._error = error

    def failures(self) -> Iterator[LoadFailure]:
        """The records that were listed and cannot be read, once all others came.

        Raises:
            ApiError: The listing ended early.
        """
        if isinstance(self._error, MalformedRecordsError):
            yield from map(_failure, self._error.malformed)
        elif self._error is not None:
            raise self._error


async def _each(
    records: Iterable[SyncedRecord] | AsyncIterable[SyncedRecord],
) -> AsyncIterator[SyncedRecord]:
    """The records one by one; a listing that may wait for the network does so in a thread."""
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
