"""The records of a pipeline, read from a client: all, those changed since a cursor, or single ones.

The specification's API only lists everything. The hosted service has cursors that are made to be
kept: with the client's ``iter_changes`` most runs cost the change alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

from managed_sync.documents import RecordSource
from managed_sync.documents.loading.source import StatusSource
from managed_sync.documents.model import storable
from managed_sync.errors import (
    ApiError,
    ConfigurationError,
    InvalidIdentifierError,
    ResponseFormatError,
)
from managed_sync.identifiers import lower_ascii
from managed_sync.indexing.diff import digest_of
from managed_sync.indexing.feed.lookup import LookupResult
from managed_sync.indexing.ledger.model import Pipeline, UnreadableRecord
from managed_sync.models import MalformedRecord, SyncedRecord, SyncStatus

__all__ = ["ChangePage", "ChangeSource", "Feed", "RecordLookup"]

_LOOKUPS_AT_ONCE = 8


class ChangePage(Protocol):
    """One page of a listing.

    Attributes:
        records: The listed records.
        resume_cursor: The cursor after which the next run can go on, if the API offers one.
    """

    @property
    def records(self) -> Sequence[SyncedRecord]: ...  # noqa: D102

    @property
    def resume_cursor(self) -> str | None: ...  # noqa: D102


@runtime_checkable
class ChangeSource(Protocol):
    """A client that can list changes since an earlier listing; ``ManagedSyncClient`` can.

    Only if its API can do so do the pages have a ``resume_cursor``.
    """

    def iter_changes(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Iterator[ChangePage]:
        """Yields pages of the records that changed since the cursor was given; without one, of all.

        Raises:
            BadRequestError: The cursor is not valid any more.
            NotFoundError: The same.
        """


@runtime_checkable
class RecordLookup(Protocol):
    """A client that can read a single record; ``ManagedSyncClient`` can."""

    def get_record(self, record_id: str) -> SyncedRecord:
        """Returns the record as it is now; called from several threads at once.

        Raises:
            NotFoundError: It is gone.
        """


class Feed:
    """The records of a pipeline, as far as the client can give them.

    Attributes:
        can_resume: Whether the client can list changes since a cursor, if its API gave one.
        can_look_up: Whether the client can be asked for single records.
        resume_cursor: The cursor after which the next run can go on, once all records were read.
        malformed: Listed records that cannot be read.
    """

    def __init__(self, client: RecordSource, pipeline: Pipeline) -> None:
        self._client = client
        self._pipeline = pipeline
        self._named: set[tuple[str, str]] = set()
        self.can_resume = isinstance(client, ChangeSource)
        self.can_look_up = isinstance(client, RecordLookup)
        self.resume_cursor: str | None = None
        self.malformed: list[MalformedRecord] = []

    def fresh(self) -> Feed:
        """Returns another feed of the same records, which has read nothing yet."""
        return Feed(self._client, self._pipeline)

    @property
    def connected_user(self) -> str | None:
        """The user whose token the client sends, where that is known."""
        user = getattr(self._client, "connected_user", None)
        return user if isinstance(user, str) else None

    @property
    def names(self) -> Mapping[str, str] | None:
        """The metadata of this pipeline's chunks, once all was listed; ``None`` if others share it.

        If a hosted pipeline is named by the id of its sync, others can have the same metadata. And
        if its records have several names, one of them may be another pipeline's.
        """
        project_id, *own = self._pipeline
        integration, sync_type = next(iter(self._named), own)
        is_id = lower_ascii(sync_type) != lower_ascii(self._pipeline.sync_type)
        if is_id or len(self._named) > 1:
            return None
        return Pipeline(project_id, integration, sync_type)._asdict()

    def status(self) -> SyncStatus | None:
        """Returns the state of the pipeline; ``None`` if the client cannot read it.

        Raises:
            ApiError: It could not be read.
        """
        if not isinstance(self._client, StatusSource):
            return None
        _, *names = self._pipeline
        status: SyncStatus = self._client.get_sync_status(*names)
        return status

    def everything(self) -> Iterator[SyncedRecord]:
        """Yields all records.

        Raises:
            ApiError: The listing could not be read whole.
        """
        if self.can_resume:
            yield from self.changes(None)
            return
        _, *names = self._pipeline
        self.malformed = []
        yield from self._own(self._client.iter_records(*names))

    def changes(self, cursor: str | None) -> Iterator[SyncedRecord]:
        """Yields the records that changed since the cursor was given; without one, all records.

        Raises:
            ApiError: The listing could not be read whole.
        """
        assert isinstance(self._client, ChangeSource)  # noqa: S101 - callers check can_resume first
        self.resume_cursor = cursor
        self.malformed = []
        _, integration, sync_type = self._pipeline
        for page in self._client.iter_changes(integration, sync_type, cursor):
            self.malformed += getattr(page, "malformed", ())
            yield from self._own(page.records)
            self.resume_cursor = page.resume_cursor or self.resume_cursor

    def _own(self, records: Iterable[SyncedRecord]) -> Iterator[SyncedRecord]:
        """Yields the listed records that name this pipeline; the others count as malformed.

        Records are written and removed by these names, so another pipeline's record must never be
        taken for this one's. A record whose id no database takes is malformed too.
        """
        for record in records:
            if storable(record.id) != record.id:
                reason = _odd(record.id)
            elif self._is_listed(record):
                # The hosted API takes names that differ from those that it gives.
                self._named.add((record.integration, record.sync_type))
                yield record
                continue
            else:
                reason = (
                    f"The listing of {self._pipeline} has the record {record.id!r} of another "
                    f"pipeline, {record.integration} {record.sync_type}."
                )
            self.malformed.append(MalformedRecord(id=record.id, reason=reason))

    def unreadable(self) -> list[UnreadableRecord]:
        """Returns the listed records that cannot be read."""
        unreadable = []
        for each in self.malformed:
            digest = digest_of(each.reason)
            name = storable(each.id) if each.id else f"(a record without an id, {digest})"
            unreadable.append(UnreadableRecord(name, each.reason, f"malformed {digest}"))
        return unreadable

    def look_up(self, record_ids: Collection[str]) -> Iterator[LookupResult]:
        """Asks for records by their ids, several at a time; yields the results in that order.

        Raises:
            ConfigurationError: The client cannot read single records.
        """
        if not record_ids:
            return
        if not isinstance(self._client, RecordLookup):
            raise ConfigurationError(
                f"{type(self._client).__name__} has no get_record, which single records need."
            )
        threads = min(_LOOKUPS_AT_ONCE, len(record_ids))
        with ThreadPoolExecutor(threads, thread_name_prefix="managed-sync-lookup") as pool:
            try:
                yield from pool.map(self._look_up_one, record_ids)
            finally:
                pool.shutdown(cancel_futures=True)

    def _look_up_one(self, record_id: str) -> LookupResult:
        assert isinstance(self._client, RecordLookup)  # noqa: S101 - look_up() checked
        if storable(record_id) != record_id:
            return LookupResult(record_id, error=InvalidIdentifierError(_odd(record_id)))
        try:
            record = self._client.get_record(record_id)
        except (ApiError, InvalidIdentifierError) as error:
            return LookupResult(record_id, error=error)
        if record.id != record_id:
            wrong = ResponseFormatError("The API gave another record than the one asked for.")
            return LookupResult(record_id, error=wrong)
        # Ids are of a project; this one may be of another pipeline in it.
        return LookupResult(record_id, record if self._is_listed(record) else None)

    def _is_listed(self, record: SyncedRecord) -> bool:
        """Returns whether the record is the pipeline's, by the names that the hosted API takes."""
        _, integration, sync_type = self._pipeline
        if lower_ascii(record.integration) != lower_ascii(integration):
            return False
        is_of_type = lower_ascii(record.sync_type) == lower_ascii(sync_type)
        return is_of_type or record.id.startswith(f"{sync_type}/")


def _odd(record_id: str) -> str:
    return f"The record id {record_id!r} has characters that no database takes."
