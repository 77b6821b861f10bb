"""Between steps and httpx: requests are built, and errors translated, for both clients alike.

An error of httpx carries the request, and its trace the headers, so none of them is chained to an
error of this package: ``failure_of`` makes a new one, raised where the old one is over.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from managed_sync.client.operations import Answer, Request, without_token
from managed_sync.client.steps import Open, Opened, Send
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
    "check_http_client",
    "checked_base_url",
    "failure_of",
    "http_request",
    "no_cookies",
    "opened_answer",
    "pool_limits",
]

DEFAULT_TIMEOUT = 30.0
READ_OF_ERRORS = 65_536  # bytes of an error's body that are read, where content was asked for
# UnicodeError: a header or a cookie of an answer that httpx keeps, and cannot send again.
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
    return httpx.Limits(max_connections=None, max_keepalive_connections=max_concurrent_requests)


def no_cookies() -> CookieJar:
    """Keeps no cookie: the API knows its callers by their tokens."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def http_request(
    client: httpx.Client | httpx.AsyncClient, base_url: str, step: Send | Open
) -> httpx.Request:
    """The request of httpx that a step asks for."""
    request = step.request
    if isinstance(step, Send):
        # Encoded here, since httpx parses a URL twice where it gets params beside it.
        query = f"?{urlencode(request.params, quote_via=quote)}" if request.params else ""
        return client.build_request(
            request.method,
            f"{base_url}{request.path}{query}",
            json=request.body,
            headers=_authorization(step.token),
        )
    # Plain bytes, so that they can be counted against their announced length and the limit.
    headers = {"Accept-Encoding": "identity"}
    if step.token is not None:
        headers |= _authorization(step.token)
        return client.build_request(request.method, step.url, headers=headers)
    # Built without the client, whose own headers and cookies are not meant for other hosts.
    return httpx.Request(
        request.method,
        step.url,
        headers=headers,
        extensions={"timeout": client.timeout.as_dict()},
    )


def answer_to(step: Send, response: httpx.Response) -> Answer:
    """A response that was read whole."""
    return Answer(response.status_code, _headers(response), response.content, step.token)


def opened_answer(step: Open, response: httpx.Response, error_body: bytes | None) -> Opened:
    """A response that is still open, or one with an error status and the start of its body."""
    return Opened(
        response.status_code,
        _headers(response),
        error_body or b"",
        step.token or SecretStr(""),
        request=step.request,
        response=response,
    )


def failure_of(request: Request, error: Exception, token: SecretStr) -> ApiError:
    """The error of this package for one of httpx's, with nothing in it of what was sent."""
    said = without_token(str(error), token) or type(error).__name__
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
    return ApiConnectionError(
        f"{request} failed: {said}. Check that the API runs at the base URL "
        f"(MANAGED_SYNC_BASE_URL).",
        nothing_sent=isinstance(error, httpx.ConnectError),
        is_lasting=_is_lasting(error),
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


def _headers(response: httpx.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
