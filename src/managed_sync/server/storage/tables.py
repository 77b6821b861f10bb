"""The tables. Every row belongs to a scope: one connected user of one project."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "metadata",
    "pipelines",
    "records",
    "relations",
    "scopes",
    "staged_records",
    "staged_relations",
    "staging_metadata",
]

metadata = MetaData()
staging_metadata = MetaData()

scopes = Table(
    "scopes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    UniqueConstraint("project_id", "user_id"),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope_id", ForeignKey("scopes.id"), nullable=False),
    Column("integration", Text, nullable=False),
    Column("sync_type", Text, nullable=False),
    Column("frequency", Text),
    Column("status", Text, nullable=False),
    Column("last_synced_at", Text),
    Column("record_count", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("warnings", Text, nullable=False, default="[]"),
    UniqueConstraint("scope_id", "integration", "sync_type"),
)


def _record_columns() -> list[Column[Any]]:
    return [
        Column("id", Text, primary_key=True),
        Column("scope_id", Integer, nullable=False),
        Column("pipeline_id", Integer, nullable=False),
        Column("source_id", Text, nullable=False),
        Column("object", Text, nullable=False),
        Column("parent_object", Text),
        Column("data", Text, nullable=False),
        Column("permissions", Text, nullable=False, default="{}"),
        Column("updated_at", Text),
        Column("version", Text),
        Column("digest", Text),
        Column("location", Text),
    ]


def _relation_columns() -> list[Column[Any]]:
    return [
        Column("scope_id", Integer, primary_key=True),
        Column("object", Text, primary_key=True),
        Column("relation", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        # Empty for the members of groups, which belong to no single pipeline.
        Column("pipeline_id", Integer),
    ]


records = Table(
    "records",
    metadata,
    *_record_columns(),
    UniqueConstraint("pipeline_id", "source_id"),
)

relations = Table(
    "relations",
    metadata,
    *_relation_columns(),
    Index("relations_by_subject", "scope_id", "subject", "relation", "object"),
    Index("relations_by_pipeline", "scope_id", "pipeline_id"),
    sqlite_with_rowid=False,
)

# A sync gathers here, in the connection's own temporary tables, which lock nobody out.
staged_records = Table(
    "staged_records",
    staging_metadata,
    *_record_columns(),
    UniqueConstraint("source_id"),
    prefixes=["TEMPORARY"],
)
staged_relations = Table(
    "staged_relations", staging_metadata, *_relation_columns(), prefixes=["TEMPORARY"]
)
