"""Scopes in the database."""

from __future__ import annotations

from sqlalchemy import Connection, select

from managed_sync.server.domain import Scope
from managed_sync.server.storage.dialects import upsert
from managed_sync.server.storage.tables import scopes

__all__ = ["ensure_scope", "find_scope"]


def find_scope(connection: Connection, scope: Scope) -> int | None:
    """Returns the number of a scope; ``None`` if it never enabled a pipeline."""
    return connection.execute(
        select(scopes.c.id).where(
            scopes.c.project_id == scope.project_id, scopes.c.user_id == scope.user_id
        )
    ).scalar_one_or_none()


def ensure_scope(connection: Connection, scope: Scope) -> int:
    """Returns the number of a scope, and assigns one if it has none."""
    connection.execute(
        upsert(connection, scopes).values(**scope._asdict()).on_conflict_do_nothing()
    )
    number = find_scope(connection, scope)
    if number is None:
        raise LookupError(scope)
    return number
