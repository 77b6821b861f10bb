"""The ledger's tables. Their names have a prefix, since a server's database may hold others."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from managed_sync.sql import required_texts

__all__ = ["listed", "metadata", "pipelines", "records", "schema_versions", "staging_metadata"]

metadata = MetaData()
staging_metadata = MetaData()

schema_versions = Table(
    "managed_sync_layout",
    metadata,
    Column("version", Integer, nullable=False),
)

pipelines = Table(
    "managed_sync_pipelines",
    metadata,
    Column("id", Integer, primary_key=True),
    *required_texts("project_id", "integration", "sync_type"),
    # The settings that the index was built with, as JSON; empty until the first run.
    Column("settings", Text),
    # The cursor after which the API lists changes, if it offers that.
    Column("cursor", Text),
    Column("compared_at", Float),
    # The user whose token the records were read with, where that is known.
    Column("connected_user", Text),
    # The holder of the lock; means nothing unless the lock is held.
    Column("holder", Text),
    UniqueConstraint("project_id", "integration", "sync_type"),
)

records = Table(
    "managed_sync_records",
    metadata,
    Column("pipeline_id", ForeignKey(pipelines.c.id), primary_key=True),
    Column("record_id", Text, primary_key=True),
    *required_texts("state"),
    # Of the record as it was last worked on, whether that went well or not.
    Column("version", Text),
    # Of the document that was made of it.
    Column("digest", Text),
    # Every chunk that may be in the index: id to hashes, as JSON; null where it is not certain.
    Column("chunks", Text, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("error", Text),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Float),
    Index("managed_sync_records_by_state", "pipeline_id", "state"),
)

# The listing of a run, in a table that lives as long as its connection.
listed = Table(
    "managed_sync_listed",
    staging_metadata,
    Column("record_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("is_new", Boolean, nullable=False),
    # The record as JSON; empty where there is nothing to do.
    Column("record", Text),
    prefixes=["TEMPORARY"],
)
Index("managed_sync_listed_by_position", listed.c.position)
