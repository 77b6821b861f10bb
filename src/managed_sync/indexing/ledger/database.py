"""The ledger's database: the connection, its transactions, and the layout of its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from managed_sync.errors import ConfigurationError, IndexingError, MissingExtraError
from managed_sync.indexing.ledger import migrations
from managed_sync.indexing.ledger.tables import layouts, metadata
from managed_sync.private_files import private_database

__all__ = ["ADVISORY_LOCKS", "LedgerDatabase"]

# The first of the two numbers that make a lock in PostgreSQL; says that it is this package's.
ADVISORY_LOCKS = 0x6D73
_BUSY_SECONDS = 60
# A host that is gone without a word must not keep its locks for hours.
_KEEPALIVES = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


class LedgerDatabase:
    """One connection to a ledger, whose tables are made or brought up to date first.

    Args:
        place: A file for SQLite, or a URL such as ``postgresql+psycopg://user@host/database``.

    Raises:
        IndexingError: It cannot be used, or a newer version of this package wrote it.
        ConfigurationError: The URL makes no sense, or is of another kind of database.
    """

    def __init__(self, place: str | Path) -> None:
        url = _url(place)
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self.name = str(self.file) if self.file else url.render_as_string(hide_password=True)
        self._engine = _engine(url, self.name)
        self._session: object = None
        with self._errors():
            if self.file:
                private_database(self.file)
            self.connection = self._engine.connect()
            self._session = self.connection.connection.dbapi_connection
        try:
            with self.writing():
                self._prepare()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads; it may also write tables of this connection's own."""
        self._refuse_another_session()
        with self._errors(), self.connection.begin():
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: whole and on disk when it ends, or not at all."""
        self._refuse_another_session()
        self.connection.execution_options(exclusive=True)
        try:
            with self._errors(), self.connection.begin():
                yield self.connection
        finally:
            self.connection.execution_options(exclusive=False)

    def require_connection(self) -> None:
        """Makes sure that the connection is the one that holds the locks.

        Raises:
            IndexingError: It was lost, and the locks with it.
        """
        if self.file is None:
            with self.reading() as connection:
                connection.execute(text("SELECT 1"))

    def _refuse_another_session(self) -> None:
        # SQLAlchemy would connect again, without the locks that the lost connection had.
        if (
            self.connection.invalidated
            or self.connection.connection.dbapi_connection is not self._session
        ):
            raise self._lost()

    def _lost(self) -> IndexingError:
        return IndexingError(
            f"The connection to the ledger {self.name} was lost, and with it the lock that keeps "
            f"other runs away: another run may be at work, so this one has stopped. Run again; "
            f"the next run goes on."
        )

    def close(self) -> None:
        """Closes the connection, which ends its locks and its temporary tables."""
        self.connection.close()
        self._engine.dispose()

    def _prepare(self) -> None:
        if self.file is None:
            # Two that begin at the same time would both make the tables.
            self.connection.execute(
                text("SELECT pg_advisory_xact_lock(:space, 0)"), {"space": ADVISORY_LOCKS}
            )
        layout = self._layout()
        if layout > migrations.LAYOUT:
            raise IndexingError(
                f"The ledger {self.name} was written by a newer version of this package (layout "
                f"{layout}; this one knows {migrations.LAYOUT}). Use that version."
            )
        if layout == migrations.LAYOUT:
            return
        metadata.create_all(self.connection)
        migrations.bring_up_to_date(self.connection, layout)
        self.connection.execute(layouts.delete())
        self.connection.execute(layouts.insert().values(version=migrations.LAYOUT))

    def _layout(self) -> int:
        tables = set(inspect(self.connection).get_table_names())
        if layouts.name in tables:
            found: int = self.connection.execute(layouts.select()).scalar_one()
            return found
        return migrations.layout_of_others(tables)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns what the database and the disk raise into ``IndexingError``."""
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            if self._session is not None and self.connection.invalidated:
                raise self._lost() from None
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise IndexingError(
                f"The ledger {self.name} cannot be used ({reason}). What the index holds is still "
                f"there, and the next run goes on. If the ledger is damaged, remove it together "
                f"with the index, and index anew."
            ) from None


def _url(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(place))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "The ledger's URL cannot be read; it should look like "
            "'postgresql+psycopg://user:password@host/database'."
        ) from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            f"A ledger can be an SQLite file or PostgreSQL, not {url.get_backend_name()}."
        )
    if url.get_backend_name() == "sqlite" and not url.database:
        raise ConfigurationError("A ledger in memory would forget the index; name a file.")
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url


def _engine(url: URL, name: str) -> Engine:
    if url.get_backend_name() == "postgresql":
        if url.get_driver_name() == "psycopg" and not find_spec("psycopg"):
            raise MissingExtraError(f"The ledger {name}", "postgres")
        return create_engine(url, connect_args={"options": _KEEPALIVES, "connect_timeout": 30})
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    on_connect: Callable[[object, ConnectionPoolEntry], None] = _configure_sqlite
    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: object, _entry: ConnectionPoolEntry) -> None:
    # The driver would begin transactions at moments of its own choice.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    # What is about to be written into the index must be known even after a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA temp_store = FILE")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    exclusive = connection.get_execution_options().get("exclusive", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")
