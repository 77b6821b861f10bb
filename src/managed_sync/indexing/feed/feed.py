"""Where a run's records come from: all of a pipeline, what changed since a cursor, or single ones.

The specification's API only lists everything. Of the hosted service, whose cursors are made to be
kept, the client's ``iter_changes`` gives what changed since; then most runs cost the change alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

from managed_sync.documents import RecordSource
from managed_sync.documents.loading.source import StatusSource
from managed_sync.documents.model import storable
from managed_sync.errors import (
    ApiError,
    ConfigurationError,
    InvalidIdentifierError,
    ManagedSyncError,
    NotFoundError,
    ResponseFormatError,
)
from managed_sync.identifiers import lower_ascii
from managed_sync.indexing.diff import digest_of
from managed_sync.indexing.ledger.model import Pipeline, SetAside
from managed_sync.models import MalformedRecord, SyncedRecord, SyncStatus

__all__ = ["ChangePage", "ChangeSource", "Feed", "Look", "RecordLookup"]

_LOOKS_AT_ONCE = 8


class ChangePage(Protocol):
    """One page of a listing.

    Attributes:
        records: What it lists.
        resume_cursor: From where the next run can go on after this page, if the API offers that.
    """

    @property
    def records(self) -> Sequence[SyncedRecord]: ...  # noqa: D102

    @property
    def resume_cursor(self) -> str | None: ...  # noqa: D102


@runtime_checkable
class ChangeSource(Protocol):
    """A client that can list what changed since an earlier listing; ``ManagedSyncClient`` can.

    Whether its API offers that shows in the pages: only then do they have a ``resume_cursor``.
    """

    def iter_changes(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Iterator[ChangePage]:
        """Pages of what changed since the cursor was given; all records without one.

        Raises:
            BadRequestError: The cursor is not valid any more.
            NotFoundError: The same.
        """


@runtime_checkable
class RecordLookup(Protocol):
    """A client that can read a single record; ``ManagedSyncClient`` can."""

    def get_record(self, record_id: str) -> SyncedRecord:
        """The record as it is now; called from several threads at once.

        Raises:
            NotFoundError: It is gone.
        """


class Look(NamedTuple):
    """What the API says of one record that it was asked for by its id.

    Attributes:
        record: The record, if the pipeline has it.
        error: Why it could not be read, or was not found.
    """

    record_id: str
    record: SyncedRecord | None = None
    error: ManagedSyncError | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the API itself says that there is no such record."""
        return isinstance(self.error, NotFoundError) and self.error.is_from_api

    @property
    def is_gone_from_here(self) -> bool:
        """Whether it is gone, or is there as a record of another pipeline."""
        return self.is_gone or (self.record is None and self.error is None)


