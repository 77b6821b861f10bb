"""The first tables.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "scopes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.UniqueConstraint("project_id", "user_id"),
    )
    op.create_table(
        "pipelines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("scope_id", sa.Integer, sa.ForeignKey("scopes.id"), nullable=False),
        sa.Column("integration", sa.Text, nullable=False),
        sa.Column("sync_type", sa.Text, nullable=False),
        sa.Column("frequency", sa.Text),
        sa.Column("configuration_name", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("last_synced_at", sa.Text),
        sa.Column("record_count", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("warnings", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("scope_id", "integration", "sync_type"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "records",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scope_id", sa.Integer, nullable=False),
        sa.Column("pipeline_id", sa.Integer, nullable=False),
        sa.Column("source_id", _ordered, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("parent_object", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("permissions", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("location", sa.Text),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.UniqueConstraint("pipeline_id", "source_id"),
    )
    op.create_index("records_by_change", "records", ["pipeline_id", "changed", "source_id"])
    op.create_table(
        "relations",
        sa.Column("scope_id", sa.Integer, primary_key=True),
        sa.Column("object", sa.Text, primary_key=True),
        sa.Column("relation", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("pipeline_id", sa.Integer),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "relations_by_subject", "relations", ["scope_id", "subject", "relation", "object"]
    )
    op.create_index("relations_by_pipeline", "relations", ["scope_id", "pipeline_id"])
