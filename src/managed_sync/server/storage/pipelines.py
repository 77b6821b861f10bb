"""The enabled pipelines in the database, with the result of their last sync."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, delete, select, update

from managed_sync.models import SyncState
from managed_sync.server.domain import PipelineName, RelationChanges, RelationTuple, Scope
from managed_sync.server.storage.dialects import upsert
from managed_sync.server.storage.scopes import ensure_scope
from managed_sync.server.storage.tables import pipelines, records, relations, scopes

__all__ = [
    "StoredPipeline",
    "delete_pipeline",
    "disable_pipeline",
    "enable_pipeline",
    "find_pipeline",
    "pipeline_at_work",
    "pipelines_of_project",
    "pipelines_of_scope",
    "removed_relations",
    "save_failure",
    "save_permissions",
    "save_started",
    "save_success",
]


@dataclass(frozen=True)
class StoredPipeline:
    """An enabled pipeline, as it is stored."""

    id: int
    scope_id: int
    scope: Scope
    name: PipelineName
    frequency: str | None
    configuration_name: str | None
    created_at: datetime
    updated_at: datetime
    status: SyncState
    last_synced_at: datetime | None
    record_count: int
    error: str | None
    warnings: tuple[str, ...]
    version: int
    permissions: str | None


def enable_pipeline(
    connection: Connection,
    scope: Scope,
    name: PipelineName,
    frequency: str | None = None,
    configuration_name: str | None = None,
) -> StoredPipeline:
    """Enables a pipeline; options that are not given keep their earlier values."""
    now = _now()
    options = {"frequency": frequency, "configuration_name": configuration_name}
    changes = {"status": SyncState.SYNCING.value, "updated_at": now}
    connection.execute(
        upsert(connection, pipelines)
        .values(
            scope_id=ensure_scope(connection, scope),
            **name._asdict(),
            **options,
            **changes,
            created_at=now,
        )
        .on_conflict_do_update(
            index_elements=["scope_id", "integration", "sync_type"],
            set_={
                **changes,
                **{key: value for key, value in options.items() if value is not None},
            },
        )
    )
    pipeline = find_pipeline(connection, scope, name)
    if pipeline is None:
        raise LookupError(name)
    return pipeline


def find_pipeline(
    connection: Connection, scope: Scope, name: PipelineName
) -> StoredPipeline | None:
    """Returns a pipeline by its name; ``None`` if it is not enabled."""
    return _one(
        connection,
        scopes.c.project_id == scope.project_id,
        scopes.c.user_id == scope.user_id,
        pipelines.c.integration == name.integration,
        pipelines.c.sync_type == name.sync_type,
    )


def pipeline_at_work(connection: Connection, pipeline_id: int) -> StoredPipeline | None:
    """Returns a pipeline by its number; ``None`` if it was deleted or disabled."""
    return _one(
        connection, pipelines.c.id == pipeline_id, pipelines.c.status != SyncState.DISABLED.value
    )


def pipelines_of_project(connection: Connection, project_id: str) -> list[StoredPipeline]:
    """Returns the pipelines of all users of a project."""
    rows = connection.execute(_pipelines().where(scopes.c.project_id == project_id))
    return [_pipeline(row) for row in rows.mappings()]


def pipelines_of_scope(connection: Connection, scope: Scope) -> list[StoredPipeline]:
    """Returns the pipelines of a connected user, in the order in which they were first enabled."""
    rows = connection.execute(
        _pipelines()
        .where(scopes.c.project_id == scope.project_id, scopes.c.user_id == scope.user_id)
        .order_by(pipelines.c.id)
    )
    return [_pipeline(row) for row in rows.mappings()]


def disable_pipeline(connection: Connection, pipeline: StoredPipeline) -> None:
    """Disables a pipeline; its records stay as they are."""
    _save(connection, pipeline.id, status=SyncState.DISABLED.value, updated_at=_now())


def delete_pipeline(connection: Connection, pipeline: StoredPipeline) -> None:
    """Deletes a pipeline with its records and grants; the last one with the groups, too."""
    connection.execute(delete(relations).where(_relations_to_remove(connection, pipeline)))
    connection.execute(delete(records).where(records.c.pipeline_id == pipeline.id))
    connection.execute(delete(pipelines).where(pipelines.c.id == pipeline.id))


def removed_relations(connection: Connection, pipeline: StoredPipeline) -> RelationChanges:
    """Returns the tuples that deleting a pipeline removes from its scope."""
    rows = connection.execute(
        select(relations.c.object, relations.c.relation, relations.c.subject).where(
            _relations_to_remove(connection, pipeline)
        )
    )
    return RelationChanges(removed=[RelationTuple(*row) for row in rows], added=())


def _relations_to_remove(connection: Connection, pipeline: StoredPipeline) -> ColumnElement[bool]:
    own = relations.c.scope_id == pipeline.scope_id
    others = select(pipelines.c.id).where(
        pipelines.c.scope_id == pipeline.scope_id, pipelines.c.id != pipeline.id
    )
    if connection.execute(others).first() is None:
        return own
    return own & (relations.c.pipeline_id == pipeline.id)


def save_started(connection: Connection, pipeline_id: int) -> None:
    """Saves that a sync is running."""
    _save(connection, pipeline_id, status=SyncState.SYNCING.value)


def save_success(
    connection: Connection,
    pipeline_id: int,
    *,
    version: int,
    permissions: str,
    record_count: int,
    warnings: Sequence[str],
    status: SyncState = SyncState.IDLE,
) -> None:
    """Saves that a sync was published.

    Args:
        connection: A connection in the transaction that publishes the sync.
        pipeline_id: The pipeline.
        version: The number of syncs of it that were published, including this one.
        permissions: The digest of the ``permissions.yaml`` in force.
        record_count: The number of records.
        warnings: Sentences about items and grants that were left out.
        status: ``SYNCING`` if another pipeline's sync published it and its own is still to come.
    """
    _save(
        connection,
        pipeline_id,
        version=version,
        permissions=permissions,
        status=status.value,
        last_synced_at=_now(),
        record_count=record_count,
        error=None,
        warnings=json.dumps(list(warnings)),
    )


def save_permissions(connection: Connection, pipeline_id: int, permissions: str) -> None:
    """Saves the ``permissions.yaml`` that the records of a disabled pipeline follow now."""
    _save(connection, pipeline_id, permissions=permissions)


def save_failure(connection: Connection, pipeline_id: int, error: str) -> None:
    """Saves that a sync failed; the state of the sync before it stays in force."""
    if pipeline_at_work(connection, pipeline_id) is not None:
        _save(connection, pipeline_id, status=SyncState.ERROR.value, error=error)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _save(connection: Connection, pipeline_id: int, **values: object) -> None:
    connection.execute(update(pipelines).where(pipelines.c.id == pipeline_id).values(**values))


def _pipelines() -> Select[tuple[object, ...]]:
    return select(pipelines, scopes.c.project_id, scopes.c.user_id).join(
        scopes, scopes.c.id == pipelines.c.scope_id
    )


def _one(connection: Connection, *conditions: ColumnElement[bool]) -> StoredPipeline | None:
    row = connection.execute(_pipelines().where(*conditions)).mappings().one_or_none()
    return None if row is None else _pipeline(row)


def _pipeline(values: RowMapping) -> StoredPipeline:
    last_synced_at = values["last_synced_at"]
    return StoredPipeline(
        id=values["id"],
        scope_id=values["scope_id"],
        scope=Scope(values["project_id"], values["user_id"]),
        name=PipelineName(values["integration"], values["sync_type"]),
        frequency=values["frequency"],
        configuration_name=values["configuration_name"],
        created_at=datetime.fromisoformat(values["created_at"]),
        updated_at=datetime.fromisoformat(values["updated_at"]),
        status=SyncState(values["status"]),
        last_synced_at=datetime.fromisoformat(last_synced_at) if last_synced_at else None,
        record_count=values["record_count"],
        error=values["error"],
        warnings=tuple(json.loads(values["warnings"])),
        version=values["version"],
        permissions=values["permissions"],
    )