class Feed:
    """The records of a pipeline, as far as the client can give them.

    Attributes:
        resume_cursor: From where the next run can go on, once all records were read.
        malformed: What was listed and cannot be read.
    """

    def __init__(self, client: RecordSource, pipeline: Pipeline) -> None:
        self._client = client
        self._pipeline = pipeline
        self._named: set[tuple[str, str]] = set()
        self.resume_cursor: str | None = None
        self.malformed: list[MalformedRecord] = []

    def anew(self) -> Feed:
        """Another feed of the same records, which has read nothing yet."""
        return Feed(self._client, self._pipeline)

    @property
    def can_resume(self) -> bool:
        """Whether the client could list what changed since a cursor, if its API gave one."""
        return isinstance(self._client, ChangeSource)

    @property
    def can_look(self) -> bool:
        """Whether the client can be asked for single records."""
        return isinstance(self._client, RecordLookup)

    @property
    def connected_user(self) -> str | None:
        """The user whose token the client sends, where that is known."""
        user = getattr(self._client, "connected_user", None)
        return user if isinstance(user, str) else None

    @property
    def names(self) -> Mapping[str, str] | None:
        """The metadata of this pipeline's chunks, once all was listed; ``None`` if others have it.

        Where a hosted pipeline is named by the id of its sync, others can have the same metadata.
        And where its records bear several names, one of them may be another pipeline's.
        """
        project_id, *own = self._pipeline
        integration, sync_type = next(iter(self._named), own)
        is_id = lower_ascii(sync_type) != lower_ascii(self._pipeline.sync_type)
        if is_id or len(self._named) > 1:
            return None
        return Pipeline(project_id, integration, sync_type)._asdict()

    def status(self) -> SyncStatus | None:
        """The state of the pipeline; ``None`` if the client does not know of such.

        Raises:
            ApiError: It could not be read.
        """
        if not isinstance(self._client, StatusSource):
            return None
        _, *names = self._pipeline
        status: SyncStatus = self._client.get_sync_status(*names)
        return status

    def everything(self) -> Iterator[SyncedRecord]:
        """All records.

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
        """What changed since the cursor was given.

        Raises:
            ApiError: The listing could not be read whole.
        """
        assert isinstance(self._client, ChangeSource)  # noqa: S101 - callers look first
        self.resume_cursor = cursor
        self.malformed = []
        _, integration, sync_type = self._pipeline
        for page in self._client.iter_changes(integration, sync_type, cursor):
            self.malformed += getattr(page, "malformed", ())
            yield from self._own(page.records)
            self.resume_cursor = page.resume_cursor or self.resume_cursor

    def _own(self, records: Iterable[SyncedRecord]) -> Iterator[SyncedRecord]:
        """Those of some listed records that name this pipeline; the others count as malformed.

        What is written and removed goes by these names: another pipeline's must never be taken
        for this one's. Those whose ids no database takes are malformed too.
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

    def set_aside(self) -> list[SetAside]:
        """What was listed and cannot be read, as the ledger notes it."""
        aside = []
        for each in self.malformed:
            digest = digest_of(each.reason)
            name = storable(each.id) if each.id else f"(a record without an id, {digest})"
            aside.append(SetAside(name, each.reason, f"malformed {digest}"))
        return aside

    def look(self, record_ids: Collection[str]) -> Iterator[Look]:
        """Asks for records by their ids, several at a time; the answers come in the same order.

        Raises:
            ConfigurationError: The client cannot read single records.
        """
        if not record_ids:
            return
        if not isinstance(self._client, RecordLookup):
            raise ConfigurationError(
                f"{type(self._client).__name__} has no get_record, which single records need."
            )
        threads = min(_LOOKS_AT_ONCE, len(record_ids))
        with ThreadPoolExecutor(threads, thread_name_prefix="managed-sync-look") as pool:
            try:
                yield from pool.map(self._look_at, record_ids)
            finally:
                pool.shutdown(cancel_futures=True)

    def _look_at(self, record_id: str) -> Look:
        assert isinstance(self._client, RecordLookup)  # noqa: S101 - look() looked
        if storable(record_id) != record_id:
            return Look(record_id, error=InvalidIdentifierError(_odd(record_id)))
        try:
            record = self._client.get_record(record_id)
        except (ApiError, InvalidIdentifierError) as error:
            return Look(record_id, error=error)
        if record.id != record_id:
            wrong = ResponseFormatError("The API gave another record than the one asked for.")
            return Look(record_id, error=wrong)
        # Ids are of a project; this one may be of another pipeline in it.
        return Look(record_id, record if self._is_listed(record) else None)

    def _is_listed(self, record: SyncedRecord) -> bool:
        """Whether the pipeline's listing would have it, by the names that the hosted API takes."""
        _, integration, sync_type = self._pipeline
        if lower_ascii(record.integration) != lower_ascii(integration):
            return False
        is_of_type = lower_ascii(record.sync_type) == lower_ascii(sync_type)
        return is_of_type or record.id.startswith(f"{sync_type}/")


def _odd(record_id: str) -> str:
    return f"The record id {record_id!r} has characters that no database takes."
