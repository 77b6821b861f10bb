"""Errors as RFC 9457 problem details, the only form in which this server reports them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

__all__ = ["ProblemError", "install_problem_handlers"]

_log = logging.getLogger("managed_sync.server")


class ProblemError(Exception):
    """A request that ends with an error status.

    Args:
        status: The HTTP status code.
        detail: What is wrong with this request and what to do, in one sentence or two.
        headers: Further headers of the response.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def _response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        },
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Makes an application answer every error as ``application/problem+json``."""

    @app.exception_handler(ProblemError)
    async def on_problem(_request: Request, problem: ProblemError) -> JSONResponse:
        return _response(problem.status, problem.detail, problem.headers)

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        detail = error.detail
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"There is nothing at {request.url.path}."
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"{request.method} is not possible at {request.url.path}."
        return _response(error.status_code, detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Only places and reasons: the values may be private.
        problems = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        return _response(HTTPStatus.BAD_REQUEST, "; ".join(problems))

    @app.exception_handler(Exception)
    async def on_failure(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
        return _response(
            HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed; its log says more. Try again."
        )
