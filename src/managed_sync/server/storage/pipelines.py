"""Pipelines in the database: which are enabled, and how their last sync ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, select, update

from managed_sync.models import SyncState
from managed_sync.server.domain import PipelineName, RelationChanges, RelationTuple, Scope
from managed_sync.server.storage.dialects import upsert
from managed_sync.server.storage.scopes import ensure_scope
from managed_sync.server.storage.tables import pipelines, records, relations, scopes

__all__ = [
    "Pipeline",
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
class Pipeline:
    """One enabled pipeline, as it is stored."""

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
) -> Pipeline:
    """Enables a pipeline; what is not given stays as it is when it was enabled before."""
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


def find_pipeline(connection: Connection, scope: Scope, name: PipelineName) -> Pipeline | None:
    """A pipeline by its name; ``None`` when it is not enabled."""
    row = connection.execute(
        _pipelines().where(
            scopes.c.project_id == scope.project_id,
            scopes.c.user_id == scope.user_id,
            pipelines.c.integration == name.integration,
            pipelines.c.sync_type == name.sync_type,
        )
    ).one_or_none()
    return None if row is None else _pipeline(row)


def pipeline_at_work(connection: Connection, pipeline_id: int) -> Pipeline | None:
    """A pipeline by its number; ``None`` when it was deleted or disabled."""
    row = connection.execute(
        _pipelines().where(
            pipelines.c.id == pipeline_id, pipelines.c.status != SyncState.DISABLED.value
        )
    ).one_or_none()
    return None if row is None else _pipeline(row)


def pipelines_of_project(connection: Connection, project_id: str) -> list[Pipeline]:
    """All pipelines of a project, of whichever user."""
    rows = connection.execute(_pipelines().where(scopes.c.project_id == project_id))
    return [_pipeline(row) for row in rows]


def pipelines_of_scope(connection: Connection, scope: Scope) -> list[Pipeline]:
    """All pipelines of a connected user, in the order in which they were first enabled."""
    rows = connection.execute(
        _pipelines()
        .where(scopes.c.project_id == scope.project_id, scopes.c.user_id == scope.user_id)
        .order_by(pipelines.c.id)
    )
    return [_pipeline(row) for row in rows]


def disable_pipeline(connection: Connection, pipeline: Pipeline) -> None:
    """Stops a pipeline; the records that it brought stay as they are."""
    _save(connection, pipeline.id, status=SyncState.DISABLED.value, updated_at=_now())


def delete_pipeline(connection: Connection, pipeline: Pipeline) -> None:
    """Removes a pipeline with its records and grants; with the last one, the groups too."""
    connection.execute(delete(relations).where(_relations_to_remove(connection, pipeline)))
    connection.execute(delete(records).where(records.c.pipeline_id == pipeline.id))
    connection.execute(delete(pipelines).where(pipelines.c.id == pipeline.id))


def removed_relations(connection: Connection, pipeline: Pipeline) -> RelationChanges:
    """What deleting a pipeline does to the tuples of its scope."""
    rows = connection.execute(
        select(relations.c.object, relations.c.relation, relations.c.subject).where(
            _relations_to_remove(connection, pipeline)
        )
    )
    return RelationChanges(removed=[RelationTuple(*row) for row in rows], added=())


def _relations_to_remove(connection: Connection, pipeline: Pipeline) -> ColumnElement[bool]:
    own = relations.c.scope_id == pipeline.scope_id
    others = select(pipelines.c.id).where(
        pipelines.c.scope_id == pipeline.scope_id, pipelines.c.id != pipeline.id
    )
    if connection.execute(others).first() is None:
        return own
    return own & (relations.c.pipeline_id == pipeline.id)


def save_started(connection: Connection, pipeline_id: int) -> None:
    """Notes that a sync is under way."""
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
    """Notes that a sync is done, which version of the records it made, and under what.

    Args:
        connection: In the transaction that publishes the sync.
        pipeline_id: The pipeline.
        version: How many syncs of it were published, this one included.
        permissions: The digest of the ``permissions.yaml`` that holds.
        record_count: How many records there are.
        warnings: Sentences about what was left out.
        status: ``SYNCING`` where another sync published it and its own is still to come.
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
    """Notes that a disabled pipeline's records are under another ``permissions.yaml`` now."""
    _save(connection, pipeline_id, permissions=permissions)


def save_failure(connection: Connection, pipeline_id: int, error: str) -> None:
    """Notes that a sync failed; what the one before it brought stays true."""
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


def _pipeline(row: Row[tuple[object, ...]]) -> Pipeline:
    values = row._mapping
    last_synced_at = values["last_synced_at"]
    return Pipeline(
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
