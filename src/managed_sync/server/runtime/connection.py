"""A connection as uvicorn handles it, with deadlines for slow or broken clients.

Guarantees:

- No client can hold its connection for ever: each phase of a request has a deadline, which
  single bytes do not extend.
- Connections that have not sent a valid token are limited, per address and in total. Above a
  limit the oldest of them is closed, so that the next client is served.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from managed_sync.server.config import Limits
from managed_sync.server.http.problems import PROBLEM_MEDIA_TYPE, problem_details
from managed_sync.server.runtime.unverified_connections import UnverifiedConnections

__all__ = ["connection_class"]

# After a response that did not wait for the body, so that the client can still read it.
_LINGER_SECONDS = 2.0


def connection_class(limits: Limits) -> type[H11Protocol]:
    """Returns the class of a server's connections, which share the limits on unknown clients."""
    unverified = UnverifiedConnections(
        per_address=limits.connections_per_address, total=limits.connections_without_token
    )
    deadlines = {
        "head": limits.head_seconds,
        # The guard of the routes sends 408 in time; this deadline is for a body that nobody reads.
        "body": limits.body_seconds + _LINGER_SECONDS,
        "rest of the body": _LINGER_SECONDS,
        "answer": limits.answer_seconds,
    }

    class Connection(H11Protocol):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            # uvicorn's lines would contain the query, and cursors may name files.
            self.access_log = False
            self.app_state = {**self.app_state, "connection": self}
            self._deadline = _Deadline(self.loop, deadlines)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            unverified.add(transport, self.client[0] if self.client else "")
            self._deadline.enter("head", transport)

        def connection_lost(self, exc: Exception | None) -> None:
            unverified.discard(self.transport)
            super().connection_lost(exc)
            self._deadline.enter(None, self.transport)

        def is_verified(self) -> None:
            """Marks this connection as one that sent a valid token."""
            unverified.discard(self.transport)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch(receiving=True)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._watch()

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self._watch()

        def shutdown(self) -> None:
            super().shutdown()
            self._watch()

        def send_400_response(self, msg: str) -> None:
            """Sends problem details for malformed HTTP, as for all other errors."""
            status = HTTPStatus.BAD_REQUEST
            problem = problem_details(status, msg)
            headers = [
                (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
                (b"connection", b"close"),
            ]
            head = h11.Response(
                status_code=status.value, headers=headers, reason=status.phrase.encode()
            )
            body = h11.Data(data=json.dumps(problem).encode())
            if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                for event in (head, body, h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _watch(self, *, receiving: bool = False) -> None:
            self._deadline.enter(self._phase(receiving=receiving), self.transport)

        def _phase(self, *, receiving: bool) -> str | None:
            closing = self.transport.is_closing()
            if self.flow.write_paused or (closing and self.transport.get_write_buffer_size()):
                return "answer"
            if closing:
                return None
            if self.conn.their_state is h11.SEND_BODY:
                answered = self.cycle is not None and self.cycle.response_complete
                return "rest of the body" if answered else "body"
            if self.conn.their_state is h11.IDLE and (receiving or self._deadline.phase == "head"):
                return "head"
            # Between two requests uvicorn's own limit holds; during one, the application's.
            return None

    return Connection


class _Deadline:
    """Aborts a connection that stays in one phase for too long."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: Mapping[str, float]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self.phase: str | None = None

    def enter(self, phase: str | None, transport: asyncio.Transport) -> None:
        """Begins a phase; staying in the same phase does not extend its deadline."""
        if phase == self.phase:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.phase = phase
        if phase is not None:
            # close() would wait until the client has read everything.
            self._timer = self._loop.call_later(self._seconds[phase], transport.abort)
