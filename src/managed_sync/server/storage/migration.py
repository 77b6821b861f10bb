"""Brings a database to the schema of this version of the package.

A new database gets the tables of the code at once, without loading Alembic, which takes longer than
everything else at a server's first start. Older ones run the missing migrations. A test compares
the two.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect

from managed_sync.errors import ConfigurationError
from managed_sync.server.storage.tables import metadata

__all__ = ["HEAD", "migrate", "run_migrations"]

# Written here, so that a current database opens without loading Alembic.
HEAD = "0002"
_SCRIPTS = Path(__file__).parent / "migrations"

# Alembic's own table.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def migrate(connection: Connection, shown: object) -> None:
    """Creates the tables of a new database, or runs the missing migrations: all, or none.

    Args:
        connection: A connection in a transaction that locks other writers out.
        shown: The name of the database in messages.

    Raises:
        ConfigurationError: A newer version of this package wrote it, or one without migrations.
    """
    tables = set(inspect(connection).get_table_names())
    if _version.name in tables:
        found = connection.execute(_version.select()).scalar_one_or_none()
        if found != HEAD:
            run_migrations(connection, shown, found)
    elif "scopes" in tables:
        raise ConfigurationError(
            f"{shown} was written by another version of this package; delete it, and enable the "
            "pipelines again."
        )
    else:
        _create(connection)


def run_migrations(
    connection: Connection, shown: object, found: str | None, to: str = HEAD
) -> None:
    """Runs the migrations from one revision to another; ``None`` is a database without tables.

    Raises:
        ConfigurationError: A newer version of this package wrote the database.
    """
    from alembic import command  # noqa: PLC0415 - takes longer than opening the database
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError:
        raise ConfigurationError(
            f"{shown} was written by a newer version of this package (its schema is {found!r}, "
            f"this version knows {HEAD!r}); use that version."
        ) from None


def _create(connection: Connection) -> None:
    for tables in (metadata, _version.metadata):
        # A table of these names that is there already is an error, not one to be used.
        tables.create_all(connection, checkfirst=False)
    connection.execute(_version.insert().values(version_num=HEAD))
