"""A web application on a port of this machine, until Ctrl-C."""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from managed_sync.errors import PortInUseError

__all__ = ["address_of", "listen", "serve"]

# An answer that is still streaming gets this long when the server is stopped.
_GRACE_SECONDS = 2


def listen(port: int) -> socket.socket:
    """A listening port that only this machine reaches; 0 takes a free one.

    Raises:
        PortInUseError: Another program listens there.
    """
    # With the protocol named, asyncio sends each piece of an answer at once.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except (OSError, OverflowError):
        listener.close()
        raise PortInUseError(f"Port {port} cannot be used; choose another with --port.") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """The address that a browser or a client takes."""
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def serve(application: ASGIApp, listener: socket.socket) -> None:
    """Serves until Ctrl-C."""
    config = uvicorn.Config(
        application, log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS
    )
    # uvicorn raises the signal again once it has stopped.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
