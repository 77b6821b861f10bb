"""Rules for the content of files.

Guarantees:

- Hardly more bytes than the limit are read.
- Content with fewer or more bytes than announced raises.
- A redirect is followed to https or to the API's own host only, and only the latter gets the token.

See ``docs/decisions/0016-client-content.md``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from urllib.parse import urljoin, urlsplit

from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import Response
from managed_sync.errors import (
    ApiTimeoutError,
    ContentTooLargeError,
    IncompleteResponseError,
    ResponseFormatError,
)

__all__ = [
    "DEFAULT_MAX_CONTENT_BYTES",
    "MAX_REDIRECTS",
    "REDIRECTS",
    "AsyncContentStream",
    "ContentCheck",
    "ContentStream",
    "content_kind",
    "is_own_origin",
    "redirect_target",
]

DEFAULT_MAX_CONTENT_BYTES = 100 * 1024 * 1024
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Content may take this many seconds at any speed. After that it must come at this many bytes per
# second.
_GRACE_SECONDS = 300.0
_MIN_BYTES_PER_SECOND = 1000.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Content:
    """The description of a file, known before its bytes are read.

    Attributes:
        content_type: The media type without parameters, such as ``application/pdf``.
        filename: The file's name, if the server sent one.
        size: The number of bytes, if the server announced it.
    """

    content_type: str
    filename: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class ContentStream(_Content):
    """The content of a file in parts of bytes, to be iterated over once."""

    _parts: Iterator[bytes] = field(repr=False)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts


@dataclass(frozen=True, slots=True)
class AsyncContentStream(_Content):
    """The content of a file in parts of bytes, to be iterated over once with ``async for``."""

    _parts: AsyncIterator[bytes] = field(repr=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._parts


class ContentCheck:
    """Counts the bytes of one body, and raises if they are too many or too few.

    Args:
        record_id: The record, for messages.
        response: The response, whose headers announce the length.
        max_bytes: The limit.

    Raises:
        ContentTooLargeError: The announced size exceeds the limit, so that nothing needs reading.
    """

    def __init__(self, record_id: str, response: Response, max_bytes: int) -> None:
        self._record_id = record_id
        self._response = response
        self._max_bytes = max_bytes
        self._count = 0
        self._waited = 0.0
        self._announced = _announced_length(response.headers)
        self._is_encoded = response.headers.get("content-encoding", "identity") != "identity"
        self.size = None if self._is_encoded else self._announced
        if self.size is not None:
            self._refuse_over_limit(self.size)

    def take(self, part: bytes, *, waited: float) -> None:
        """Counts a part, which arrived after ``waited`` seconds.

        Raises:
            ContentTooLargeError: The content exceeds the limit.
            ApiTimeoutError: The content comes so slowly that it never hits the timeout for a part.
        """
        self._count += len(part)
        self._refuse_over_limit(self._count)
        self._waited += waited
        if self._waited > _GRACE_SECONDS and self._count < self._waited * _MIN_BYTES_PER_SECOND:
            error = ApiTimeoutError(
                f"The content of record {self._record_id} comes too slowly: {self._count:,} bytes "
                f"in {self._waited:.0f} s."
            )
            error.is_of_one_record = True
            raise error

    @property
    def room(self) -> int:
        """The number of bytes that are still allowed."""
        return self._max_bytes - self._count

    def end(self, downloaded: int) -> None:
        """Ends the body; ``downloaded`` is the number of bytes before decoding.

        Raises:
            IncompleteResponseError: The number of bytes differs from the announced one.
        """
        received = downloaded if self._is_encoded else self._count
        if self._announced is not None and received != self._announced:
            raise IncompleteResponseError(
                f"The content of record {self._record_id} is incomplete: {received:,} of "
                f"{self._announced:,} bytes arrived. Try again.",
                status=self._response.status,
                request_id=self._response.request_id,
            )

    def _refuse_over_limit(self, size: int) -> None:
        if size > self._max_bytes:
            raise ContentTooLargeError(
                f"The content of record {self._record_id} is larger than the limit of "
                f"{self._max_bytes:,} bytes; pass a larger max_bytes to read it.",
                status=self._response.status,
                request_id=self._response.request_id,
            )


def content_kind(headers: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns the media type and the name of a file from headers with names in lower case."""
    # The standard library's e-mail parser reads parameters, quoting and RFC 2231 names.
    message = Message()
    message["content-type"] = headers.get("content-type", "application/octet-stream")
    message["content-disposition"] = headers.get("content-disposition", "attachment")
    return message.get_content_type(), _filename(message)


def _filename(message: Message) -> str | None:
    try:
        parameters = message.get_params([], header="content-disposition")
        names = [value for name, value in parameters if name == "filename"]
        # A name with an encoding is parsed into a tuple, and preferred to a plain one.
        names.sort(key=lambda value: isinstance(value, tuple), reverse=True)
        return collapse_rfc2231_value(names[0]) if names else None
    except (TypeError, ValueError):
        # The parser fails on names in parts that do not fit together, and on encodings that decode
        # no bytes, such as "undefined". The content is fine.
        return None


def redirect_target(request: Request, response: Response, base_url: str, current_url: str) -> str:
    """Returns the URL of a content redirect, if it leads to https or to the API's own host.

    A redirect from https to http is refused on the same host too.

    Raises:
        ResponseFormatError: The redirect leads elsewhere. The message names the host alone, since
            the URL of a stored file is often a secret.
    """
    try:
        url = urljoin(current_url, response.headers["location"])
        target, own = urlsplit(url), urlsplit(base_url)
        host = target.hostname
        _ = target.port
    except ValueError:
        host, url = None, ""
    if not host:
        raise ResponseFormatError(
            f"{request} was answered with a redirect without a valid URL.",
            status=response.status,
            request_id=response.request_id,
        )
    if target.scheme == "https" or (target.scheme == own.scheme and host == own.hostname):
        return url
    raise ResponseFormatError(
        f"{request} was answered with a redirect to {target.scheme}://{host}, which is not "
        f"followed: content must come over https, or from the API's own host.",
        status=response.status,
        request_id=response.request_id,
    )


def is_own_origin(base_url: str, url: str) -> bool:
    """Returns whether a URL has the API's own scheme, host and port, which may get the token."""
    return _origin(base_url) == _origin(url)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _announced_length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
        return None
    return int(length[:19])
