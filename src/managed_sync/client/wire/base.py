"""The interface of a wire format: every operation of a client, as a program.

A format builds an ``Operation`` for each request and has the client's sender call it. It decides
which requests an operation takes, also where one depends on the response to another; the sender
decides when and how often a request is sent.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar

from managed_sync.client.wire.request import Operation, Request
from managed_sync.effects import Program
from managed_sync.models import (
    AccessCheck,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
)

__all__ = ["Caller", "WireFormat"]

R = TypeVar("R")


class Caller(Protocol):
    """Calls operations for a wire format."""

    def call(self, operation: Operation[R]) -> Program[R]:
        """Sends an operation's request and reads the response."""

    def gather(self, programs: Sequence[Program[R]]) -> Program[list[R]]:
        """Runs programs at the same time and returns their results in order."""


class WireFormat(Protocol):
    """A way to ask for what a client offers; each method is named after the client's.

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

    def batch_of(self, check: AccessCheck) -> Hashable | None:
        """Returns what checks must have in common to be sent in one batch.

        ``None`` for an object that no request can ask about: the API has nothing of that name, so
        nobody has access to it.
        """

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]: ...  # noqa: D102

    def list_users(self, object_id: str, relation: str) -> Program[list[str]]: ...  # noqa: D102

    def list_objects(  # noqa: D102
        self, subject: str, relation: str, object_type: str | None
    ) -> Program[list[str]]: ...

    def expand(self, check: AccessCheck) -> Program[RelationshipNode]:
        """Returns a tree, whose root has ``granted=None`` where it does not decide the check."""
