"""One sync of one pipeline: from the source to records and permission graph.

Guarantees:

- A sync is published as a whole or not at all: records, their grants and the groups change in
  one transaction. A failure before its end leaves everything as it was. An engine outside the
  database gets the changes at its end, and answers no question until it has them.
- A published state existed at one moment: ``permissions.yaml`` is read before the source is
  listed and is the same in the publishing transaction, and a second look at the source shows
  the same. Otherwise the sync begins again, and fails in the end.
- All pipelines of a scope follow one ``permissions.yaml``, since they share its groups. After
  it has changed, the next sync of any of them publishes all of them.
- Nothing opens by accident: protected items must be found (see ``snapshot``), wide openings
  must be confirmed (see ``openings``), and a file that opens anything must not be half written.
- Of two syncs, the one that ends last has listed last: a sync that was overtaken begins again.

See ``docs/decisions/0008-server-sync.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import sleep

from sqlalchemy import Connection

from managed_sync.backoff import Backoff
from managed_sync.errors import PermissionsFileError, SourceError
from managed_sync.models import SyncState
from managed_sync.server.domain import KnownContent
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.sources.folder import FolderSource, Moment, MovingError
from managed_sync.server.sources.model import Contents, ListingContext
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import (
    StoredPipeline,
    pipeline_at_work,
    pipelines_of_scope,
    save_permissions,
    save_success,
)
from managed_sync.server.storage.records import known_contents, known_items
from managed_sync.server.sync.grant_compiler import GrantCompiler
from managed_sync.server.sync.openings import (
    Readers,
    groups_with_new_members,
    openings,
    require_confirmation,
)
from managed_sync.server.sync.snapshot import PipelineSnapshot
from managed_sync.server.sync.staging import Staging, staging_tables
from managed_sync.server.sync.warnings import SyncWarnings

__all__ = ["PipelineGoneError", "synchronize"]

# The waits before new attempts while the source is being changed.
_BACKOFF = Backoff(first=0.05)
_ATTEMPTS = 6


class PipelineGoneError(Exception):
    """The pipeline was disabled or deleted during its sync."""


def synchronize(
    database: Database,
    engine: PermissionEngine,
    source: FolderSource,
    pipeline: StoredPipeline,
    *,
    keep_going: Callable[[], None],
    progress: Callable[[int], None],
    contents: Contents | None = None,
    wait: Callable[[float], object] = sleep,
) -> None:
    """Brings a pipeline's records and permissions up to date with its source.

    Args:
        database: Stores records and permissions.
        engine: Evaluates the permissions.
        source: Provides records and permissions.
        pipeline: The pipeline.
        keep_going: Called between any two reads of the source; raises to abandon the sync.
        progress: Called with the number of records read so far.
        contents: Takes a copy of every content; ``None`` if contents stay in the source.
        wait: Waits for some seconds while the source is being changed.

    Raises:
        SourceError: The source cannot be read completely or keeps changing, its permissions are
            malformed, or they would open records without confirmation.
        PipelineGoneError: The pipeline was disabled or deleted.
        PermissionEngineError: The engine did not accept the changes.
    """
    sync = _Sync(database, engine, source, pipeline, keep_going, progress, contents, wait)
    for retries in range(_ATTEMPTS):
        with suppress(MovingError):
            sync.attempt(strict=True)
            return
        keep_going()
        wait(_BACKOFF.wait(retries))
    try:
        sync.attempt(strict=False)
    except MovingError as error:
        raise SourceError(f"{error} What was synced before stays in force.") from None


@dataclass
class _Sync:
    _database: Database
    _engine: PermissionEngine
    _source: FolderSource
    _pipeline: StoredPipeline
    _keep_going: Callable[[], None]
    _progress: Callable[[int], None]
    _contents: Contents | None
    _wait: Callable[[float], object]
    # Contents that were read once need not be read again at the next attempt.
    _known: dict[int, dict[str, KnownContent]] = field(default_factory=dict)

    def attempt(self, *, strict: bool) -> None:
        """Syncs once.

        Args:
            strict: Whether any change of the source fails the attempt, or only a move or removal.

        Raises:
            MovingError: The source or the database has changed meanwhile.
        """
        self._keep_going()
        moment = self._source.moment()
        with self._database.connect() as connection, staging_tables(connection):
            staging = Staging(connection, self._pipeline.scope_id)
            with connection.begin():
                snapshots, unlisted = self._list(connection, staging, moment, strict=strict)
                self._stage_permissions(staging, moment, snapshots, unlisted)
            self._publish(connection, staging, moment, snapshots, unlisted)

    def _list(
        self, connection: Connection, staging: Staging, moment: Moment, *, strict: bool
    ) -> tuple[list[PipelineSnapshot], list[StoredPipeline]]:
        """Lists this pipeline, and those that still follow an older ``permissions.yaml``."""
        snapshots, unlisted = [], []
        for pipeline in self._concerned(moment):
            is_own = pipeline.id == self._pipeline.id
            snapshot = self._snapshot(pipeline, staging)
            listing = ListingContext(
                self._known[pipeline.id], snapshot.warnings.add, self._keep_going, self._contents
            )
            try:
                snapshot.stage_records(
                    listing, self._known[pipeline.id], self._progress if is_own else _ignore
                )
            except SourceError as error:
                if is_own or isinstance(error, PermissionsFileError):
                    raise
                staging.drop(pipeline)
                unlisted.append(pipeline)
                continue
            if pipeline.status is SyncState.DISABLED:
                staging.drop_new_records(pipeline)
            snapshots.append(snapshot)
        for snapshot in snapshots:
            snapshot.require_unmoved(self._keep_going, strict=strict)
        return snapshots, unlisted

    def _concerned(self, moment: Moment) -> list[StoredPipeline]:
        with self._database.reading() as connection:
            found = pipelines_of_scope(connection, self._pipeline.scope)
        own = [pipeline for pipeline in found if pipeline.id == self._pipeline.id]
        others = [
            pipeline
            for pipeline in found
            if pipeline.id != self._pipeline.id and _differs(pipeline, moment)
        ]
        if not own:
            raise PipelineGoneError
        return [*own, *others]

    def _snapshot(self, pipeline: StoredPipeline, staging: Staging) -> PipelineSnapshot:
        with self._database.reading() as connection:
            known = known_items(connection, pipeline)
            if pipeline.id not in self._known:
                self._known[pipeline.id] = known_contents(connection, pipeline)
        return PipelineSnapshot(self._source, pipeline, staging, known)

    def _stage_permissions(
        self,
        staging: Staging,
        moment: Moment,
        snapshots: Sequence[PipelineSnapshot],
        unlisted: Sequence[StoredPipeline],
    ) -> None:
        warnings = snapshots[0].warnings
        groups = GrantCompiler(moment.permissions, warnings.add)
        staging.add_relations(None, list(groups.members()))
        for snapshot in snapshots:
            compiler = GrantCompiler(moment.permissions, snapshot.warnings.add)
            snapshot.stage_permissions(moment.permissions, compiler)
            snapshot.close_links(lambda: Readers(staging.relations()))
        has_changed = any(_differs(snapshot.pipeline, moment) for snapshot in snapshots)
        changes = {
            path: objects
            for snapshot in snapshots
            for path, objects in snapshot.object_changes(all_of_them=has_changed).items()
        }
        if not changes and not unlisted:
            return
        before, after = Readers(staging.published_relations()), Readers(staging.relations())
        _keep_safe(staging, unlisted, groups_with_new_members(before, after), warnings)
        opened = openings(before, after, changes)
        require_confirmation(opened, moment.permissions)
        if opened and not moment.ends_whole:
            raise PermissionsFileError(
                "permissions.yaml does not end with a line break, so it may be half written, and "
                f"it would open {opened[0].path}. Nothing was published; what was synced before "
                "stays in force. End the last line of the file."
            )
        if has_changed and (opened or any(snapshot.has_new_items() for snapshot in snapshots)):
            self._wait(self._source.seconds_to_settle(moment))

    def _publish(
        self,
        connection: Connection,
        staging: Staging,
        moment: Moment,
        snapshots: Sequence[PipelineSnapshot],
        unlisted: Sequence[StoredPipeline],
    ) -> None:
        self._keep_going()
        with (
            self._engine.publishing(self._pipeline.scope) as publication,
            self._database.exclusively(connection),
        ):
            if pipeline_at_work(connection, self._pipeline.id) is None:
                raise PipelineGoneError
            pipelines = [*(snapshot.pipeline for snapshot in snapshots), *unlisted]
            current = {
                pipeline.id: pipeline
                for pipeline in pipelines_of_scope(connection, self._pipeline.scope)
            }
            self._require_unchanged(moment, pipelines, current)
            publication.stage(lambda: staging.relation_changes(pipelines))
            staging.publish_relations(pipelines)
            for snapshot in snapshots:
                if current[snapshot.pipeline.id].status is SyncState.DISABLED:
                    save_permissions(connection, snapshot.pipeline.id, moment.digest)
                    continue
                version = snapshot.pipeline.version + 1
                staging.publish_records(snapshot.pipeline, version)
                save_success(
                    connection,
                    snapshot.pipeline.id,
                    version=version,
                    permissions=moment.digest,
                    record_count=staging.count_records(snapshot.pipeline),
                    warnings=snapshot.warnings.sentences(),
                    status=self._status_after(current[snapshot.pipeline.id]),
                )

    def _require_unchanged(
        self,
        moment: Moment,
        pipelines: Sequence[StoredPipeline],
        current: dict[int, StoredPipeline],
    ) -> None:
        if self._source.moment().mark != moment.mark:
            raise MovingError("permissions.yaml was changed during each attempt to sync.")
        listed = {pipeline.id: pipeline for pipeline in pipelines}
        for pipeline in listed.values():
            now = current.get(pipeline.id)
            # A disabled pipeline keeps its records, so it must not have changed since the listing.
            if now is None or (now.version, now.status is SyncState.DISABLED) != (
                pipeline.version,
                pipeline.status is SyncState.DISABLED,
            ):
                raise MovingError(
                    f"Another sync of {pipeline.name} was published during each attempt."
                )
        for now in current.values():
            if now.id not in listed and _differs(now, moment):
                raise MovingError(f"A sync of {now.name} was published during each attempt.")

    def _status_after(self, pipeline: StoredPipeline) -> SyncState:
        is_own = pipeline.id == self._pipeline.id
        is_syncing = pipeline.status is SyncState.SYNCING
        return SyncState.SYNCING if is_syncing and not is_own else SyncState.IDLE


def _differs(pipeline: StoredPipeline, moment: Moment) -> bool:
    """Returns whether a pipeline has records that follow another ``permissions.yaml``."""
    return pipeline.version > 0 and pipeline.permissions != moment.digest


def _keep_safe(
    staging: Staging,
    unlisted: Sequence[StoredPipeline],
    groups: Sequence[str],
    warnings: SyncWarnings,
) -> None:
    """Keeps the grants of pipelines that cannot be listed, except to groups with new members."""
    for pipeline in unlisted:
        staging.keep_relations(pipeline, except_to=groups)
        warnings.add(
            f"{pipeline.name} cannot be listed, so its records keep their permissions; grants to "
            "groups that have new members are withdrawn until it can be synced again."
        )


def _ignore(_read: int) -> None:
    pass
