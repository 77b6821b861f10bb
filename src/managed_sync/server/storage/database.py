"""The connection to the database, and its transactions.

See ``docs/decisions/0030-server-storage.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError

from managed_sync.backoff import poll
from managed_sync.errors import ConfigurationError, StateInUseError
from managed_sync.private_files import private_database
from managed_sync.server.failures import database_failure
from managed_sync.server.storage.migration import migrate
from managed_sync.sql import (
    database_url,
    postgresql_engine,
    sqlite_engine,
    sqlite_url,
    write_transaction,
)

__all__ = ["Database"]

# Seconds for which a transaction that writes waits for others, unless the caller sets another time.
_PATIENCE_SECONDS = 60.0
# SQLite's own page cache is smaller than the indexes of a large graph; this maps the file instead.
_SQLITE_PRAGMAS = {"foreign_keys": "ON", "mmap_size": 1 << 30}
# More connections than threads, so that none of them waits; and error messages, which may be
# logged, without the values of a statement.
_OPTIONS: dict[str, Any] = {"pool_size": 8, "max_overflow": -1, "hide_parameters": True}
# The advisory lock of writers in PostgreSQL; in SQLite they lock the file.
_WRITERS = 7_083_650_211
# The advisory lock that the only server of a PostgreSQL database holds.
_SERVER = 7_083_650_212
_RESERVATION_SECONDS = 3.0
# Every wait for PostgreSQL has an end: for a connection as well as for each statement.
_POSTGRESQL_OPTIONS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": "-c statement_timeout=60s -c lock_timeout=60s",
}
# Publishing a large sync is a few statements over all of its rows.
_PUBLISHING_TIMEOUT = "30min"


class Database:
    """The server's database: a file of SQLite, or PostgreSQL.

    Readers see the last committed state and never wait for a writer. Opening it migrates the
    tables to the schema of this version.

    Args:
        place: The file, created if it is missing; or a URL such as ``postgresql://user@host/name``.

    Raises:
        ConfigurationError: The database cannot be used, or another version of this package wrote
            it.
        MissingExtraError: The driver of PostgreSQL is not installed.
    """

    def __init__(self, place: Path | str) -> None:
        url = _url(place)
        self._reservation: _Reservation | None = None
        self._engine = _engine(url)
        self._snapshots = (
            self._engine
            if self._engine.dialect.name == "sqlite"
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        shown = place if isinstance(place, Path) else url.render_as_string(hide_password=True)
        try:
            if isinstance(place, Path):
                private_database(place)
            with self.writing(_PATIENCE_SECONDS) as connection:
                migrate(connection, shown)
        except (OSError, DatabaseError) as error:
            self.close()
            explained = _explained(error, is_file=isinstance(place, Path))
            raise ConfigurationError(f"Cannot use the database {shown}: {explained}") from None
        except ConfigurationError:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Opens a transaction that sees one state of the database from begin to end."""
        with self._snapshots.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, patience: float = _PATIENCE_SECONDS) -> Iterator[Connection]:
        """Opens a transaction that writes, and is rolled back if the block raises.

        Args:
            patience: Seconds to wait for other writers.

        Raises:
            OperationalError: Other writers did not finish in this time.
        """
        with self._engine.connect() as connection, self.exclusively(connection, patience):
            yield connection

    @contextmanager
    def exclusively(
        self, connection: Connection, patience: float = _PATIENCE_SECONDS
    ) -> Iterator[None]:
        """Opens a transaction that writes, on an existing connection.

        It locks other writers out from its begin, so that nothing it reads is outdated.
        """
        with write_transaction(connection, patience):
            yield

    def reserve(self) -> None:
        """Reserves this database for one server until it is closed.

        An SQLite file needs no reservation: the lock of its state folder covers it.

        Raises:
            StateInUseError: Another server uses the database.
        """
        if self._engine.dialect.name == "postgresql":
            self._reservation = _Reservation(self._engine)

    def renew_reservation(self) -> None:
        """Renews the reservation if its connection broke, which frees PostgreSQL's lock.

        Raises:
            StateInUseError: Another server took over.
        """
        if self._reservation is not None:
            self._reservation.renew()

    def connect(self) -> Connection:
        """Returns a connection for several transactions; the caller closes it."""
        return self._engine.connect()

    def close(self) -> None:
        """Closes all connections."""
        if self._reservation is not None:
            self._reservation.end()
        self._engine.dispose()


def _explained(error: OSError | DatabaseError, *, is_file: bool) -> str:
    if is_file and isinstance(error, DatabaseError) and (failure := database_failure(error)):
        # A locked database must not be reported as one to delete.
        return str(failure)
    reason = error.strerror if isinstance(error, OSError) else error.orig
    remedy = (
        "Choose another state folder, or delete the file and enable the pipelines again."
        if is_file
        else "Check that it runs, and the name, address and password in its URL."
    )
    return f"{reason}. {remedy}"


def _url(place: Path | str) -> URL:
    if isinstance(place, Path):
        return sqlite_url(place)
    url = database_url(place)
    if url is None or url.get_backend_name() != "postgresql":
        # The URL is not repeated, since it may contain a password.
        raise ConfigurationError(
            "The database must be a URL such as postgresql://user:password@host/name; leave it "
            "out to keep everything in one file of the state folder."
        )
    return url.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return sqlite_engine(url, patience=_PATIENCE_SECONDS, pragmas=_SQLITE_PRAGMAS, **_OPTIONS)
    return postgresql_engine(
        url,
        feature="PostgreSQL",
        connect_args=_POSTGRESQL_OPTIONS,
        before_write=_lock_writers_out,
        pool_pre_ping=True,
        **_OPTIONS,
    )


def _lock_writers_out(connection: Connection, patience: float) -> None:
    for name, value in {
        "lock_timeout": f"{round(patience * 1000)}ms",
        "statement_timeout": _PUBLISHING_TIMEOUT,
    }.items():
        connection.exec_driver_sql(f"SET LOCAL {name} = '{value}'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


class _Reservation:
    """A connection that holds the lock of a PostgreSQL database's one server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._connection = self._reserved()

    def renew(self) -> None:
        with self._lock:
            try:
                self._connection.exec_driver_sql("SELECT 1")
            except DBAPIError:
                self.end()
                self._connection = self._reserved()

    def end(self) -> None:
        # Not returned to the pool, since the lock belongs to the connection.
        self._connection.invalidate()
        self._connection.close()

    def _reserved(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        question = f"SELECT pg_try_advisory_lock({_SERVER})"
        # PostgreSQL needs a moment to notice that a server was killed.
        if not poll(
            lambda: bool(connection.exec_driver_sql(question).scalar_one()),
            seconds=_RESERVATION_SECONDS,
            every=0.1,
        ):
            connection.close()
            place = self._engine.url.render_as_string(hide_password=True)
            raise StateInUseError(
                f"The database {place} is in use by another server. Stop that server, or give "
                "this one a database of its own."
            )
        return connection
