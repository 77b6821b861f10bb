"""Records that are asked for one by one, and what each answer means for the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from managed_sync.documents.model import storable
from managed_sync.errors import (
    ApiTimeoutError,
    BadRequestError,
    ForbiddenError,
    InvalidIdentifierError,
    ManagedSyncError,
    NotFoundError,
    ResponseFormatError,
    ServerError,
)
from managed_sync.indexing.ledger.model import UnreadableRecord
from managed_sync.models import SyncedRecord

__all__ = ["LookupResult", "SingleRecords"]

# Whatever the API says of other records, these concern the one that was asked for.
_OF_THIS_RECORD = (InvalidIdentifierError, BadRequestError)
# These do if another record can be read.
_PERHAPS_OF_THIS_RECORD = (
    NotFoundError,
    ForbiddenError,
    ServerError,
    ResponseFormatError,
    ApiTimeoutError,
)
# And these if no other one was asked for, since to ask again would not change them.
_LASTING = (ForbiddenError, ResponseFormatError)
_UNREAD = "unread"


class LookupResult(NamedTuple):
    """The API's answer to a request for one record by its id.

    Attributes:
        record: The record, if the pipeline has it.
        error: The reason why it could not be read, or was not found.
    """

    record_id: str
    record: SyncedRecord | None = None
    error: ManagedSyncError | None = None

    @property
    def is_gone(self) -> bool:
        """Returns whether the API itself says that there is no such record."""
        return isinstance(self.error, NotFoundError) and self.error.is_from_api

    @property
    def is_gone_from_here(self) -> bool:
        """Returns whether it is gone, or is there as a record of another pipeline."""
        return self.is_gone or (self.record is None and self.error is None)


class SingleRecords:
    """Records that were asked for one by one.

    Args:
        results: The answers.

    Attributes:
        records: The records that the pipeline has.
        gone: The ids of records of which the API says that they are gone.
        unreadable: Records that could not be read, with the reasons.
    """

    def __init__(self, results: Sequence[LookupResult]) -> None:
        self.records = [each.record for each in results if each.record]
        self.gone = [each.record_id for each in results if each.is_gone]
        self._errors = [
            (each.record_id, each.error) for each in results if each.error and not each.is_gone
        ]
        self._count = len(results)

    @property
    def unreadable(self) -> list[UnreadableRecord]:
        """The records that could not be read, with the reasons."""
        return [_unreadable(*each) for each in self._errors]

    def to_put_aside(self) -> list[UnreadableRecord]:
        """Returns the unreadable records of which the reason lies in themselves."""
        return [
            _unreadable(record_id, error)
            for record_id, error in self._errors
            if self._is_of_this_record(error)
        ]

    def raise_errors_of_all(self) -> None:
        """Raises an error that any other record would have met as well.

        Raises:
            ApiError: There is one; ask again.
        """
        for _, error in self._errors:
            if not self._is_of_this_record(error):
                raise error

    def _is_of_this_record(self, error: ManagedSyncError) -> bool:
        if isinstance(error, _OF_THIS_RECORD):
            return True
        if len(self._errors) < self._count:
            return isinstance(error, _PERHAPS_OF_THIS_RECORD)
        return self._count == 1 and isinstance(error, _LASTING)


def _unreadable(record_id: str, error: ManagedSyncError) -> UnreadableRecord:
    return UnreadableRecord(storable(record_id), str(error), _UNREAD)
