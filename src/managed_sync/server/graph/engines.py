"""Which engine a server's settings name."""

from __future__ import annotations

from managed_sync.errors import MissingExtraError
from managed_sync.server.config import SpiceDBAddress
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.graph.sql_graph import SqlEngine
from managed_sync.server.storage.database import Database

__all__ = ["open_engine"]


def open_engine(spicedb: SpiceDBAddress | None, database: Database) -> PermissionEngine:
    """The engine that evaluates permission graphs: SpiceDB, or else the database itself.

    Raises:
        MissingExtraError: SpiceDB's client is not installed.
    """
    if spicedb is None:
        return SqlEngine(database)
    try:
        from managed_sync.server.graph.spicedb.client import connect
        from managed_sync.server.graph.spicedb.engine import SpiceDBEngine
    except ImportError as error:
        raise MissingExtraError("Permissions in SpiceDB", "spicedb") from error
    client = connect(spicedb.target, spicedb.token.get_secret_value(), tls=spicedb.tls)
    return SpiceDBEngine(database, client)
