"""The guard of the routes: checks token, rate and body before a route does anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Path
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive

from managed_sync.server.auth.tokens import TokenVerifier
from managed_sync.server.config import Limits
from managed_sync.server.domain import Scope
from managed_sync.server.http.problems import ProblemError, documented
from managed_sync.server.http.rate_limit import RateLimit

__all__ = ["PROBLEMS", "Caller", "ProjectCaller", "authenticated_route_class"]

PROBLEMS = documented(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.INSUFFICIENT_STORAGE,
)
"""The error responses of authenticated routes, for the OpenAPI document."""

# A client that sends too much, or too slowly, loses its connection.
_CLOSE = {"Connection": "close"}


def authenticated_route_class(verifier: TokenVerifier, limits: Limits) -> type[APIRoute]:
    """Returns a route class that requires a valid token and limits rate, body size and body time.

    A router with this ``route_class`` guards all its routes, so no route can be forgotten.
    """
    rate = (
        RateLimit(limits.requests_per_second, limits.burst)
        if limits.requests_per_second is not None
        else None
    )

    class AuthenticatedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guard_and_handle(request: Request) -> Response:
                caller = verifier.verify(
                    request.headers.getlist("authorization"), request.path_params.get("projectId")
                )
                request.state.caller = caller
                if (connection := getattr(request.state, "connection", None)) is not None:
                    connection.is_verified()
                if rate is not None and (seconds := rate.wait(caller)):
                    raise ProblemError(
                        HTTPStatus.TOO_MANY_REQUESTS,
                        f"More than {limits.requests_per_second:g} requests a second; wait "
                        f"{seconds} s.",
                        headers={"Retry-After": str(seconds)},
                    )
                # No name contains NUL, and PostgreSQL raises an error for it.
                if "\0" in request.scope["path"]:
                    raise ProblemError(
                        HTTPStatus.NOT_FOUND, "A name must not contain a NUL character."
                    )
                if any("\0" in value for value in request.query_params.values()):
                    raise ProblemError(
                        HTTPStatus.BAD_REQUEST, "A name must not contain a NUL character."
                    )
                body = await _body(request, limits)
                return await handle(Request(request.scope, _received(body, request.receive)))

            return guard_and_handle

    return AuthenticatedRoute


def _caller(request: Request) -> Scope:
    caller: Scope = request.state.caller
    return caller


def _project_caller(request: Request, project_id: Annotated[str, Path(alias="projectId")]) -> Scope:
    caller = _caller(request)
    if caller.project_id != project_id:
        raise ProblemError(HTTPStatus.FORBIDDEN, "The token is for another project.")
    return caller


Caller: TypeAlias = Annotated[Scope, Depends(_caller)]
"""The verified connected user, as a parameter of a route."""

ProjectCaller: TypeAlias = Annotated[Scope, Depends(_project_caller)]
"""The verified connected user of a route whose path names the project."""


async def _body(request: Request, limits: Limits) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.body_bytes:
        raise _too_large(limits)
    blocks, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for block in request.stream():
                size += len(block)
                if size > limits.body_bytes:
                    raise _too_large(limits)
                blocks.append(block)
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"The body did not arrive within {limits.body_seconds:g} s.",
            headers=_CLOSE,
        ) from None
    except ClientDisconnect:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "The body is incomplete; send it again."
        ) from None
    return b"".join(blocks)


def _received(body: bytes, receive: Receive) -> Receive:
    """Returns a receive function that yields the body in one piece, then later messages."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_body() -> Message:
        return pending.pop() if pending else await receive()

    return receive_body


def _too_large(limits: Limits) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is too large; the limit is {limits.body_bytes} bytes.",
        headers=_CLOSE,
    )
