"""Versions of the schema of the ledger's tables, and the ways from each to the next.

The schema version goes up by one with every change to ``tables``, which then needs a function here
that migrates the tables and rows of the version before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from itertools import groupby

from sqlalchemy import Connection, inspect, text

from managed_sync.indexing.ledger.tables import pipelines, records

__all__ = ["SCHEMA_VERSION", "migrate", "version_without_number"]

SCHEMA_VERSION = 3

_WITHOUT_A_NUMBER = 1
_WITHOUT_USERS = 2
_ROWS_AT_ONCE = 500


def version_without_number(tables: Collection[str]) -> int:
    """Returns the version of a database that has no number; 0 if there is no ledger in it."""
    return _WITHOUT_A_NUMBER if {"records", "chunks"} <= set(tables) else 0


def migrate(connection: Connection, version: int) -> None:
    """Moves the rows of a ledger of an older version into the tables of today."""
    for step in range(version, SCHEMA_VERSION):
        _STEPS[step](connection)


def _from_rows_of_chunks(connection: Connection) -> None:
    """Turns two tables, with a row for each chunk, into one row for each record."""
    for (name,) in connection.execute(text("SELECT DISTINCT pipeline FROM records")).all():
        project_id, integration, sync_type = name.rsplit("/", 2)
        pipeline_id = connection.execute(
            pipelines.insert()
            .values(project_id=project_id, integration=integration, sync_type=sync_type)
            .returning(pipelines.c.id)
        ).scalar_one()
        found = connection.execute(
            text(
                "SELECT record_id, version, failure, chunk_id "
                "FROM records LEFT JOIN chunks USING (pipeline, record_id) "
                "WHERE pipeline = :name ORDER BY record_id"
            ),
            {"name": name},
        )
        rows = []
        for (record_id, version, failure), each in groupby(found, key=lambda row: row[:3]):
            chunks = {chunk_id: None for *_, chunk_id in each if chunk_id is not None}
            state = "failed" if failure else "indexed" if version else "pending"
            rows.append(
                {
                    "pipeline_id": pipeline_id,
                    "record_id": record_id,
                    "state": state,
                    # A failure was not of this version, which is the one before it.
                    "version": None if failure else version,
                    "chunks": json.dumps(chunks),
                    "chunk_count": len(chunks),
                    "title": record_id,
                    "error": failure,
                    "attempts": 1 if failure else 0,
                }
            )
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            connection.execute(records.insert(), rows[start : start + _ROWS_AT_ONCE])
    for table in ("chunks", "records"):
        connection.execute(text(f"DROP TABLE {table}"))


def _add_the_connected_user(connection: Connection) -> None:
    """Adds the column, unless the tables were made just now; empty, it is filled by a run."""
    columns = {column["name"] for column in inspect(connection).get_columns(pipelines.name)}
    if "connected_user" not in columns:
        connection.execute(text(f"ALTER TABLE {pipelines.name} ADD COLUMN connected_user TEXT"))


_STEPS: dict[int, Callable[[Connection], None]] = {
    _WITHOUT_A_NUMBER: _from_rows_of_chunks,
    _WITHOUT_USERS: _add_the_connected_user,
}
