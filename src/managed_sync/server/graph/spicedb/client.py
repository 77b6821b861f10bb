"""The calls to SpiceDB that the server makes.

Guarantees:

- No call waits for ever.
- Every failure is a ``PermissionEngineError``, whose message contains no token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from authzed.api.v1 import (
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsResponse,
    ExpandPermissionTreeRequest,
    ExpandPermissionTreeResponse,
    LookupResourcesRequest,
    LookupResourcesResponse,
    LookupSubjectsRequest,
    LookupSubjectsResponse,
    ReadRelationshipsRequest,
    ReadRelationshipsResponse,
    ReadSchemaRequest,
    ReadSchemaResponse,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from authzed.api.v1.schema_service_pb2_grpc import SchemaServiceStub
from grpc_interceptor import ClientCallDetails, ClientInterceptor
from grpcutil import bearer_token_credentials

from managed_sync.server.config import is_loopback
from managed_sync.server.graph.engine import PermissionEngineError

__all__ = ["SpiceDBClient", "connect"]

_SECONDS = 60.0
# Shorter, since many requests wait for checks and occupy threads meanwhile.
_CHECK_SECONDS = 10.0

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class SpiceDBClient:
    """Calls the permissions and the schema service of one SpiceDB.

    Args:
        permissions: A stub of the permissions service.
        schema: A stub of the schema service.
        close: Ends the connection.
    """

    def __init__(self, permissions: Any, schema: Any, close: Callable[[], None]) -> None:
        self._permissions = permissions
        self._schema = schema
        self.close = close

    def check_bulk(self, request: CheckBulkPermissionsRequest) -> CheckBulkPermissionsResponse:
        """Checks many permissions."""
        response: CheckBulkPermissionsResponse = _call(
            self._permissions.CheckBulkPermissions, request, seconds=_CHECK_SECONDS
        )
        return response

    def lookup_subjects(self, request: LookupSubjectsRequest) -> Iterator[LookupSubjectsResponse]:
        """Lists the subjects with a permission."""
        return _stream(self._permissions.LookupSubjects, request)

    def lookup_resources(
        self, request: LookupResourcesRequest
    ) -> Iterator[LookupResourcesResponse]:
        """Lists the resources on which a subject has a permission."""
        return _stream(self._permissions.LookupResources, request)

    def expand(self, request: ExpandPermissionTreeRequest) -> ExpandPermissionTreeResponse:
        """Explains a permission as a tree."""
        response: ExpandPermissionTreeResponse = _call(
            self._permissions.ExpandPermissionTree, request
        )
        return response

    def read_relationships(
        self, request: ReadRelationshipsRequest
    ) -> Iterator[ReadRelationshipsResponse]:
        """Lists relationships."""
        return _stream(self._permissions.ReadRelationships, request)

    def write_relationships(self, request: WriteRelationshipsRequest) -> None:
        """Changes relationships, all of them or none."""
        _call(self._permissions.WriteRelationships, request)

    def read_schema(self, *, seconds: float = _SECONDS) -> ReadSchemaResponse | None:
        """Returns the schema; ``None`` if none was written yet."""
        try:
            response: ReadSchemaResponse = self._schema.ReadSchema(
                ReadSchemaRequest(), timeout=seconds
            )
        except grpc.RpcError as error:
            if _code(error) is grpc.StatusCode.NOT_FOUND:
                return None
            raise _problem(error) from None
        return response

    def write_schema(self, request: WriteSchemaRequest) -> None:
        """Writes the schema."""
        _call(self._schema.WriteSchema, request)


class _Bearer(ClientInterceptor):  # type: ignore[misc]
    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept(
        self,
        method: Callable[..., Any],
        request_or_iterator: Any,
        call_details: grpc.ClientCallDetails,
    ) -> Any:
        metadata = [self._header, *(call_details.metadata or ())]
        details = ClientCallDetails(
            call_details.method,
            call_details.timeout,
            metadata,
            call_details.credentials,
            call_details.wait_for_ready,
            call_details.compression,
        )
        return method(request_or_iterator, details)


def connect(target: str, token: str, *, tls: bool) -> SpiceDBClient:
    """Returns a client of the SpiceDB at an address; it connects at the first call."""
    # A proxy from the environment must not see the token on its way to this machine.
    options = [("grpc.enable_http_proxy", 0)] if is_loopback(_host(target)) else []
    if tls:
        channel = grpc.secure_channel(target, bearer_token_credentials(token), options)
    else:
        # gRPC's own credentials refuse to travel unencrypted to another host.
        channel = grpc.intercept_channel(grpc.insecure_channel(target, options), _Bearer(token))
    return SpiceDBClient(PermissionsServiceStub(channel), SchemaServiceStub(channel), channel.close)


def _host(target: str) -> str:
    """Returns the host of a target such as ``dns:///spicedb:50051`` or ``[::1]:50051``."""
    address = target.rpartition("/")[2]
    return address.rpartition(":")[0].strip("[]") or address


def _call(
    method: Callable[..., _Response], request: _Request, *, seconds: float = _SECONDS
) -> _Response:
    try:
        return method(request, timeout=seconds)
    except grpc.RpcError as error:
        raise _problem(error) from None


def _stream(method: Callable[..., Iterable[_Response]], request: _Request) -> Iterator[_Response]:
    try:
        yield from method(request, timeout=_SECONDS)
    except grpc.RpcError as error:
        raise _problem(error) from None


def _problem(error: grpc.RpcError) -> PermissionEngineError:
    code = _code(error)
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return PermissionEngineError(
            "SpiceDB does not answer, so nothing is allowed. Check that it runs, and try again."
        )
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return PermissionEngineError(
            "SpiceDB refuses the token. Set the token that it was started with."
        )
    details = getattr(error, "details", lambda: "")() or ""
    return PermissionEngineError(f"SpiceDB could not answer: {details}")


def _code(error: grpc.RpcError) -> object:
    return getattr(error, "code", lambda: None)()
