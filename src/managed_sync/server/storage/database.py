"""The connection to the database, and its transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from managed_sync.errors import ConfigurationError
from managed_sync.server.storage.tables import metadata

__all__ = ["Database"]

_LAYOUT = 1
_BUSY_SECONDS = 60


class Database:
    """The server's database in one file.

    Readers see the last committed state and never wait for a writer.

    Args:
        path: The file; made when missing.

    Raises:
        ConfigurationError: The file cannot be used, or another version of this package wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._engine = _engine(path)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.writing() as connection:
                layout = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                if layout not in {0, _LAYOUT}:
                    raise ConfigurationError(
                        f"{path} was written by another version of this package; delete it, "
                        "and enable the pipelines again."
                    )
                metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {_LAYOUT}")
        except (OSError, DatabaseError) as error:
            self.close()
            reason = error.strerror if isinstance(error, OSError) else error.orig
            raise ConfigurationError(
                f"Cannot use the database {path}: {reason}. Choose another state folder, or "
                "delete the file and enable the pipelines again."
            ) from None
        except ConfigurationError:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from begin to end."""
        with self._engine.connect() as connection, connection.begin():
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


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # More than the threads that serve requests and run syncs, so that none of them waits.
        pool_size=8,
        max_overflow=-1,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _entry: ConnectionPoolEntry) -> None:
        _configure(connection)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        exclusive = connection.get_execution_options().get("exclusive", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")

    return engine


def _configure(connection: object) -> None:
    # The driver would begin transactions at moments of its own choice.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    # A revocation that was answered for must survive a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
