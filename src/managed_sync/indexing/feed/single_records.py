"""The answers to a request for single records, and what each of them means for the others."""

from __future__ import annotations

from collections.abc import Sequence

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
from managed_sync.indexing.feed.feed import Look
from managed_sync.indexing.ledger.model import SetAside
from managed_sync.models import SyncedRecord

__all__ = ["SingleRecords"]

# Whatever the other records do, these lie in the one that was asked for.
_OF_THIS_RECORD = (InvalidIdentifierError, BadRequestError)
# These may: they do if another record can be read.
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


class SingleRecords:
    """Records that were asked for one by one.

    Args:
        looks: The answers.

    Attributes:
        records: Those that the pipeline has.
        gone: The ids of those of which the API says that they are gone.
        failed: Those that could not be read, with the reasons.
    """

    def __init__(self, looks: Sequence[Look]) -> None:
        self.records: list[SyncedRecord] = [each.record for each in looks if each.record]
        self.gone = [each.record_id for each in looks if each.is_gone]
        errors = [(each.record_id, each.error) for each in looks if not each.is_gone]
        self._errors = [(record_id, error) for record_id, error in errors if error is not None]
        self._count = len(looks)

    @property
    def failed(self) -> list[SetAside]:
        """Those that could not be read, with the reasons."""
        return [_aside(record_id, error) for record_id, error in self._errors]

    def aside(self) -> list[SetAside]:
        """Those among them that are to be put aside, since the reason lies in themselves."""
        return [
            _aside(record_id, error)
            for record_id, error in self._errors
            if self._is_of_this_record(error)
        ]

    def raise_what_concerns_all(self) -> None:
        """Raises what would have hit any other record as well.

        Raises:
            ApiError: It did; ask again.
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


def _aside(record_id: str, error: ManagedSyncError) -> SetAside:
    return SetAside(storable(record_id), str(error), _UNREAD)
