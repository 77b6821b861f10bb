"""Engines for SQLite and PostgreSQL, and transactions that say whether they write.

Guarantees:

- What was committed survives a power cut.
- A transaction that writes locks other writers out from its beginning, so that nothing it has read
  is outdated when it writes. Readers wait for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    ExceptionContext,
    Text,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from managed_sync.errors import MissingExtraError

__all__ = [
    "database_url",
    "postgresql_engine",
    "required_texts",
    "sqlite_engine",
    "sqlite_url",
    "write_transaction",
]

_PSYCOPG = "postgresql+psycopg"
# In every connection: readers do not wait for a writer, and a commit is on the disk.
_JOURNAL = {"journal_mode": "WAL"}
_PRAGMAS = {"synchronous": "FULL"}


def required_texts(*names: str) -> list[Column[str]]:
    """Returns columns for texts that no row lacks."""
    return [Column(name, Text, nullable=False) for name in names]


def sqlite_url(file: str | Path) -> URL:
    """Returns the URL of an SQLite file."""
    return URL.create("sqlite", database=str(file))


def database_url(text: str) -> URL | None:
    """Reads the URL of a database; returns ``None`` for a text that is not one.

    PostgreSQL without a named driver gets psycopg.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return None
    return url.set(drivername=_PSYCOPG) if url.drivername == "postgresql" else url


def sqlite_engine(
    url: URL,
    *,
    patience: float,
    pragmas: Mapping[str, object],
    is_read_only: bool = False,
    **options: Any,
) -> Engine:
    """Makes the engine of an SQLite file.

    Args:
        url: Of the file.
        patience: Seconds that a statement waits for other writers.
        pragmas: Settings of each connection, besides those that every database here has.
        is_read_only: Its connections only read. They take the file as it is, since the kind of its
            journal is written into it.
        options: For SQLAlchemy.
    """
    engine = create_engine(
        url, connect_args={"timeout": patience, "check_same_thread": False}, **options
    )

    settings = {**({} if is_read_only else _JOURNAL), **_PRAGMAS, **pragmas}

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions at moments of its own choice.
        connection.isolation_level = None
        cursor = connection.cursor()
        for name, value in settings.items():
            cursor.execute(f"PRAGMA {name} = {value}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if (seconds := connection.get_execution_options().get("patience")) is None:
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def postgresql_engine(
    url: URL,
    *,
    feature: str,
    connect_args: Mapping[str, object],
    before_write: Callable[[Connection, float], None] | None = None,
    **options: Any,
) -> Engine:
    """Makes the engine of a PostgreSQL database.

    Args:
        url: Of the database.
        feature: What needs it, for the error where the driver is missing.
        connect_args: Options of each connection; those in the URL override them.
        before_write: Called at the beginning of a transaction that writes, with its patience.
        options: For SQLAlchemy.

    Raises:
        MissingExtraError: The driver is not installed.
    """
    if url.get_driver_name() == "psycopg" and not find_spec("psycopg"):
        raise MissingExtraError(feature, "postgres")
    defaults = {name: value for name, value in connect_args.items() if name not in url.query}
    engine = create_engine(url, connect_args=defaults, **options)

    @event.listens_for(engine, "handle_error")
    def _on_error(failed: ExceptionContext) -> None:
        # While PostgreSQL ends a connection, the test of it before use may fail with any error,
        # such as that it is still busy. Whatever the error is, a new connection takes its place.
        if failed.is_pre_ping:
            failed.is_disconnect = True

    if before_write is not None:

        @event.listens_for(engine, "begin")
        def _on_begin(connection: Connection) -> None:
            if (seconds := connection.get_execution_options().get("patience")) is not None:
                before_write(connection, seconds)

    return engine


@contextmanager
def write_transaction(connection: Connection, patience: float) -> Iterator[None]:
    """Runs a block as one transaction that writes: whole, or not at all when the block raises.

    Args:
        connection: Not in a transaction.
        patience: Seconds to wait for other writers.

    Raises:
        OperationalError: Another writer was not done in time.
    """
    connection.execution_options(patience=patience)
    try:
        with connection.begin():
            yield
    finally:
        connection.execution_options(patience=None)
