"""Between steps and httpx: requests are built, and errors translated, for both clients alike.

An error of httpx carries the request, and its trace the headers, so none of them is chained to an
error of this package: ``failure_of`` makes a new one, raised where the old one is over.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from managed_sync.client.transport.bodies import ACCEPTED_ENCODINGS, Decoder
from managed_sync.client.transport.connections import ConnectionWatch
from managed_sync.client.transport.effects import Open, Opened, Send
from managed_sync.client.wire.request import Answer, Request, without_token
from managed_sync.errors import (
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    ConfigurationError,
    ResponseFormatError,
)
from managed_sync.settings import DEFAULT_BASE_URLS

__all__ = [
    "DEFAULT_TIMEOUT",
    "HTTP_ERRORS",
    "READ_OF_ERRORS",
    "answer_to",
    "araw_parts",
    "check_http_client",
    "checked_base_url",
    "decoder_of",
    "failure_of",
    "headers_of",
    "http_request",
    "is_content",
    "no_cookies",
    "opened_answer",
    "pool_limits",
    "raw_parts",
]

DEFAULT_TIMEOUT = 30.0
# Less than the five seconds after which many servers close a connection.
_KEEP_ALIVE_SECONDS = 4.0
READ_OF_ERRORS = 65_536  # bytes of an error's body that are read, where content was asked for
# What httpx says of a redirect that it cannot read, though it need not follow it.
_NO_LOCATION = "Invalid URL in location header"
# UnicodeError: a header or a cookie of an answer that httpx keeps, and cannot send again.
Trace: TypeAlias = Callable[[str, Any], Awaitable[None] | None]
HTTP_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError)


def checked_base_url(value: str) -> str:
    """The URL of an API, without the slash at its end.

    Raises:
        ConfigurationError: It is none, or has a password in it, which errors and logs would show.
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


def check_http_client(
    http_client: object, transport: object, kind: type[httpx.Client | httpx.AsyncClient]
) -> None:
    """Refuses a client of httpx that cannot be used.

    Raises:
        ConfigurationError: It is of the other kind, or there is a transport beside it.
    """
    if http_client is not None and transport is not None:
        raise ConfigurationError(
            "Pass http_client or transport, not both: a client of httpx has its own transport."
        )
    if http_client is not None and not isinstance(http_client, kind):
        raise ConfigurationError(
            f"http_client must be an httpx.{kind.__name__}, not {type(http_client).__name__}."
        )


def pool_limits(max_concurrent_requests: int) -> httpx.Limits:
    """As many connections as are needed: the client's own limit is the one that holds."""
    return httpx.Limits(
        max_connections=None,
        max_keepalive_connections=max_concurrent_requests,
        keepalive_expiry=_KEEP_ALIVE_SECONDS,
    )


def no_cookies() -> CookieJar:
    """Keeps no cookie: the API knows its callers by their tokens."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def http_request(
    client: httpx.Client | httpx.AsyncClient, base_url: str, step: Send | Open, trace: Trace
) -> httpx.Request:
    """The request of httpx that a step asks for; ``trace`` is told how far it comes."""
    request = step.request
    extensions: dict[str, Any] = {"trace": trace}
    if isinstance(step, Send):
        # Encoded here, since httpx parses a URL twice where it gets params beside it.
        query = f"?{urlencode(request.params, quote_via=quote)}" if request.params else ""
        return client.build_request(
            request.method,
            f"{base_url}{request.path}{query}",
            json=request.body,
            headers={"Accept-Encoding": ACCEPTED_ENCODINGS, **_authorization(step.token)},
            extensions=extensions,
        )
    # Plain bytes, so that they can be counted against their announced length and the limit.
    headers = {"Accept-Encoding": "identity"}
    if step.token is not None:
        headers |= _authorization(step.token)
        return client.build_request(
            request.method, step.url, headers=headers, extensions=extensions
        )
    # Built without the client, whose own headers and cookies are not meant for other hosts.
    return httpx.Request(
        request.method,
        step.url,
        headers=headers,
        extensions={"timeout": client.timeout.as_dict(), **extensions},
    )


def answer_to(step: Send, response: httpx.Response, content: bytes) -> Answer:
    """A response that was read whole."""
    return Answer(response.status_code, headers_of(response), content, step.token)


def is_content(response: httpx.Response) -> bool:
    """Whether the body is a file's content, as a whole, and so is to be left unread."""
    return response.is_success and response.status_code != httpx.codes.PARTIAL_CONTENT


def opened_answer(step: Open, response: httpx.Response, error_body: bytes | None) -> Opened:
    """A response that is still open, or one with an error status and the start of its body."""
    return Opened(
        response.status_code,
        headers_of(response),
        error_body or b"",
        step.token or SecretStr(""),
        request=step.request,
        response=response,
    )


def failure_of(
    request: Request, error: Exception, token: SecretStr, watch: ConnectionWatch | None = None
) -> ApiError:
    """The error of this package for one of httpx's, with nothing in it of what was sent."""
    said = without_token(str(error), token).rstrip(".") or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        timeout = ApiTimeoutError(
            f"{request} was not answered in time ({type(error).__name__}); try again, or pass a "
            f"larger timeout."
        )
        timeout.nothing_sent = isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
        return timeout
    if isinstance(error, httpx.DecodingError):
        return ResponseFormatError(f"{request} was answered with a damaged encoding: {said}.")
    if isinstance(error, UnicodeError):
        return ResponseFormatError(f"{request} was answered with headers that cannot be read.")
    if isinstance(error, httpx.RemoteProtocolError) and _NO_LOCATION in str(error):
        return ResponseFormatError(f"{request} was answered with a redirect that leads nowhere.")
    remedy = "Check that the API runs at the base URL (MANAGED_SYNC_BASE_URL)."
    if not token.get_secret_value():
        remedy = "Check that the host to which the API sends for this content can be reached."
    return ApiConnectionError(
        f"{request} failed: {said}. {remedy}",
        nothing_sent=isinstance(error, httpx.ConnectError),
        is_lasting=_is_lasting(error),
        was_closed_meanwhile=watch is not None and watch.was_closed_meanwhile,
    )


def _is_lasting(error: BaseException | None) -> bool:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL):
        return True
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _authorization(token: SecretStr) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.get_secret_value()}"}


def decoder_of(request: Request, response: httpx.Response) -> Decoder:
    """What undoes the encoding of the parts that ``raw_parts`` and ``araw_parts`` give."""
    # An event hook of the caller's own client may have read it all, and so decoded it.
    encoding = {} if response.is_stream_consumed else headers_of(response)
    return Decoder(request, encoding)


def raw_parts(response: httpx.Response) -> Iterator[bytes]:
    """The parts of a body, encoded as they came."""
    return response.iter_bytes() if response.is_stream_consumed else response.iter_raw()


def araw_parts(response: httpx.Response) -> AsyncIterator[bytes]:
    """Like ``raw_parts``, of an asynchronous client."""
    return response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()


def headers_of(response: httpx.Response) -> Mapping[str, str]:
    """The headers of a response, by their names in lower case."""
    return {name.lower(): value for name, value in response.headers.items()}
