"""Where a run's records come from: all of a pipeline, what changed since a cursor, or single ones.

The specification's API only lists everything. Of the hosted service, whose cursors are made to be
kept, the client's ``iter_changes`` gives what changed since; then most runs cost the change alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from managed_sync.documents import RecordSource
from managed_sync.errors import ConfigurationError, NotFoundError
from managed_sync.identifiers import lower_ascii
from managed_sync.indexing.entries import Pipeline
from managed_sync.models import SyncedRecord

__all__ = ["ChangePage", "ChangeSource", "Feed", "RecordLookup"]


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
        """The record as it is now.

        Raises:
            NotFoundError: It is gone.
        """


class Feed:
    """The records of a pipeline, as far as the client can give them.

    Attributes:
        resume_cursor: From where the next run can go on, once all records were read.
    """

    def __init__(self, client: RecordSource, pipeline: Pipeline) -> None:
        self._client = client
        self._pipeline = pipeline
        self._names = pipeline
        self.resume_cursor: str | None = None

    @property
    def can_resume(self) -> bool:
        """Whether the client could list what changed since a cursor, if its API gave one."""
        return isinstance(self._client, ChangeSource)

    @property
    def names(self) -> Mapping[str, str] | None:
        """The metadata of this pipeline's chunks, once all was listed; ``None`` if others have it.

        Where a hosted pipeline is named by the id of its sync, others can have the same metadata.
        """
        is_id = lower_ascii(self._names.sync_type) != lower_ascii(self._pipeline.sync_type)
        return None if is_id else self._names._asdict()

    def everything(self) -> Iterator[SyncedRecord]:
        """All records.

        Raises:
            ApiError: The listing could not be read whole.
        """
        _, *names = self._pipeline
        listed = self.changes(None) if self.can_resume else self._client.iter_records(*names)
        for record in listed:
            # The hosted API takes names that differ from those that it gives.
            self._names = self._pipeline._replace(
                integration=record.integration, sync_type=record.sync_type
            )
            yield record

    def changes(self, cursor: str | None) -> Iterator[SyncedRecord]:
        """What changed since the cursor was given.

        Raises:
            ApiError: The listing could not be read whole.
        """
        assert isinstance(self._client, ChangeSource)  # noqa: S101 - callers look first
        self.resume_cursor = cursor
        _, integration, sync_type = self._pipeline
        for page in self._client.iter_changes(integration, sync_type, cursor):
            yield from page.records
            self.resume_cursor = page.resume_cursor or self.resume_cursor

    def single(self, record_ids: Collection[str], gone: list[str]) -> Iterator[SyncedRecord]:
        """Some records as they are now; those that are gone are added to ``gone``.

        Raises:
            ApiError: A record could not be read for another reason.
            ConfigurationError: The client cannot read single records.
        """
        if not record_ids:
            return
        if not isinstance(self._client, RecordLookup):
            raise ConfigurationError(
                f"{type(self._client).__name__} has no get_record, which single records need."
            )
        for record_id in record_ids:
            try:
                record = self._client.get_record(record_id)
            except NotFoundError:
                gone.append(record_id)
            else:
                # Ids are of a project; this one may be of another pipeline in it.
                if self._is_listed(record):
                    yield record

    def _is_listed(self, record: SyncedRecord) -> bool:
        """Whether the pipeline's listing would have it, by the names that the hosted API takes."""
        _, integration, sync_type = self._pipeline
        if lower_ascii(record.integration) != lower_ascii(integration):
            return False
        is_of_type = lower_ascii(record.sync_type) == lower_ascii(sync_type)
        return is_of_type or record.id.startswith(f"{sync_type}/")
