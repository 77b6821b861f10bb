"""Migrates a database to the schema of this version of the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from managed_sync.errors import ConfigurationError

__all__ = ["HEAD", "migrate"]

# Written here, so that a current database opens without loading Alembic.
HEAD = "0002"
_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(connection: Connection, shown: object) -> None:
    """Runs the missing migrations of a database, all of them or none.

    Args:
        connection: A connection in a transaction that locks other writers out.
        shown: The name of the database in messages.

    Raises:
        ConfigurationError: A newer version of this package wrote it, or one without migrations.
    """
    found = _revision(connection, shown)
    if found == HEAD:
        return
    from alembic import command  # noqa: PLC0415 - takes longer than opening the database
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError:
        raise ConfigurationError(
            f"{shown} was written by a newer version of this package (its schema is {found!r}, "
            f"this version knows {HEAD!r}); use that version."
        ) from None


def _revision(connection: Connection, shown: object) -> str | None:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        revision: str | None = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar_one_or_none()
        return revision
    if "scopes" in tables:
        raise ConfigurationError(
            f"{shown} was written by another version of this package; delete it, and enable the "
            "pipelines again."
        )
    return None
