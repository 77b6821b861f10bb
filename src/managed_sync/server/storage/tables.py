"""The tables of the database; every row belongs to a scope, a connected user of a project.

A change here needs a migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint

from managed_sync.sql import required_texts

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

# The order of bytes, which is SQLite's own, whatever the language of the database.
_Ordered = Text().with_variant(Text(collation="C"), "postgresql")

scopes = Table(
    "scopes",
    metadata,
    Column("id", Integer, primary_key=True),
    *required_texts("project_id", "user_id"),
    UniqueConstraint("project_id", "user_id"),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope_id", ForeignKey("scopes.id"), nullable=False),
    *required_texts("integration", "sync_type"),
    Column("frequency", Text),
    Column("configuration_name", Text),
    *required_texts("created_at", "updated_at", "status"),
    Column("last_synced_at", Text),
    Column("record_count", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("warnings", Text, nullable=False, default="[]"),
    # The number of published syncs; a record's ``changed`` is the sync that changed it last.
    Column("version", Integer, nullable=False, default=0),
    # The digest of the permissions.yaml that the last published sync followed.
    Column("permissions", Text),
    UniqueConstraint("scope_id", "integration", "sync_type"),
    # A number is never reused, since a sync may outlive the pipeline it was started for.
    sqlite_autoincrement=True,
)


def _record_columns() -> list[Column[Any]]:
    return [
        Column("id", Text, primary_key=True),
        Column("scope_id", Integer, nullable=False),
        Column("pipeline_id", Integer, nullable=False),
        Column("source_id", _Ordered, nullable=False),
        *required_texts("object"),
        Column("parent_object", Text),
        *required_texts("data"),
        Column("permissions", Text, nullable=False, default="{}"),
        Column("updated_at", Text),
        Column("version", Text),
        Column("digest", Text),
        Column("location", Text),
        Column("changed", Integer, nullable=False, default=0),
    ]


def _relation_columns() -> list[Column[Any]]:
    return [
        Column("scope_id", Integer, primary_key=True),
        *(Column(name, Text, primary_key=True) for name in ("object", "relation", "subject")),
        # NULL for members of groups, which belong to no single pipeline.
        Column("pipeline_id", Integer),
    ]


records = Table(
    "records",
    metadata,
    *_record_columns(),
    UniqueConstraint("pipeline_id", "source_id"),
    Index("records_by_change", "pipeline_id", "changed", "source_id"),
)

relations = Table(
    "relations",
    metadata,
    *_relation_columns(),
    Index("relations_by_subject", "scope_id", "subject", "relation", "object"),
    Index("relations_by_pipeline", "scope_id", "pipeline_id"),
    sqlite_with_rowid=False,
)

# A sync gathers rows in temporary tables of its connection, which lock nobody out.
staged_records = Table(
    "staged_records",
    staging_metadata,
    *_record_columns(),
    UniqueConstraint("pipeline_id", "source_id"),
    prefixes=["TEMPORARY"],
)
staged_relations = Table(
    "staged_relations", staging_metadata, *_relation_columns(), prefixes=["TEMPORARY"]
)
