"""The wire format of the hosted service's documented API.

There a pipeline has an id, and records and permissions are asked for below it. Record ids and
object ids of this client carry that id, so only what names a pipeline by integration and sync type
has to look it up: once, and again when it is not found or gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from managed_sync.client.wire.base import Caller
from managed_sync.client.wire.entity_lists import NameList
from managed_sync.client.wire.hosted import permissions as hosted_permissions
from managed_sync.client.wire.hosted import syncs as hosted_syncs
from managed_sync.client.wire.hosted.syncs import HostedSync
from managed_sync.client.wire.request import Operation, Request
from managed_sync.effects import Program
from managed_sync.errors import (
    BadRequestError,
    ConfigurationError,
    InvalidIdentifierError,
    NotFoundError,
)
from managed_sync.identifiers import RecordOfSync, lower_ascii
from managed_sync.logs import get_logger
from managed_sync.models import (
    AccessCheck,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncState,
    SyncStatus,
)
from managed_sync.settings import DEFAULT_BASE_URLS

__all__ = ["HostedApi"]

T = TypeVar("T")

_logger = get_logger("managed_sync.client")

# The kinds of objects about which the service decides; all of them come from one kind of pipeline.
_OBJECT_TYPES = ("file", "folder")
_PIPELINE_WITH_PERMISSIONS = "files"
_MOST_USERS = 1000
# What a sync answers that carries no permissions.
_WITHOUT_PERMISSIONS = frozenset({400, 404})


class HostedApi:
    """Asks for what a client offers as the hosted service wants it. Safe to share between threads.

    The project is not in any path: it is the audience of the token.
    """

    default_base_url = DEFAULT_BASE_URLS["hosted"]
    # Objects are listed as a stream, which has no limit; that it came to its end does not show.
    list_limit = None

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._syncs: tuple[HostedSync, ...] = ()

    def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Program[SyncStatus]:
        """Creates a sync, or enables the one that there is; a second one is never made."""
        if frequency is not None:
            raise ConfigurationError(
                "The hosted API decides by itself how often to sync: leave frequency out."
            )
        yield from self._refresh()
        sync = self._find(integration, sync_type)
        if sync is None:
            sync = yield from self._caller.call(hosted_syncs.create_sync(integration, sync_type))
            self._syncs = (*self._syncs, sync)
        elif sync.state is SyncState.DISABLED:
            yield from self._caller.call(hosted_syncs.reenable_sync(sync))
        return (yield from self._caller.call(hosted_syncs.get_status(sync)))

    def get_sync_status(self, integration: str, sync_type: str) -> Program[SyncStatus]:
        """The state of the sync of that name."""
        return self._of_sync(integration, sync_type, hosted_syncs.get_status)

    def list_records(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Program[RecordPage]:
        """One page of the records of the sync of that name."""
        return self._of_sync(
            integration,
            sync_type,
            lambda sync: hosted_syncs.list_records(sync, cursor),
            # A cursor leads nowhere in a sync that was made anew.
            of_any=cursor is None,
        )

    def get_record(self, record_id: str) -> Program[SyncedRecord]:
        """One record, with the names of the pipeline that it is from."""
        record = RecordOfSync.parse(record_id)
        sync = self._known(record.sync)
        if sync is None:
            yield from self._refresh()
            sync = self._known(record.sync)
        if sync is None:
            raise NotFoundError(
                f"The hosted API lists no sync {record.sync}: the record {record_id} is gone with "
                f"it, or belongs to another connected user.",
                status=404,
            )
        return (yield from self._caller.call(hosted_syncs.get_record(sync, record)))

    def download_content(self, record_id: str) -> Request:
        """Only the request, since its answer is streamed."""
        return hosted_syncs.content_request(RecordOfSync.parse(record_id))

    def check_access(self, check: AccessCheck) -> Program[bool]:
        """One decision."""
        return self._caller.call(hosted_permissions.check_access(check))

    def batch_of(self, check: AccessCheck) -> str | None:
        """The sync of the object: a batch is sent to one."""
        try:
            return hosted_permissions.record_of(check.object).sync
        except InvalidIdentifierError:
            return None

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]:
        """Decisions about objects of one sync."""
        return hosted_permissions.batch_check_access(checks)

    def list_users(self, object_id: str, relation: str) -> Program[list[str]]:
        """Users; the service lists a thousand at most, and has no way to ask for the others."""
        users = yield from self._caller.call(hosted_permissions.list_users(object_id, relation))
        if len(users) >= _MOST_USERS:
            _logger.warning(
                "The API lists %d users of an object, its limit: there may be more.", len(users)
            )
        return users

    def list_objects(
        self, subject: str, relation: str, object_type: str | None
    ) -> Program[list[str]]:
        """The objects of every sync that carries permissions, as the service lists them now."""
        if object_type not in {None, *_OBJECT_TYPES}:
            raise InvalidIdentifierError(
                f"The hosted API lists objects of the types {' and '.join(_OBJECT_TYPES)}, not "
                f"{object_type!r}."
            )
        types = _OBJECT_TYPES if object_type is None else (object_type,)
        # Never from memory: what a sync added meanwhile holds would be missing without a trace.
        yield from self._refresh()
        asked = [
            self._listed_or_refused(sync, kind, subject, relation)
            for sync in self._syncs
            if lower_ascii(sync.pipeline) == _PIPELINE_WITH_PERMISSIONS
            for kind in types
        ]
        answers = yield from self._caller.gather(asked)
        refusals = [each for each in answers if not isinstance(each, NameList)]
        if refusals and len(refusals) == len(answers):
            raise refusals[0]
        lists = [each for each in answers if isinstance(each, NameList)]
        return NameList(chain(*lists), is_whole=all(each.is_whole for each in lists))

    def expand(self, check: AccessCheck) -> Program[RelationshipNode]:
        """The tree of a relation; it decides nothing about the subject."""
        return self._caller.call(hosted_permissions.expand(check))

    def _of_sync(
        self,
        integration: str,
        sync_type: str,
        operation: Callable[[HostedSync], Operation[T]],
        *,
        of_any: bool = True,
    ) -> Program[T]:
        """An operation on the sync of a name, looked up where it is not known or gone."""
        sync = self._find(integration, sync_type)
        is_fresh = sync is None
        if sync is None:
            sync = yield from self._found_anew(integration, sync_type)
        try:
            return (yield from self._caller.call(operation(sync)))
        except NotFoundError:
            newer = sync if is_fresh else (yield from self._found_anew(integration, sync_type))
            if newer.id == sync.id or not of_any:
                raise
            return (yield from self._caller.call(operation(newer)))

    def _found_anew(self, integration: str, sync_type: str) -> Program[HostedSync]:
        yield from self._refresh()
        sync = self._find(integration, sync_type)
        if sync is None:
            raise NotFoundError(
                f"The hosted API has no sync of {integration} {sync_type} for this connected user; "
                f"enable it first.",
                status=404,
            )
        return sync

    def _refresh(self) -> Program[None]:
        self._syncs = tuple((yield from self._caller.call(hosted_syncs.list_syncs())))

    def _listed_or_refused(
        self, sync: HostedSync, object_type: str, subject: str, relation: str
    ) -> Program[NameList | BadRequestError | NotFoundError]:
        """Lists a sync's objects, or returns the error of one that carries no permissions."""
        try:
            operation = hosted_permissions.list_objects(sync.id, object_type, subject, relation)
            return (yield from self._caller.call(operation))
        except (BadRequestError, NotFoundError) as error:
            is_from_proxy = isinstance(error, NotFoundError) and not error.is_from_api
            if error.status not in _WITHOUT_PERMISSIONS or is_from_proxy:
                raise
            _logger.warning(
                "The sync %s of %s lists no objects (%d): nothing in it can be found for anybody.",
                sync.id,
                sync.integration,
                error.status,
            )
            return error

    def _known(self, sync_id: str) -> HostedSync | None:
        return next((sync for sync in self._syncs if sync.id == sync_id), None)

    def _find(self, integration: str, sync_type: str) -> HostedSync | None:
        """The sync of a name; of several, the one that is not disabled."""
        found = [sync for sync in self._syncs if sync.named(integration, sync_type)]
        enabled = [sync for sync in found if sync.state is not SyncState.DISABLED]
        if len(found) <= 1 or len(enabled) == 1:
            return next(iter(enabled or found), None)
        choices = ", ".join(
            f"{sync.id} ({sync.configuration_name or 'without a name'})" for sync in found
        )
        raise ConfigurationError(
            f"There are {len(found)} syncs of {integration} {sync_type}: {choices}. Pass the id of "
            f"one as the sync type."
        )
