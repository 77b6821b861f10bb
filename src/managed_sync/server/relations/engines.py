"""Which engine a server's settings name."""

from __future__ import annotations

from dataclasses import dataclass, field

from managed_sync.errors import MissingExtraError
from managed_sync.server.relations.graph import PermissionEngine
from managed_sync.server.relations.sql_graph import SqlEngine
from managed_sync.server.storage.database import Database

__all__ = ["SpiceDBAddress", "open_engine"]


@dataclass(frozen=True)
class SpiceDBAddress:
    """Where a SpiceDB listens.

    Attributes:
        target: Host and port of its gRPC service, such as ``spicedb:50051``.
        token: The preshared key that it was started with.
        tls: Whether the connection is encrypted. Without, the token travels in the clear.
    """

    target: str
    token: str = field(repr=False)
    tls: bool = True


def open_engine(spicedb: SpiceDBAddress | None, database: Database) -> PermissionEngine:
    """The engine that evaluates permission graphs: SpiceDB, or else the database itself.

    Raises:
        MissingExtraError: SpiceDB's client is not installed.
    """
    if spicedb is None:
        return SqlEngine(database)
    try:
        from managed_sync.server.relations.spicedb_client import connect
        from managed_sync.server.relations.spicedb_engine import SpiceDBEngine
    except ImportError as error:
        raise MissingExtraError("Permissions in SpiceDB", "spicedb") from error
    return SpiceDBEngine(database, connect(spicedb.target, spicedb.token, tls=spicedb.tls))
