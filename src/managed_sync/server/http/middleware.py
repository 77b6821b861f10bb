"""The outermost layer of every request: its id, log line, metrics, HEAD and last error handler.

See ``docs/decisions/0029-server-limits.md``.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from managed_sync.logs import get_logger
from managed_sync.server.http.metrics import Metrics
from managed_sync.server.http.problems import problem_response

__all__ = ["RequestMiddleware"]

_logger = get_logger("managed_sync.server.requests")

_HEADER = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


_ambiguous = problem_response(
    HTTPStatus.BAD_REQUEST,
    "A request must have either Transfer-Encoding or Content-Length, not both.",
    {"Connection": "close"},
)


class RequestMiddleware:
    """Gives every request an id, which its response and its log line carry.

    A well-formed ``X-Request-Id`` is kept. The log contains the path without its query, since
    cursors may name files, and no headers. Every route that answers GET answers HEAD. A request
    that states its length twice is refused, since a proxy in front may have read it differently.

    Args:
        app: The application.
        metrics: Counts the requests.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(_HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        method = scope["method"]
        # The application sees a GET; its body is dropped below.
        inner = {**scope, "method": "GET"} if method == "HEAD" else scope
        status: int | None = None
        complete = False
        begin = perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                answer_headers = MutableHeaders(scope=message)
                answer_headers[_HEADER] = request_id
                # Problems repeat parts of the request, which no browser may render as a page.
                answer_headers["x-content-type-options"] = "nosniff"
            elif method == "HEAD":
                if complete:
                    return
                complete = True
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            try:
                if "transfer-encoding" in headers and "content-length" in headers:
                    await _ambiguous(scope, receive, send_with_id)
                else:
                    await self._app(inner, receive, send_with_id)
            except Exception as error:
                silent = _without_message(error)
                _logger.error(
                    "A request failed: %s",
                    type(error).__name__,
                    exc_info=(type(silent), silent, error.__traceback__),
                    extra={"request_id": request_id},
                )
                if status is not None:
                    raise
                answer = problem_response(
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    "The server failed; its log says more under this request's id. Try again.",
                )
                await answer(scope, receive, send_with_id)
            finally:
                self._note(inner, method, request_id, status, perf_counter() - begin)

    def _note(
        self, scope: Scope, method: str, request_id: str, status: int | None, seconds: float
    ) -> None:
        route = scope.get("route")
        self._metrics.count_request(
            method=method,
            route=getattr(route, "path", None),
            status=status or 0,
            seconds=seconds,
        )
        caller = scope.get("state", {}).get("caller")
        _logger.info(
            "%s %s %s",
            method,
            # As the client sent it: encoded characters, line breaks among them, stay encoded.
            scope["raw_path"].decode("latin-1"),
            status or "without an answer",
            extra={
                "request_id": request_id,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "project": caller.project_id if caller else None,
            },
        )


def _without_message(error: Exception) -> Exception:
    """Returns an error of the same class name without its message, which may hold private data."""
    kind = type(error)
    named = type(kind.__name__, (Exception,), {"__module__": kind.__module__})
    silent: Exception = named()
    return silent
