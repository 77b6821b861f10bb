"""The connection of one request: a new one, or one that was kept from an earlier request.

A server may close a connection that it has kept open at the very moment at which a request goes
out. Nothing is wrong then with the API or the request, so it is sent again at once.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ConnectionWatch"]


class ConnectionWatch:
    """Learns from httpx's trace how far a request came; ``note`` or ``anote`` is the trace."""

    def __init__(self) -> None:
        self._is_new = False
        self._is_sent = False
        self._is_answered = False

    def note(self, event: str, _info: Any) -> None:
        """Notes an event."""
        if event.startswith("connection.connect"):
            self._is_new = True
        elif event.endswith("send_request_headers.started"):
            self._is_sent = True
        elif event.endswith("receive_response_headers.complete"):
            self._is_answered = True

    async def anote(self, event: str, info: Any) -> None:
        """Notes an event, for an asynchronous client."""
        self.note(event, info)

    @property
    def was_closed_meanwhile(self) -> bool:
        """Whether a kept connection brought no answer."""
        return self._is_sent and not self._is_new and not self._is_answered
