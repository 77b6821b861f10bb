"""The connection to the database, and its transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.private_files import private_database
from managed_sync.server.storage.migration import migrate

__all__ = ["Database"]

_BUSY_SECONDS = 60
# SQLite's own page cache is smaller than a large graph's indexes; this is the operating system's.
_MAPPED_BYTES = 1 << 30
# More than the threads that serve requests and run syncs, so that none of them waits; and no
# message of an error, which may be logged, with the values that were asked about or stored.
_OPTIONS = {"pool_size": 8, "max_overflow": -1, "hide_parameters": True}
# What those who write wait for in PostgreSQL, as they wait for the file in SQLite.
_WRITERS = 7_083_650_211


class Database:
    """The server's database: a file of SQLite, or PostgreSQL.

    Readers see the last committed state and never wait for a writer. The tables are brought to
    this version's form when it is opened.

    Args:
        place: The file, made when missing; or a URL such as ``postgresql://user@host/name``.

    Raises:
        ConfigurationError: It cannot be used, or another version of this package wrote it.
        MissingExtraError: It is PostgreSQL, and its driver is not installed.
    """

    def __init__(self, place: Path | str) -> None:
        url = _url(place)
        self._engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
        self._snapshots = (
            self._engine
            if url.get_backend_name() == "sqlite"
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        shown = place if isinstance(place, Path) else url.render_as_string(hide_password=True)
        try:
            if isinstance(place, Path):
                private_database(place)
            with self.writing() as connection:
                migrate(connection, shown)
        except (OSError, DatabaseError) as error:
            self.close()
            reason = error.strerror if isinstance(error, OSError) else error.orig
            remedy = (
                "Choose another state folder, or delete the file and enable the pipelines again."
                if isinstance(place, Path)
                else "Check that it runs, and the name, address and password in its URL."
            )
            raise ConfigurationError(
                f"Cannot use the database {shown}: {reason}. {remedy}"
            ) from None
        except ConfigurationError:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from begin to end."""
        with self._snapshots.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; whole, or not at all when the block raises."""
        with self._engine.connect() as connection, self.exclusively(connection):
            yield connection

    @contextmanager
    def exclusively(self, connection: Connection) -> Iterator[None]:
        """A transaction that writes, on a connection that is already there.

        It locks other writers out from its begin, so that nothing it reads is outdated.
        """
        connection.execution_options(exclusive=True)
        try:
            with connection.begin():
                yield
        finally:
            connection.execution_options(exclusive=False)

    def connect(self) -> Connection:
        """A connection for several transactions; to be closed."""
        return self._engine.connect()

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()


def _url(place: Path | str) -> URL:
    if isinstance(place, Path):
        return URL.create("sqlite", database=str(place))
    try:
        url = make_url(place)
    except ArgumentError:
        url = URL.create("unknown")
    if url.get_backend_name() != "postgresql":
        # Not repeated, for it may hold a password.
        raise ConfigurationError(
            "The database must be a URL such as postgresql://user:password@host/name; leave it "
            "out to keep everything in one file of the state folder."
        )
    return url.set(drivername="postgresql+psycopg")


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, **_OPTIONS, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _entry: ConnectionPoolEntry) -> None:
        _configure(connection)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _is_exclusive(connection) else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(url, **_OPTIONS, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise MissingExtraError("PostgreSQL", "postgres") from None

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if _is_exclusive(connection):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")

    return engine


def _is_exclusive(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("exclusive", False))


def _configure(connection: object) -> None:
    # The driver would begin transactions at moments of its own choice.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    # A revocation that was answered for must survive a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
    cursor.close()
