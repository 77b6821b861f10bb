"""The ledger's database: one connection, its transactions, and the version of its schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing.ledger import migrations
from managed_sync.indexing.ledger.tables import metadata, schema_versions
from managed_sync.private_files import private_database
from managed_sync.sql import (
    database_url,
    postgresql_engine,
    sqlite_engine,
    sqlite_url,
    write_transaction,
)

__all__ = ["ADVISORY_LOCKS", "LedgerDatabase"]

# The first of the two numbers that make a lock in PostgreSQL; says that it is this package's.
ADVISORY_LOCKS = 0x6D73
_PATIENCE_SECONDS = 60
_SQLITE_PRAGMAS = {"temp_store": "FILE"}
# A host that is gone without a word must not keep its locks for hours.
_POSTGRESQL_OPTIONS = {
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
    "connect_timeout": 30,
}


class LedgerDatabase:
    """One connection to a ledger, whose tables are made or migrated first.

    Args:
        place: A file for SQLite, or a URL such as ``postgresql+psycopg://user@host/database``.

    Raises:
        IndexingError: It cannot be used, or a newer version of this package wrote it.
        ConfigurationError: The URL cannot be read, or is of another kind of database.
        MissingExtraError: It is PostgreSQL, and its driver is not installed.
    """

    def __init__(self, place: str | Path) -> None:
        url = _url(place)
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self.name = str(self.file) if self.file else url.render_as_string(hide_password=True)
        self._engine = self._new_engine(url)
        self._session: object = None
        with self._errors():
            if self.file:
                private_database(self.file)
            self.connection = self._engine.connect()
            self._session = self.connection.connection.dbapi_connection
        try:
            with self.writing():
                self._migrate()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Runs a block as a transaction that reads; it may also write temporary tables."""
        with self._errors(), self.connection.begin():
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Runs a block as a transaction that writes: whole and on disk, or not at all."""
        with self._errors(), write_transaction(self.connection, _PATIENCE_SECONDS):
            yield self.connection

    def require_connection(self) -> None:
        """Makes sure that the connection is the one that holds the locks.

        Raises:
            IndexingError: It was lost, and the locks with it.
        """
        if self.file is None:
            with self.reading() as connection:
                connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes the connection, which ends its locks and its temporary tables."""
        self.connection.close()
        self._engine.dispose()

    def _new_engine(self, url: URL) -> Engine:
        if self.file:
            return sqlite_engine(url, patience=_PATIENCE_SECONDS, pragmas=_SQLITE_PRAGMAS)
        return postgresql_engine(
            url, feature=f"The ledger {self.name}", connect_args=_POSTGRESQL_OPTIONS
        )

    def _migrate(self) -> None:
        if self.file is None:
            # Two that begin at the same time would both make the tables.
            self.connection.execute(
                text("SELECT pg_advisory_xact_lock(:space, 0)"), {"space": ADVISORY_LOCKS}
            )
        tables = set(inspect(self.connection).get_table_names())
        if schema_versions.name in tables:
            version: int = self.connection.execute(schema_versions.select()).scalar_one()
        else:
            version = migrations.version_without_number(tables) if tables else 0
        if version > migrations.SCHEMA_VERSION:
            raise IndexingError(
                f"The ledger {self.name} was written by a newer version of this package (schema "
                f"version {version}; this one knows {migrations.SCHEMA_VERSION}). Use that "
                f"version."
            )
        if version < migrations.SCHEMA_VERSION:
            metadata.create_all(self.connection)
            if version:
                migrations.migrate(self.connection, version)
            self.connection.execute(schema_versions.delete())
            self.connection.execute(
                schema_versions.insert().values(version=migrations.SCHEMA_VERSION)
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns errors of the database and the disk into ``IndexingError``."""
        # SQLAlchemy would connect again, without the locks that the lost connection had.
        if self._session is not None and (
            self.connection.invalidated
            or self.connection.connection.dbapi_connection is not self._session
        ):
            raise self._lost()
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            if self._session is not None and self.connection.invalidated:
                raise self._lost() from None
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise IndexingError(
                f"The ledger {self.name} cannot be used ({reason}). What the index holds is "
                f"still there, and the next run goes on. If the ledger is damaged, remove it "
                f"together with the index, and index again."
            ) from None

    def _lost(self) -> IndexingError:
        return IndexingError(
            f"The connection to the ledger {self.name} was lost, and with it the lock that keeps "
            f"other runs away: another run may be at work, so this one has stopped. Run again; "
            f"the next run goes on."
        )


def _url(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in place:
        return sqlite_url(place)
    url = database_url(place)
    if url is None:
        raise ConfigurationError(
            "The ledger's URL cannot be read; it should look like "
            "'postgresql+psycopg://user:password@host/database'."
        )
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            f"A ledger must be an SQLite file or a PostgreSQL database, got "
            f"{url.get_backend_name()}."
        )
    if url.get_backend_name() == "sqlite" and not url.database:
        raise ConfigurationError("A ledger in memory would forget the index; name a file.")
    return url
