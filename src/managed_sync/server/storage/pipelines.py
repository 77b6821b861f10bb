"""Pipelines in the database: which are enabled, and how their last sync ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.dialects.sqlite import insert

from managed_sync.models import SyncState
from managed_sync.server.scope import PipelineName, Scope
from managed_sync.server.storage.scopes import ensure_scope
from managed_sync.server.storage.tables import pipelines, scopes

__all__ = [
    "Pipeline",
    "enable_pipeline",
    "find_pipeline",
    "get_pipeline",
    "pipelines_of_project",
    "save_failure",
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
    status: SyncState
    last_synced_at: datetime | None
    record_count: int
    error: str | None
    warnings: tuple[str, ...]


def enable_pipeline(
    connection: Connection, scope: Scope, name: PipelineName, frequency: str | None
) -> Pipeline:
    """Enables a pipeline; one that is enabled keeps its frequency unless another is given."""
    statement = insert(pipelines).values(
        scope_id=ensure_scope(connection, scope),
        **name._asdict(),
        frequency=frequency,
        status=SyncState.SYNCING.value,
    )
    changes = {"status": SyncState.SYNCING.value}
    if frequency is not None:
        changes["frequency"] = frequency
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["scope_id", "integration", "sync_type"], set_=changes
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


def get_pipeline(connection: Connection, pipeline_id: int) -> Pipeline:
    """A pipeline by its number."""
    return _pipeline(connection.execute(_pipelines().where(pipelines.c.id == pipeline_id)).one())


def pipelines_of_project(connection: Connection, project_id: str) -> list[Pipeline]:
    """All enabled pipelines of a project, of whichever user."""
    rows = connection.execute(_pipelines().where(scopes.c.project_id == project_id))
    return [_pipeline(row) for row in rows]


def save_started(connection: Connection, pipeline_id: int) -> None:
    """Notes that a sync is under way."""
    _save(connection, pipeline_id, status=SyncState.SYNCING.value)


def save_success(
    connection: Connection, pipeline_id: int, *, record_count: int, warnings: Sequence[str]
) -> None:
    """Notes that a sync is done."""
    _save(
        connection,
        pipeline_id,
        status=SyncState.IDLE.value,
        last_synced_at=datetime.now(UTC).isoformat(),
        record_count=record_count,
        error=None,
        warnings=json.dumps(list(warnings)),
    )


def save_failure(connection: Connection, pipeline_id: int, error: str) -> None:
    """Notes that a sync failed; what the one before it brought stays true."""
    _save(connection, pipeline_id, status=SyncState.ERROR.value, error=error)


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
        status=SyncState(values["status"]),
        last_synced_at=datetime.fromisoformat(last_synced_at) if last_synced_at else None,
        record_count=values["record_count"],
        error=values["error"],
        warnings=tuple(json.loads(values["warnings"])),
    )
