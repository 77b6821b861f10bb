"""What happens around every request: its id, its line in the log, its count, its last resort."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from time import perf_counter
from traceback import format_tb
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from managed_sync.server.metrics import Metrics
from managed_sync.server.problems import problem_response

__all__ = ["RequestMiddleware"]

_log = logging.getLogger("managed_sync.server.requests")

_HEADER = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestMiddleware:
    """Gives every request an id, which its answer bears and its line in the log too.

    A well-formed ``X-Request-Id`` is taken over. The log holds the path without its query, where
    cursors may name files, and no header.

    Args:
        app: The application.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(_HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        status: int | None = None
        begin = perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[_HEADER] = request_id
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                # Without its message, which may hold what was asked.
                _log.error(
                    "A request failed: %s\n%s",
                    type(error).__name__,
                    "".join(format_tb(error.__traceback__)),
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
                self._note(scope, request_id, status, perf_counter() - begin)

    def _note(self, scope: Scope, request_id: str, status: int | None, seconds: float) -> None:
        route = scope.get("route")
        self._metrics.count_request(
            method=scope["method"],
            route=getattr(route, "path", None),
            status=status or 0,
            seconds=seconds,
        )
        caller = scope.get("state", {}).get("caller")
        _log.info(
            "%s %s %s",
            scope["method"],
            # As it was sent: what is encoded in it stays so, line breaks too.
            scope["raw_path"].decode("latin-1"),
            status or "without an answer",
            extra={
                "request_id": request_id,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "project": caller.project_id if caller else None,
            },
        )
