"""The SQLite file of a keyword index: its tables, and transactions that read or write.

Guarantees:

- A transaction that stops anywhere leaves the file as it was before.
- Reading never writes and waits for no writer; it sees the state before or after a transaction.
- No connection outlives its transaction, so threads and forked processes share none.
- The file is readable by its owner alone.
- A file that is empty, or whose tables a stopped process did not finish, counts as not written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool
from sqlalchemy.exc import SQLAlchemyError

from managed_sync.errors import ConfigurationError, KeywordIndexError
from managed_sync.keywords.tables import DamagedFileError, metadata
from managed_sync.private_files import private_database
from managed_sync.sql import sqlite_engine, sqlite_url, write_transaction

__all__ = ["SCHEMA_VERSION", "KeywordDatabase"]

SCHEMA_VERSION = 2
"""The version of the tables and of the analysis of texts. Change it with either."""

_APPLICATION_ID = 0x6D736B77
_PATIENCE_SECONDS = 60.0
_PRAGMAS = {"temp_store": "MEMORY"}


class KeywordDatabase:
    """The file of a keyword index.

    Args:
        file: The file; it is made by the first transaction that writes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._writer = _engine(sqlite_url(file))
        # The file's name may hold characters that mean something in a URI.
        uri = f"file:{quote(str(file.absolute()))}"
        query = {"mode": "ro", "uri": "true"}
        self._reader = _engine(URL.create("sqlite", database=uri, query=query), is_read_only=True)
        # It undoes what a process that was stopped left half written, where the file has a journal.
        self._undoing_reader = _engine(sqlite_url(file), is_read_only=True)
        self._journal = file.with_name(f"{file.name}-journal")

    @property
    def exists(self) -> bool:
        """Returns whether the file exists."""
        return self.file.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Runs a block as a transaction that reads.

        Raises:
            KeywordIndexError: Nothing was ever written, or the file cannot be read.
        """
        with self.reading_if_written() as connection:
            if connection is None:
                raise KeywordIndexError(
                    f"There is no keyword index {self.file}. Pass keywords=KeywordIndex(...) to "
                    f"IndexSync and run it; or correct the path."
                )
            yield connection

    @contextmanager
    def reading_if_written(self) -> Iterator[Connection | None]:
        """Runs a block as a transaction that reads; without one if nothing was ever written.

        Raises:
            KeywordIndexError: The file cannot be read.
        """
        if not self.exists:
            yield None
            return
        # Only a file that is being made, or that was made otherwise, has a journal of this kind.
        reader = self._undoing_reader if self._journal.exists() else self._reader
        with self._errors("read"), reader.connect() as connection, connection.begin():
            yield connection if self._version(connection) else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Runs a block as a transaction that writes: whole and on disk, or not at all.

        Raises:
            KeywordIndexError: The file cannot be written.
        """
        with self._errors("written"):
            private_database(self.file)
            with (
                self._writer.connect() as connection,
                write_transaction(connection, _PATIENCE_SECONDS),
            ):
                if not self._version(connection):
                    metadata.create_all(connection)
                    connection.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION_ID}")
                    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
                yield connection

    def _version(self, connection: Connection) -> int:
        """Returns the schema version of the file; 0 for an empty file."""
        if not connection.exec_driver_sql("PRAGMA schema_version").scalar():
            return 0
        kind = connection.exec_driver_sql("PRAGMA application_id").scalar()
        version = connection.exec_driver_sql("PRAGMA user_version").scalar()
        if kind != _APPLICATION_ID:
            raise ConfigurationError(
                f"{self.file} is an SQLite file of another kind. Give the keyword index a file of "
                f"its own."
            )
        if version != SCHEMA_VERSION:
            raise KeywordIndexError(
                f"The keyword index {self.file} was written by another version of this package "
                f"(schema version {version}; this one knows {SCHEMA_VERSION}). Use that version; "
                f"or remove the file and run IndexSync, which fills it again without embedding."
            )
        return SCHEMA_VERSION

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        """Turns errors of the database and the disk into ``KeywordIndexError``."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError, DamagedFileError) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise KeywordIndexError(
                f"The keyword index {self.file} cannot be {action} ({reason}). If it is damaged, "
                f"remove it and run IndexSync, which fills it again without embedding."
            ) from None


def _engine(url: URL, *, is_read_only: bool = False) -> Engine:
    return sqlite_engine(
        url,
        patience=_PATIENCE_SECONDS,
        pragmas=_PRAGMAS,
        is_read_only=is_read_only,
        poolclass=NullPool,
    )
