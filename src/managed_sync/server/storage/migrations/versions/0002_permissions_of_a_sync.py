"""Adds the permissions.yaml that the last sync of a pipeline followed.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the column; a pipeline without a digest is published again with the next sync."""
    op.add_column("pipelines", sa.Column("permissions", sa.Text))
