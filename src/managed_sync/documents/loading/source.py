"""What loading needs of a client; this package's clients have it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from inspect import iscoroutinefunction
from typing import Any, Protocol, TypeGuard, runtime_checkable

from managed_sync.models import FileContent, SyncedRecord

__all__ = ["AsyncRecordSource", "RecordSource", "StatusSource", "is_asynchronous"]


class RecordSource(Protocol):
    """What the loader needs of a client; ``ManagedSyncClient`` has it."""

    @property
    def project_id(self) -> str:
        """The project that the records belong to."""
        ...

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        """All records of a pipeline."""
        ...

    def download_content(self, record_id: str, *, max_bytes: int) -> FileContent:
        """The bytes of a file, if they are not too many; called from several threads at once."""
        ...


class AsyncRecordSource(Protocol):
    """The same of an asynchronous client."""

    @property
    def project_id(self) -> str:
        """The project that the records belong to."""
        ...

    def iter_records(self, integration: str, sync_type: str) -> AsyncIterator[SyncedRecord]:
        """All records of a pipeline."""
        ...

    async def download_content(self, record_id: str, *, max_bytes: int) -> FileContent:
        """The bytes of a file, if they are not too many; several are awaited at once."""
        ...


@runtime_checkable
class StatusSource(Protocol):
    """A client that knows how many records a pipeline has, for a progress bar."""

    def get_sync_status(self, integration: str, sync_type: str) -> Any:
        """The state of a pipeline; awaited if the client is asynchronous."""
        ...


def is_asynchronous(client: RecordSource | AsyncRecordSource) -> TypeGuard[AsyncRecordSource]:
    """Whether the client's methods are to be awaited."""
    return iscoroutinefunction(client.download_content)
