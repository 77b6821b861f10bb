"""The socket that a server listens on."""

from __future__ import annotations

import errno
import socket
import sys

from managed_sync.errors import ConfigurationError, PortInUseError

__all__ = ["listen", "url_of"]


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens on a port; 0 takes a free port.

    Raises:
        PortInUseError: Another program listens on it.
        ConfigurationError: The address or the port cannot be used.
    """
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # If the protocol is named, asyncio turns Nagle's algorithm off. Otherwise every response of two
    # packets waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Lets a server restart at once; a port in use is still refused.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno in {errno.EADDRINUSE, errno.EACCES} and sys.platform == "win32":
            raise _port_in_use(port) from None
        if error.errno == errno.EADDRINUSE:
            raise _port_in_use(port) from None
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another "
            "address or port; port 0 takes a free one."
        ) from None
    except OverflowError:
        listener.close()
        raise ConfigurationError(f"port must be from 0 to 65535, got {port}.") from None
    return listener


def _port_in_use(port: int) -> PortInUseError:
    return PortInUseError(
        f"Port {port} is in use by another program. Choose another port, or 0 for a free one."
    )


def url_of(listener: socket.socket) -> str:
    """Returns the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
