"""The server inside of another program: in a thread, on a port of this machine."""

from __future__ import annotations

import errno
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread
from time import monotonic, sleep
from types import FrameType
from typing import Self

import uvicorn

from managed_sync.errors import ConfigurationError, PortInUseError
from managed_sync.server.app import create_app
from managed_sync.server.config import ServerConfig
from managed_sync.server.signing_key import load_or_create_signing_key

__all__ = ["EmbeddedServer"]

_log = logging.getLogger("managed_sync.server")

_START_SECONDS = 30
_STOP_SECONDS = 10


class EmbeddedServer:
    """A Managed Sync server over a folder, for the programs of this machine.

    It listens on the loopback interface only, and answers nobody without a token that is signed
    with its ``signing_key``. Stopped and started again over the same state folder, it goes on
    where it was.

    Args:
        folder: The company folder: ``permissions.yaml``, ``files/`` and the JSON Lines files.
        state: Where the server keeps its database and its signing key. Made when missing.
        project_id: The one project that it serves.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        allow_remote: Whether an address that other machines reach is meant. The connection is
            not encrypted: put something in front of it that does so.

    Examples:
        >>> with EmbeddedServer(Path("company"), Path("state")) as server:  # doctest: +SKIP
        ...     print(server.base_url)
        http://127.0.0.1:54321
    """

    def __init__(
        self,
        folder: Path,
        state: Path,
        *,
        project_id: str = "demo",
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
    ) -> None:
        if not allow_remote and not _is_loopback(host):
            raise ConfigurationError(
                f"{host!r} can be reached from other machines; use 127.0.0.1, or say "
                "allow_remote=True if that is meant."
            )
        self._config = ServerConfig(Path(folder), Path(state), project_id)
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None
        self._base_url: str | None = None
        self._signing_key: str | None = None

    @property
    def project_id(self) -> str:
        """The project that the server serves."""
        return self._config.project_id

    @property
    def signing_key(self) -> str:
        """The RSA private key, in PEM, that signs the tokens of this server's users.

        Raises:
            ConfigurationError: The state folder cannot be used.
        """
        if self._signing_key is None:
            self._signing_key = load_or_create_signing_key(self._config.state).pem
        return self._signing_key

    @property
    def base_url(self) -> str:
        """Where the server listens.

        Raises:
            ConfigurationError: It is not started.
        """
        if self._base_url is None:
            raise ConfigurationError("The server is not started; call start(), or use 'with'.")
        return self._base_url

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server and returns when it answers. A second call changes nothing.

        Raises:
            PortInUseError: Another program listens on the port.
            SourceError: The company folder is missing.
            PermissionsFileError: Its ``permissions.yaml`` is missing or malformed, at the first
                start over this state folder; later that only fails the next sync.
            ConfigurationError: Address or state folder cannot be used.
        """
        if self._thread is not None:
            return
        listener = _listen(self._host, self._port)
        try:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(self._config),
                    access_log=False,
                    http="h11",
                    lifespan="on",
                    log_config=None,
                    loop="asyncio",
                    server_header=False,
                    timeout_graceful_shutdown=_STOP_SECONDS // 2,
                    ws="none",
                )
            )
        except BaseException:
            listener.close()
            raise
        self._server = server
        self._thread = Thread(
            target=server.run,
            kwargs={"sockets": [listener]},
            name="managed-sync-server",
            daemon=True,
        )
        self._thread.start()
        try:
            self._wait_until_started(server, self._thread)
        except BaseException:
            self.stop()
            listener.close()
            raise
        self._base_url = _url(listener)
        _log.info("Serving %s at %s", self._config.folder, self._base_url)

    def stop(self) -> None:
        """Stops the server; a sync under way is given up and repeated at the next start."""
        server, thread = self._server, self._thread
        self._server = self._thread = self._base_url = None
        if server is None or thread is None:
            return
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        if thread.is_alive():
            server.force_exit = True
            thread.join(_STOP_SECONDS)

    def serve_forever(self) -> None:
        """Serves until Ctrl-C or a request to terminate, then stops; for a command line.

        It starts the server unless that is done already.

        Raises:
            ConfigurationError: As ``start`` does.
        """
        with _termination() as terminated:
            try:
                self.start()
                thread = self._thread
                # In short waits, because on Windows a long one cannot be interrupted.
                while thread is not None and thread.is_alive() and not terminated.wait(0.2):
                    pass
            except KeyboardInterrupt:
                _log.info("Interrupted")
            finally:
                self.stop()

    def _wait_until_started(self, server: uvicorn.Server, thread: Thread) -> None:
        deadline = monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or monotonic() > deadline:
                raise ConfigurationError("The server did not start; its log says why.")
            sleep(0.005)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; else every answer that takes two
    # packets waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Lets a server start again at once; a port that is listened on stays refused.
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
        raise ConfigurationError(f"{port} is not a port; choose one from 0 to 65535.") from None
    return listener


def _port_in_use(port: int) -> PortInUseError:
    return PortInUseError(
        f"Port {port} is in use by another program; choose another port, or 0 for a free one."
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _termination() -> Iterator[Event]:
    """An event that a SIGTERM sets; signals are delivered to the main thread only."""
    terminated = Event()
    if current_thread() is not main_thread():
        yield terminated
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        terminated.set()

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)
