"""The logic of both clients: each method as a program of effects, without I/O.

Guarantees:

- A batch of checks has one decision for each check, given by the API, or the program raises.
- No decision of a batch is handed out if another one of the same call is missing.

See ``docs/decisions/0003-client-operations.md``.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from managed_sync.arguments import check_integer
from managed_sync.client.transport.effects import StreamedResponse
from managed_sync.client.transport.limits import FairSemaphore
from managed_sync.client.transport.listing import PageListing, RecordListing
from managed_sync.client.transport.sender import Sender
from managed_sync.client.wire.base import WireFormat
from managed_sync.effects import Program, perform
from managed_sync.errors import (
    AccessCheckError,
    ApiError,
    ConfigurationError,
    SyncFailedError,
)
from managed_sync.logs import get_logger
from managed_sync.models import (
    AccessCheck,
    FileContent,
    RelationshipNode,
    SyncState,
    SyncStatus,
)

__all__ = ["Operations"]

_logger = get_logger("managed_sync.client")

_FIRST_POLL_SECONDS = 0.2
_POLL_GROWTH = 1.5
_LONGEST_POLL_SECONDS = 5.0
_ABOUT_SIZE = re.compile(r"too (large|long|many|big)|at most|maximum|exceed|limit", re.IGNORECASE)


class Operations:
    """The programs of one client's methods, with the same names.

    Args:
        api: The wire format.
        sender: Sends requests.
        check_batch_size: The number of checks in one request.
        check_slots: The limit of requests with batches of checks that run at once.
    """

    def __init__(
        self,
        api: WireFormat,
        sender: Sender,
        *,
        check_batch_size: int,
        check_slots: FairSemaphore,
    ) -> None:
        self._api = api
        self._sender = sender
        self._check_batch_size = check_batch_size
        self._check_slots = check_slots
        # One request and one response, or several that depend, as the wire format has it.
        self.enable_sync = api.enable_sync
        self.get_sync_status = api.get_sync_status
        self.list_records = api.list_records
        self.get_record = api.get_record
        self.list_users = api.list_users
        self.list_objects = api.list_objects

    def wait_until_idle(
        self,
        integration: str,
        sync_type: str,
        timeout: float,
        on_progress: Callable[[SyncStatus], None] | None,
    ) -> Program[SyncStatus]:
        """Reads the state of a pipeline until its sync has ended."""
        if inspect.iscoroutinefunction(on_progress):
            raise ConfigurationError(
                "on_progress must be an ordinary function: nobody would await a coroutine."
            )
        clock = self._sender.clock
        deadline = clock.monotonic() + timeout
        pause = _FIRST_POLL_SECONDS
        while True:
            status = yield from self.get_sync_status(integration, sync_type)
            if on_progress is not None:
                on_progress(status)
            if status.status is SyncState.IDLE:
                return status
            _raise_unless_syncing(integration, sync_type, status)
            left = deadline - clock.monotonic()
            if left <= 0:
                raise SyncFailedError(
                    f"The sync of {integration} {sync_type} has not ended after {timeout:.0f} s, "
                    f"with {status.record_count:,} records so far. It is still running: call "
                    f"wait_until_idle() again or pass a larger timeout."
                )
            yield from perform(self._sender.driver.pause, min(pause, left))
            pause = min(pause * _POLL_GROWTH, _LONGEST_POLL_SECONDS)

    def iter_records(self, integration: str, sync_type: str) -> RecordListing:
        """Returns the listing of all records."""
        return RecordListing(
            f"{integration} {sync_type}",
            None,
            partial(self.list_records, integration, sync_type),
            sender=self._sender,
        )

    def iter_changes(self, integration: str, sync_type: str, cursor: str | None) -> PageListing:
        """Returns the listing of all pages from a cursor on."""
        return PageListing(
            f"{integration} {sync_type}",
            cursor,
            partial(self.list_records, integration, sync_type),
            sender=self._sender,
        )

    def open_content(self, record_id: str, max_bytes: int) -> Program[StreamedResponse]:
        """Opens content that the client's ``stream_content`` has to read and close."""
        check_integer("max_bytes", max_bytes, at_least=0)
        return self._sender.open(self._api.download_content(record_id))

    def download_content(self, record_id: str, max_bytes: int) -> Program[FileContent]:
        """Reads the whole content; repeats the request if only a part arrived."""
        check_integer("max_bytes", max_bytes, at_least=0)
        request = self._api.download_content(record_id)
        return self._sender.download(request, record_id, max_bytes)

    def check_access(self, subject: str, relation: str, object_id: str) -> Program[bool]:
        """Decides one check."""
        return self._api.check_access(
            AccessCheck(subject=subject, relation=relation, object=object_id)
        )

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Program[list[bool]]:
        """Decides all checks, or raises."""
        # The caller's own collection may change while its requests are in flight.
        checks = list(checks)
        groups: defaultdict[Hashable | None, list[int]] = defaultdict(list)
        batch_of = self._api.batch_of
        if batch_of is None:
            groups["all"] = list(range(len(checks)))
        else:
            for position, check in enumerate(checks):
                groups[batch_of(check)].append(position)
        # What no request can ask about is nothing that anybody has access to.
        unknown = groups.pop(None, [])
        if unknown:
            _logger.warning(
                "%d checks are denied unasked: the API can know no object such as %.80r. What was "
                "indexed through another API has other ids: index it again.",
                len(unknown),
                checks[unknown[0]].object,
            )
        size = self._check_batch_size
        batches = [
            group[start : start + size]
            for group in groups.values()
            for start in range(0, len(group), size)
        ]
        if len(batches) == 1 and not unknown:
            return (yield from self._check_batch(checks))
        decided = yield from self._sender.gather(
            [self._check_batch([checks[position] for position in batch]) for batch in batches]
        )
        decisions = [False] * len(checks)
        for batch, allowed in zip(batches, decided, strict=True):
            for position, decision in zip(batch, allowed, strict=True):
                decisions[position] = decision
        return decisions

    def expand(self, subject: str, relation: str, object_id: str) -> Program[RelationshipNode]:
        """Reads the tree of a relation."""
        check = AccessCheck(subject=subject, relation=relation, object=object_id)
        tree = yield from self._api.expand(check)
        if tree.granted is None:
            granted = yield from self._api.check_access(check)
            tree = tree.model_copy(update={"granted": granted})
        return tree

    def _check_batch(self, checks: Sequence[AccessCheck]) -> Program[list[bool]]:
        try:
            operation = self._api.batch_check_access(checks)
            return (yield from self._sender.call(operation, self._check_slots))
        except ApiError as error:
            if len(checks) == 1 or not _is_too_large(error):
                count = len(checks)
                raise AccessCheckError(
                    f"{count} access check{'s have' if count > 1 else ' has'} no decision: {error}",
                    undecided=[check.object for check in checks],
                ) from error
        half = len(checks) // 2
        first = yield from self._check_batch(checks[:half])
        return first + (yield from self._check_batch(checks[half:]))


def _raise_unless_syncing(integration: str, sync_type: str, status: SyncStatus) -> None:
    how = f"with enable_sync, or with `managed-sync enable {integration} {sync_type}`"
    if status.status is SyncState.DISABLED:
        raise SyncFailedError(f"The sync of {integration} {sync_type} is disabled. Start it {how}.")
    if status.status is not SyncState.SYNCING:
        raise SyncFailedError(
            f"The sync of {integration} {sync_type} is in state {status.status}: "
            f"{(status.error or 'the API gives no reason').rstrip('.')}. Fix the cause, then "
            f"start it again {how}."
        )


def _is_too_large(error: ApiError) -> bool:
    """Returns whether the API refused a batch for its size; a mistake costs requests only."""
    if error.status in {400, 422}:
        return _ABOUT_SIZE.search(error.excerpt) is not None
    return error.status == 413
