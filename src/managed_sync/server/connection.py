"""One connection: what uvicorn does with it, and what a slow or broken client may not do."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["connection_class"]


def connection_class(head_seconds: float) -> type[H11Protocol]:
    """A kind of connection that is closed when a request's head does not arrive in time.

    Else a client that sends one byte now and then holds it for as long as it likes.
    """

    class Connection(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            # Its lines would hold the query, where cursors may name files.
            self.access_log = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._set_deadline()

        def connection_lost(self, exc: Exception | None) -> None:
            self._drop_deadline()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # Between a response and the next request, uvicorn's own limit counts.
            if self.conn.their_state is h11.IDLE:
                self._set_deadline()
            else:
                self._drop_deadline()

        def send_400_response(self, msg: str) -> None:
            """Answers what is not HTTP in the form in which all errors are answered."""
            status = HTTPStatus.BAD_REQUEST
            problem: dict[str, Any] = {
                "type": "about:blank",
                "title": status.phrase,
                "status": status.value,
                "detail": msg,
            }
            headers = [
                (b"content-type", b"application/problem+json"),
                (b"connection", b"close"),
            ]
            head = h11.Response(
                status_code=status.value, headers=headers, reason=status.phrase.encode()
            )
            body = h11.Data(data=json.dumps(problem).encode())
            for event in (head, body, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _set_deadline(self) -> None:
            if self._deadline is None:
                self._deadline = self.loop.call_later(head_seconds, self.transport.close)

        def _drop_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Connection
