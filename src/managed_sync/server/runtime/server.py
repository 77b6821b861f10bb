"""A running server: started, stopped, or run until a signal ends it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread, current_thread, main_thread
from time import monotonic, sleep
from types import FrameType
from typing import Self

import uvicorn

from managed_sync.errors import ConfigurationError
from managed_sync.logs import get_logger
from managed_sync.server.config import ServerConfig
from managed_sync.server.runtime.app import create_app
from managed_sync.server.runtime.connection import connection_class
from managed_sync.server.runtime.listener import listen, url_of

__all__ = ["Server"]

_logger = get_logger("managed_sync.server")

_START_SECONDS = 30
_STOP_SECONDS = 10


class Server:
    """A Managed Sync server.

    It serves only requests with a token that was signed with one of the project's keys. A restart
    with the same state continues with the same records and pipelines.

    Args:
        config: The settings.

    Examples:
        >>> from pathlib import Path
        >>> from managed_sync.server import read_config
        >>> Server(read_config(Path("server.yaml"))).serve_forever()  # doctest: +SKIP
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None
        self._base_url: str | None = None

    @property
    def base_url(self) -> str:
        """The URL that the server listens on.

        Raises:
            ConfigurationError: The server is not running.
        """
        if self._base_url is None:
            raise ConfigurationError(
                "The server is not running. Call start(), or use it in a 'with' statement."
            )
        return self._base_url

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server and returns when it is ready. A second call changes nothing.

        Raises:
            PortInUseError: Another program listens on the port.
            StateInUseError: Another server works with the same state folder or database.
            SourceError: A company folder is missing.
            PermissionsFileError: Its ``permissions.yaml`` is missing or malformed, at the first
                start over this state; later that only fails the next sync.
            ConfigurationError: Address, state folder, keys or database cannot be used.
        """
        if self._thread is not None:
            return
        listener = listen(self._config.host, self._config.port)
        try:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(self._config),
                    access_log=False,
                    # asyncio accepts up to this many connections at once.
                    backlog=128,
                    http=connection_class(self._config.limits),
                    lifespan="on",
                    log_config=None,
                    loop="asyncio",
                    # Headers in which clients state their address or host are ignored.
                    proxy_headers=False,
                    server_header=False,
                    timeout_graceful_shutdown=_STOP_SECONDS // 2,
                    # Longer than httpx keeps an idle connection, so that the client ends it first
                    # and no request meets a connection that is just being closed.
                    timeout_keep_alive=10,
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
        self._base_url = url_of(listener)

    def stop(self) -> None:
        """Stops the server; a running sync is abandoned and repeated at the next start."""
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
        """Starts the server unless it runs, serves until Ctrl-C or SIGTERM, then stops it.

        Raises:
            ConfigurationError: The server cannot start; see ``start``.
        """
        with _termination() as terminated:
            try:
                if self._thread is None:
                    self.start()
                    projects = ", ".join(self._config.projects)
                    _logger.info("Serving %s at %s", projects, self._base_url)
                thread = self._thread
                # Short waits, since on Windows a long one cannot be interrupted.
                while thread is not None and thread.is_alive() and not terminated.wait(0.2):
                    pass
            except KeyboardInterrupt:
                _logger.info("Interrupted")
            finally:
                self.stop()

    def _wait_until_started(self, server: uvicorn.Server, thread: Thread) -> None:
        deadline = monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or monotonic() > deadline:
                raise ConfigurationError("The server did not start; see its log for the reason.")
            sleep(0.005)


@contextmanager
def _termination() -> Iterator[Event]:
    """Yields an event that SIGTERM sets; only the main thread receives signals."""
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
