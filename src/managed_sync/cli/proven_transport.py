"""Connections to the server of a workspace, and to no other program on its port.

Guarantees:

- On each connection the server proves its identity before the client sends anything, including
  the token.
"""

from __future__ import annotations

import hmac
import secrets
import time
from pathlib import Path
from typing import Any

import httpx

from managed_sync.client.transport.connections import pool_limits
from managed_sync.client.transport.limits import DEFAULT_MAX_CONCURRENT_REQUESTS

__all__ = ["ProvenTransport"]

_SECONDS = 10.0
_MAX_RESPONSE_BYTES = 16_384


class ProvenTransport(httpx.HTTPTransport):
    """An httpx transport that connects only to the server of a state folder.

    Args:
        state: The folder.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(limits=pool_limits(DEFAULT_MAX_CONCURRENT_REQUESTS))
        self._state = state

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request on a connection to the proven server.

        Raises:
            httpx.ConnectError: Another program listens on the port.
        """
        note = request.extensions.get("trace")

        def trace(event: str, info: Any) -> None:
            if event == "connection.connect_tcp.complete":
                self._require_proof(info["return_value"])
            if note is not None:
                note(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        return super().handle_request(request)

    def _require_proof(self, stream: Any) -> None:
        is_proven = False
        try:
            is_proven = _proves_itself(stream, self._state)
        finally:
            if not is_proven:
                stream.close()
        if not is_proven:
            raise httpx.ConnectError("the program on this port is not the server of this workspace")


def _proves_itself(stream: Any, state: Path) -> bool:
    from managed_sync.server.auth.proof import PROOF_PATH, known_proof

    proof = known_proof(state)
    if proof is None:
        return False
    host, port = stream.get_extra_info("server_addr")[:2]
    challenge = secrets.token_hex(32)
    expected = proof.answer(challenge, host, port).encode()
    head = f"GET {PROOF_PATH}{challenge} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    deadline, answer = time.monotonic() + _SECONDS, b""
    try:
        stream.write(head.encode(), timeout=_SECONDS)
        while len(answer.partition(b"\r\n\r\n")[2]) < len(expected):
            left = deadline - time.monotonic()
            part = stream.read(_MAX_RESPONSE_BYTES, timeout=left) if left > 0 else b""
            answer += part
            if not part or len(answer) > _MAX_RESPONSE_BYTES:
                return False
    except Exception:  # noqa: BLE001 - with any network error, nothing is proven
        return False
    return hmac.compare_digest(answer.partition(b"\r\n\r\n")[2], expected)
