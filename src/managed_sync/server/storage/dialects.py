"""Statements that SQLite and PostgreSQL write differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import JSON, Connection, Select, Table, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["Insert", "rows_of", "upsert"]

Insert: TypeAlias = sqlite.Insert | postgresql.Insert


def upsert(connection: Connection, table: Table) -> Insert:
    """Returns an INSERT statement that supports ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def rows_of(connection: Connection, values: Sequence[str]) -> Select[tuple[str]]:
    """Returns strings as rows, sent as one parameter, so that their number hits no limit."""
    document = literal(list(values), JSON())
    if connection.dialect.name == "postgresql":
        return select(func.json_array_elements_text(document).column_valued())
    return select(func.json_each(document).table_valued("value").c.value)
