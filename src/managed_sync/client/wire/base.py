"""What a wire format has to offer: every operation of a client, without I/O.

Where one request is enough, a format builds an ``Operation``. Where a request depends on the answer
to another one, it gives an *exchange*: a generator that yields operations and receives what they
bring. When anything is sent, and how often, is not its business.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from managed_sync.client.wire.request import Operation, Request
from managed_sync.models import (
    AccessCheck,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
)

__all__ = ["Asked", "AtOnce", "Exchange", "WireFormat"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AtOnce:
    """In an exchange: carry out some exchanges at the same time; its answer is their results."""

    exchanges: Sequence[Exchange[Any]]


Exchange: TypeAlias = Generator[Operation[Any] | AtOnce, Any, T]
Asked: TypeAlias = Operation[T] | Exchange[T]


class WireFormat(Protocol):
    """One way to ask for what a client offers; each method is named after the client's.

    Attributes:
        default_base_url: Where the API is, unless the caller says otherwise.
        list_limit: The length at which ``list_objects`` is cut off; ``None`` if there is none.
    """

    @property
    def default_base_url(self) -> str: ...  # noqa: D102

    @property
    def list_limit(self) -> int | None: ...  # noqa: D102

    def enable_sync(  # noqa: D102
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Asked[SyncStatus]: ...

    def get_sync_status(self, integration: str, sync_type: str) -> Asked[SyncStatus]: ...  # noqa: D102

    def list_records(  # noqa: D102
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Asked[RecordPage]: ...

    def get_record(self, record_id: str) -> Asked[SyncedRecord]: ...  # noqa: D102

    def download_content(self, record_id: str) -> Request: ...  # noqa: D102

    def check_access(self, check: AccessCheck) -> Asked[bool]: ...  # noqa: D102

    def batch_of(self, check: AccessCheck) -> Hashable | None:
        """What checks must have in common to be sent in one batch.

        ``None`` for an object that no request can ask about: the API has nothing of that name, so
        nobody has access to it.
        """

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]: ...  # noqa: D102

    def list_users(self, object_id: str, relation: str) -> Asked[list[str]]: ...  # noqa: D102

    def list_objects(  # noqa: D102
        self, subject: str, relation: str, object_type: str | None
    ) -> Asked[list[str]]: ...

    def expand(self, check: AccessCheck) -> Asked[RelationshipNode]:
        """A tree whose root has ``granted=None`` where the answer does not decide the check."""
