"""Errors as RFC 9457 problem details, the only form in which this server sends them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from managed_sync.errors import InvalidIdentifierError
from managed_sync.logs import get_logger
from managed_sync.server.auth.tokens import TokenError, UnknownProjectError, WrongProjectError
from managed_sync.server.domain import InvalidParameterError
from managed_sync.server.failures import (
    ServerFailureError,
    concerns_one_file,
    database_failure,
    system_failure,
)
from managed_sync.server.graph.engine import PermissionEngineError
from managed_sync.server.sync.runner import UnknownPipelineError

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "PROBLEM_SCHEMA",
    "RETRY_LATER",
    "ProblemError",
    "documented",
    "install_problem_handlers",
    "problem_details",
    "problem_response",
]

_logger = get_logger("managed_sync.server")

# Seconds until a client may retry after a failure of unknown duration.
RETRY_LATER = {"Retry-After": "5"}

PROBLEM_MEDIA_TYPE = "application/problem+json"

# Errors whose message is the detail of a problem.
_STATUSES: Mapping[type[Exception], HTTPStatus] = {
    InvalidIdentifierError: HTTPStatus.BAD_REQUEST,
    InvalidParameterError: HTTPStatus.BAD_REQUEST,
    WrongProjectError: HTTPStatus.FORBIDDEN,
    UnknownProjectError: HTTPStatus.NOT_FOUND,
    UnknownPipelineError: HTTPStatus.NOT_FOUND,
}
_CHALLENGE = 'Bearer realm="managed-sync"'

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


class ProblemError(Exception):
    """A request that ends with an error status.

    Args:
        status: The HTTP status code.
        detail: One or two sentences: the fault of this request, and the remedy.
        headers: Further headers of the response.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_details(status: int, detail: str) -> dict[str, object]:
    """Returns the body of the response for an error."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Returns the response for an error."""
    return JSONResponse(
        problem_details(status, detail), status, headers, media_type=PROBLEM_MEDIA_TYPE
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Makes an application answer every error as ``application/problem+json``."""

    @app.exception_handler(ProblemError)
    async def on_problem(_request: Request, problem: ProblemError) -> JSONResponse:
        return problem_response(problem.status, problem.detail, problem.headers)

    async def on_refused(_request: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
        return problem_response(status, str(error))

    for kind in _STATUSES:
        app.add_exception_handler(kind, on_refused)

    @app.exception_handler(TokenError)
    async def on_token_error(_request: Request, error: TokenError) -> JSONResponse:
        challenge = _CHALLENGE if error.is_missing else f'{_CHALLENGE}, error="invalid_token"'
        return problem_response(
            HTTPStatus.UNAUTHORIZED, str(error), {"WWW-Authenticate": challenge}
        )

    @app.exception_handler(PermissionEngineError)
    async def on_engine_error(_request: Request, error: PermissionEngineError) -> JSONResponse:
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, str(error), RETRY_LATER)

    @app.exception_handler(ServerFailureError)
    async def on_failure(_request: Request, failure: ServerFailureError) -> JSONResponse:
        _logger.error("%s", failure)
        return problem_response(failure.status, str(failure), RETRY_LATER)

    @app.exception_handler(DBAPIError)
    async def on_database_error(request: Request, error: DBAPIError) -> JSONResponse:
        failure = database_failure(error)
        if failure is None:
            raise error
        _logger.error("The database failed: %s", error.orig)
        return await on_failure(request, failure)

    @app.exception_handler(OSError)
    async def on_system_error(request: Request, error: OSError) -> JSONResponse:
        if concerns_one_file(error):
            raise error
        return await on_failure(request, system_failure(error, "The server cannot work"))

    @app.exception_handler(HTTPException)
    async def on_http_exception(_request: Request, error: HTTPException) -> JSONResponse:
        # The path is not repeated: it comes from the client, and may be long.
        detail, headers = error.detail, dict(error.headers or {})
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = "There is nothing at this path; /openapi.json lists the paths that exist."
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            if "GET" in headers.get("Allow", "").split(", "):
                headers["Allow"] += ", HEAD"
            allowed = headers.get("Allow", "another method")
            detail = f"This path does not support the request's method; use {allowed}."
        return problem_response(error.status_code, detail, headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Only the fields and the reasons: the values may be private.
        problems = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        return problem_response(HTTPStatus.BAD_REQUEST, "; ".join(problems))


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Returns the OpenAPI description of the errors that a route sends."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status.value: {
            "description": status.phrase,
            "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }
