"""Translates between this package and httpx, for both drivers: requests, responses and errors.

An error of httpx carries the request, and its trace the headers, so none of them is chained to an
error of this package: ``failure_of`` makes a new one, raised once the old one is handled.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from managed_sync.client.transport.bodies import ACCEPTED_ENCODINGS, Decoder
from managed_sync.client.transport.connections import ConnectionWatch
from managed_sync.client.transport.effects import StreamedResponse
from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import without_token
from managed_sync.errors import (
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    ResponseFormatError,
)

__all__ = [
    "HTTP_ERRORS",
    "READ_OF_ERRORS",
    "araw_parts",
    "decoder_of",
    "failure_of",
    "http_request",
    "is_content",
    "open_request",
    "raw_parts",
    "streamed_response",
]

Trace: TypeAlias = Callable[[str, Any], Awaitable[None] | None]

READ_OF_ERRORS = 65_536  # bytes of an error's body that are read, where content was asked for
# UnicodeError: a header or a cookie of a response that httpx keeps, and cannot send again.
HTTP_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError)
# httpx says this of a redirect that it cannot read, though it need not follow it.
_NO_LOCATION = "Invalid URL in location header"


def http_request(
    client: httpx.Client | httpx.AsyncClient,
    base_url: str,
    request: Request,
    token: SecretStr,
    trace: Trace,
) -> httpx.Request:
    """Builds httpx's request to the API; ``trace`` is told how far it comes."""
    # Encoded here, since httpx parses a URL twice where it gets params as well.
    query = f"?{urlencode(request.params, quote_via=quote)}" if request.params else ""
    return client.build_request(
        request.method,
        f"{base_url}{request.path}{query}",
        json=request.body,
        headers={
            "Accept-Encoding": ACCEPTED_ENCODINGS,
            "Authorization": f"Bearer {token.get_secret_value()}",
        },
        extensions={"trace": trace},
    )


def open_request(
    client: httpx.Client | httpx.AsyncClient,
    request: Request,
    url: str,
    token: SecretStr | None,
    trace: Trace,
) -> httpx.Request:
    """Builds httpx's request for content, which may be on another host: then without a token."""
    # Plain bytes, so that they can be counted against their announced length and the limit.
    headers = {"Accept-Encoding": "identity"}
    extensions: dict[str, Any] = {"trace": trace}
    if token is not None:
        headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        return client.build_request(request.method, url, headers=headers, extensions=extensions)
    # Built without the client, whose own headers and cookies are not meant for other hosts.
    return httpx.Request(
        request.method,
        url,
        headers=headers,
        extensions={"timeout": client.timeout.as_dict(), **extensions},
    )


def is_content(response: httpx.Response) -> bool:
    """Returns whether the body is a file's content, as a whole, and so is to be left unread."""
    return response.is_success and response.status_code != httpx.codes.PARTIAL_CONTENT


def streamed_response(
    request: Request, response: httpx.Response, error_body: bytes, token: SecretStr | None
) -> StreamedResponse:
    """Returns a response that is still open, or one with the start of an error's body."""
    return StreamedResponse(
        response.status_code,
        dict(response.headers),
        error_body,
        token or SecretStr(""),
        request=request,
        stream=response,
    )


def failure_of(
    request: Request, error: Exception, token: SecretStr, watch: ConnectionWatch | None = None
) -> ApiError:
    """Returns this package's error for one of httpx's, with nothing in it that was sent."""
    reason = without_token(str(error), token).rstrip(".") or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        timeout = ApiTimeoutError(
            f"{request} was not answered in time ({type(error).__name__}); try again, or pass a "
            f"larger timeout."
        )
        timeout.nothing_sent = isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
        return timeout
    if isinstance(error, httpx.DecodingError):
        return ResponseFormatError(f"{request} was answered with a damaged encoding: {reason}.")
    if isinstance(error, UnicodeError):
        return ResponseFormatError(f"{request} was answered with headers that cannot be read.")
    if isinstance(error, httpx.RemoteProtocolError) and _NO_LOCATION in str(error):
        return ResponseFormatError(f"{request} was answered with a redirect that leads nowhere.")
    remedy = "Check that the API runs at the base URL (MANAGED_SYNC_BASE_URL)."
    if not token.get_secret_value():
        remedy = "Check that the host to which the API sends for this content can be reached."
    return ApiConnectionError(
        f"{request} failed: {reason}. {remedy}",
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


def decoder_of(request: Request, response: httpx.Response) -> Decoder | None:
    """Returns a decoder for the parts of a body, ``None`` if they are not encoded."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    # An event hook of the caller's own client may have read it all, and so decoded it.
    if response.is_stream_consumed or encoding in {"", "identity"}:
        return None
    return Decoder(request, encoding)


def raw_parts(response: httpx.Response) -> Iterator[bytes]:
    """Returns the parts of a body, encoded as they came."""
    return response.iter_bytes() if response.is_stream_consumed else response.iter_raw()


def araw_parts(response: httpx.Response) -> AsyncIterator[bytes]:
    """Returns the parts of a body, as ``raw_parts`` does, from an asynchronous client."""
    return response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
