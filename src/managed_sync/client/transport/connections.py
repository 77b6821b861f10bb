"""The connections of a client: their settings, and whose they are.

Guarantees:

- A process sends on its own connections, never on those that a fork has copied. Two processes that
  write on one connection read each other's responses, and a response about what one user may read
  would be taken for another's. The copies are left alone: what is written on them, or ends their
  encryption, would reach the process that made them.
- A request that a server could not receive, because it closed a kept connection at that very
  moment, is recognized, so that it can be sent again at once.
- No cookie is kept: the API knows its callers by their tokens.
- The clients of a process share the certificates that they trust, since reading them takes longer
  than all else that a new client does. A change of the variables or of the file is seen.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from managed_sync.client.settings import DEFAULT_BASE_URLS
from managed_sync.client.transport.proxies import direct_hosts, environment_errors
from managed_sync.errors import ConfigurationError

__all__ = [
    "DEFAULT_TIMEOUT",
    "ConnectionWatch",
    "ProcessConnections",
    "checked_base_url",
    "open_connections",
    "pool_limits",
]

H = TypeVar("H", bound=httpx.Client | httpx.AsyncClient)

DEFAULT_TIMEOUT = 30.0
# Less than the five seconds after which many servers close a connection.
_KEEP_ALIVE_SECONDS = 4.0


class ProcessConnections(Generic[H]):
    """A holder of one httpx client for each process.

    Args:
        make: Makes a client.
        is_repeatable: Whether each call makes new connections; ``False`` if they are those of an
            ``http_client`` or a ``transport`` that the caller passed.
    """

    def __init__(self, make: Callable[[], H], *, is_repeatable: bool) -> None:
        self._make = make
        self._is_repeatable = is_repeatable
        self._is_used = False
        with environment_errors():
            self._by_process = {os.getpid(): make()}

    def get(self) -> H:
        """Returns the client of this process.

        Raises:
            ConfigurationError: It was used in another process, and no other one can be made.
        """
        http = self._by_process.get(os.getpid())
        if http is None:
            # No lock, which might be one that is held for ever: setdefault is whole by itself.
            http = self._by_process.setdefault(os.getpid(), self._another())
        self._is_used = True
        return http

    def made_here(self) -> H | None:
        """Returns the client of this process, if there is one."""
        return self._by_process.get(os.getpid())

    def _another(self) -> H:
        if self._is_repeatable:
            with environment_errors():
                return self._make()
        if self._is_used:
            raise ConfigurationError(
                "This client was used before the process was forked, and its http_client or "
                "transport may share connections with the other process, so that answers would "
                "reach the wrong one. Make the client in each process, after the fork."
            )
        return next(iter(self._by_process.values()))


class ConnectionWatch:
    """A watch on one request's connection; ``note`` or ``anote`` is httpx's trace."""

    _is_new = False
    _is_sent = False
    _is_answered = False

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
        """``True`` if the request went out on a kept connection, and no response came."""
        return self._is_sent and not self._is_new and not self._is_answered


def checked_base_url(value: str) -> str:
    """Returns the URL of an API without the slash at its end.

    Raises:
        ConfigurationError: It is not a URL, or holds a password, which errors and logs would show.
    """
    try:
        url = httpx.URL(value)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.userinfo or "@" in value:
        raise ConfigurationError(
            "The base URL must not hold a user or a password; pass token or signing_key."
        )
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError(
            f"{value!r} is not the URL of an API; it should look like "
            f"{DEFAULT_BASE_URLS['projects']!r}."
        )
    return value.rstrip("/")


def open_connections(
    kind: type[H],
    http_client: H | None,
    transport: object,
    *,
    timeout: float,
    base_url: str,
    max_concurrent_requests: int,
) -> ProcessConnections[H]:
    """Returns the connections of a client of ours.

    Args:
        kind: ``httpx.Client`` or ``httpx.AsyncClient``.
        http_client: The caller's own client of httpx.
        transport: The caller's own transport.
        timeout: Seconds to wait for a connection and for each part of a response.
        base_url: The API's URL.
        max_concurrent_requests: The most connections in use at once.

    Raises:
        ConfigurationError: ``http_client`` is of the wrong kind, or comes with a ``transport``, or
            the environment's proxies or certificates cannot be used.
    """
    if http_client is not None and transport is not None:
        raise ConfigurationError(
            "Pass http_client or transport, not both: a client of httpx has its own transport."
        )
    if http_client is not None and not isinstance(http_client, kind):
        raise ConfigurationError(
            f"http_client must be an httpx.{kind.__name__}, got {type(http_client).__name__}."
        )

    def make() -> H:
        if http_client is not None:
            return http_client
        settings: dict[str, Any] = {
            "timeout": timeout,
            "transport": transport,
            "verify": _trusted_certificates() if transport is None else True,
            "mounts": direct_hosts(base_url),
            "limits": pool_limits(max_concurrent_requests),
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        }
        return kind(**settings)

    return ProcessConnections(make, is_repeatable=http_client is None and transport is None)


def pool_limits(max_concurrent_requests: int) -> httpx.Limits:
    """Allows as many connections as needed, since the client limits its requests itself."""
    return httpx.Limits(
        max_connections=None,
        max_keepalive_connections=max_concurrent_requests,
        keepalive_expiry=_KEEP_ALIVE_SECONDS,
    )


def _trusted_certificates() -> ssl.SSLContext:
    variables = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
    file = variables[0]
    changed = Path(file).stat().st_mtime_ns if file else None
    # Others may put a class of their own in the place of the standard library's.
    return _tls(ssl.SSLContext, *variables, os.environ.get("SSLKEYLOGFILE"), changed)


@lru_cache(maxsize=4)
def _tls(*_what_it_depends_on: object) -> ssl.SSLContext:
    return httpx.create_ssl_context()
