"""The wire format of the hosted service's documented API.

There a pipeline has an id, and the paths of records and permissions are below it. This client's
record ids and object ids contain that id. Only a call that names a pipeline by integration and sync
type looks the id up: once, and again if the pipeline is not found or gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from managed_sync.client.settings import DEFAULT_BASE_URLS
from managed_sync.client.wire.base import Caller, Operation
from managed_sync.client.wire.entity_lists import EntityList
from managed_sync.client.wire.hosted import permissions as hosted_permissions
from managed_sync.client.wire.hosted import syncs as hosted_syncs
from managed_sync.client.wire.hosted.syncs import HostedPipeline
from managed_sync.client.wire.request import Request
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

__all__ = ["HostedApi"]

T = TypeVar("T")

_logger = get_logger("managed_sync.client")

# The types of objects that the service decides about; only one kind of pipeline has them.
_OBJECT_TYPES = ("file", "folder")
_PIPELINE_WITH_PERMISSIONS = "files"
_MAX_USERS = 1000
# The status codes of a sync without permissions.
_WITHOUT_PERMISSIONS = frozenset({400, 404})


class HostedApi:
    """The operations of the hosted service. Safe to share between threads.

    No path contains the project, which is the audience of the token.
    """

    default_base_url = DEFAULT_BASE_URLS["hosted"]
    # Objects are listed as a stream without a limit, whose end cannot be told from a cut.
    list_limit = None

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._syncs: tuple[HostedPipeline, ...] = ()

    def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Program[SyncStatus]:
        """Creates a sync, or enables the existing one; never creates a second one."""
        if frequency is not None:
            raise ConfigurationError(
                "frequency must be None for the hosted API, which chooses its own: leave it out."
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
        """Returns the status of a sync."""
        return self._of_sync(integration, sync_type, hosted_syncs.get_status)

    def list_records(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Program[RecordPage]:
        """Returns one page of a sync's records."""
        return self._of_sync(
            integration,
            sync_type,
            lambda sync: hosted_syncs.list_records(sync, cursor),
            # A cursor of the old sync leads nowhere in a new one.
            of_any=cursor is None,
        )

    def get_record(self, record_id: str) -> Program[SyncedRecord]:
        """Returns one record, with the names of its pipeline."""
        record = RecordOfSync.parse(record_id)
        sync = self._known(record.sync)
        if sync is None:
            yield from self._refresh()
            sync = self._known(record.sync)
        if sync is None:
            raise NotFoundError(
                f"The hosted API lists no sync {record.sync}: the record {record_id} was removed "
                f"with it, or belongs to another connected user.",
                status=404,
            )
        return (yield from self._caller.call(hosted_syncs.get_record(sync, record)))

    def download_content(self, record_id: str) -> Request:
        """Returns the request alone, since its response is streamed."""
        return hosted_syncs.content_request(RecordOfSync.parse(record_id))

    def check_access(self, check: AccessCheck) -> Program[bool]:
        """Returns one decision."""
        return self._caller.call(hosted_permissions.check_access(check))

    def batch_of(self, check: AccessCheck) -> str | None:
        """Returns the sync of the object, since a batch is sent to one sync."""
        try:
            return hosted_permissions.record_of(check.object).sync
        except InvalidIdentifierError:
            return None

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]:
        """Builds a request for decisions about objects of one sync."""
        return hosted_permissions.batch_check_access(checks)

    def list_users(self, object_id: str, relation: str) -> Program[list[str]]:
        """Returns the users, of whom the service lists 1,000 and has no way to ask for more."""
        users = yield from self._caller.call(hosted_permissions.list_users(object_id, relation))
        if len(users) >= _MAX_USERS:
            _logger.warning(
                "The API lists %d users of an object, its limit: there may be more.", len(users)
            )
        return users

    def list_objects(
        self, subject: str, relation: str, object_type: str | None
    ) -> Program[list[str]]:
        """Returns the objects of every sync with permissions, as the service lists them now."""
        if object_type not in {None, *_OBJECT_TYPES}:
            raise InvalidIdentifierError(
                f"object_type must be {' or '.join(_OBJECT_TYPES)} for the hosted API, got "
                f"{object_type!r}."
            )
        types = _OBJECT_TYPES if object_type is None else (object_type,)
        # Never from memory: objects of a sync added since then would be missing without a trace.
        yield from self._refresh()
        asked = [
            self._listed_or_refused(sync, kind, subject, relation)
            for sync in self._syncs
            if lower_ascii(sync.pipeline) == _PIPELINE_WITH_PERMISSIONS
            for kind in types
        ]
        results = yield from self._caller.gather(asked)
        refusals = [each for each in results if not isinstance(each, EntityList)]
        if refusals and len(refusals) == len(results):
            raise refusals[0]
        lists = [each for each in results if isinstance(each, EntityList)]
        return EntityList(chain(*lists), is_whole=all(each.is_whole for each in lists))

    def expand(self, check: AccessCheck) -> Program[RelationshipNode]:
        """Returns the tree of a relation, which decides nothing about the subject."""
        return self._caller.call(hosted_permissions.expand(check))

    def _of_sync(
        self,
        integration: str,
        sync_type: str,
        operation: Callable[[HostedPipeline], Operation[T]],
        *,
        of_any: bool = True,
    ) -> Program[T]:
        """Runs an operation on a sync, which it looks up if the sync is unknown or gone."""
        sync = self._find(integration, sync_type)
        is_fresh = sync is None
        if sync is None:
            sync = yield from self._looked_up(integration, sync_type)
        try:
            return (yield from self._caller.call(operation(sync)))
        except NotFoundError:
            newer = sync if is_fresh else (yield from self._looked_up(integration, sync_type))
            if newer.id == sync.id or not of_any:
                raise
            return (yield from self._caller.call(operation(newer)))

    def _looked_up(self, integration: str, sync_type: str) -> Program[HostedPipeline]:
        yield from self._refresh()
        sync = self._find(integration, sync_type)
        if sync is None:
            raise NotFoundError(
                f"The hosted API has no sync of {integration} {sync_type} for this connected user: "
                f"enable it first.",
                status=404,
            )
        return sync

    def _refresh(self) -> Program[None]:
        self._syncs = tuple((yield from self._caller.call(hosted_syncs.list_syncs())))

    def _listed_or_refused(
        self, sync: HostedPipeline, object_type: str, subject: str, relation: str
    ) -> Program[EntityList | BadRequestError | NotFoundError]:
        """Lists a sync's objects, or returns the error of a sync without permissions."""
        try:
            operation = hosted_permissions.list_objects(sync.id, object_type, subject, relation)
            return (yield from self._caller.call(operation))
        except (BadRequestError, NotFoundError) as error:
            is_from_proxy = isinstance(error, NotFoundError) and not error.is_from_api
            if error.status not in _WITHOUT_PERMISSIONS or is_from_proxy:
                raise
            _logger.warning(
                "The sync %s of %s lists no objects (%d): nobody can find anything in it.",
                sync.id,
                sync.integration,
                error.status,
            )
            return error

    def _known(self, sync_id: str) -> HostedPipeline | None:
        return next((sync for sync in self._syncs if sync.id == sync_id), None)

    def _find(self, integration: str, sync_type: str) -> HostedPipeline | None:
        """Returns the sync of a name; of several syncs, the only enabled one."""
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
