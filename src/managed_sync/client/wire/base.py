"""The interface of a wire format: every operation of a client, as a program.

A format builds an ``Operation`` for each request and has the client's sender call it. It decides
which requests an operation takes, also where one depends on the response to another; the sender
decides when and how often a request is sent. See ``docs/decisions/0025-client-wire-formats.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import Response
from managed_sync.effects import Program
from managed_sync.models import (
    AccessCheck,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
)

__all__ = ["Caller", "Operation", "WireFormat"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Operation(Generic[R]):
    """A request, and the function that reads its response."""

    request: Request
    parse: Callable[[Response], R]


class Caller(Protocol):
    """Calls operations for a wire format."""

    def call(self, operation: Operation[R]) -> Program[R]:
        """Sends an operation's request and reads the response."""

    def gather(self, programs: Sequence[Program[R]]) -> Program[list[R]]:
        """Runs programs at the same time and returns their results in order."""


class WireFormat(Protocol):
    """A way to ask an API for the operations of a client; the methods have the client's names.

    Attributes:
        default_base_url: The URL of the API, unless the caller names another one.
        list_limit: The length at which ``list_objects`` is cut off; ``None`` if there is none.
    """

    @property
    def default_base_url(self) -> str: ...  # noqa: D102

    @property
    def list_limit(self) -> int | None: ...  # noqa: D102

    def enable_sync(  # noqa: D102
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Program[SyncStatus]: ...

    def get_sync_status(self, integration: str, sync_type: str) -> Program[SyncStatus]: ...  # noqa: D102

    def list_records(  # noqa: D102
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Program[RecordPage]: ...

    def get_record(self, record_id: str) -> Program[SyncedRecord]: ...  # noqa: D102

    def download_content(self, record_id: str) -> Request: ...  # noqa: D102

    def check_access(self, check: AccessCheck) -> Program[bool]: ...  # noqa: D102

    @property
    def batch_of(self) -> Callable[[AccessCheck], Hashable | None] | None:
        """A function that returns an equal key for checks that may be sent in one batch.

        It returns ``None`` for an object that no request can name: the API has no such object, so
        nobody has access to it. There is no function if all checks may be sent in one batch.
        """

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]: ...  # noqa: D102

    def list_users(self, object_id: str, relation: str) -> Program[list[str]]: ...  # noqa: D102

    def list_objects(  # noqa: D102
        self, subject: str, relation: str, object_type: str | None
    ) -> Program[list[str]]: ...

    def expand(self, check: AccessCheck) -> Program[RelationshipNode]:
        """Returns a tree; its root has ``granted=None`` if the tree does not decide the check."""
