"""Bodies of responses, read part by part, so that none fills the memory.

An encoded body is decoded here and not by httpx, which makes as much of a part as is in it: of a
few kilobytes of compressed zeros, gigabytes.

See ``docs/decisions/0032-client-responses.md``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from managed_sync.client.wire.request import Request
from managed_sync.errors import ApiTimeoutError, IncompleteResponseError, ResponseFormatError

__all__ = ["ACCEPTED_ENCODINGS", "DEFAULT_MAX_ANSWER_BYTES", "Body", "Decoder"]

DEFAULT_MAX_ANSWER_BYTES = 64 << 20
ACCEPTED_ENCODINGS = "gzip, deflate"
# A body that comes drop by drop never runs into the timeout for a part.
_LONGEST_SECONDS = 300.0
_GZIP = zlib.MAX_WBITS | 16


class Decoder:
    """A decoder of one encoded body.

    Args:
        request: The request, for messages.
        encoding: The encoding, in lower case.

    Raises:
        ResponseFormatError: The encoding is none that was asked for.
    """

    def __init__(self, request: Request, encoding: str) -> None:
        self._request = request
        self._encoding = encoding
        self._is_begun = False
        match encoding:
            case "gzip" | "x-gzip":
                self._inflate = zlib.decompressobj(_GZIP)
            case "deflate":
                self._inflate = zlib.decompressobj()
            case _:
                raise ResponseFormatError(
                    f"{request} was answered with the encoding {encoding[:40]!r}; the API "
                    f"must use one of those that the request accepts."
                )

    def decode(self, part: bytes, limit: int) -> bytes:
        """Returns the next part decoded; of one with more than ``limit`` bytes, one byte too many.

        Raises:
            ResponseFormatError: The part is damaged.
        """
        try:
            return self._inflated(part, limit + 1)
        except zlib.error as error:
            reason = str(error)
        raise ResponseFormatError(
            f"{self._request} was answered with a damaged encoding: {reason}."
        )

    def end(self) -> None:
        """Ends the body.

        Raises:
            IncompleteResponseError: The encoded body breaks off.
        """
        if self._is_begun and not self._inflate.eof:
            raise IncompleteResponseError(
                f"{self._request} was answered with a body that breaks off. Try again."
            )

    def _inflated(self, part: bytes, most: int) -> bytes:
        first, self._is_begun = not self._is_begun, self._is_begun or bool(part)
        try:
            return self._inflate.decompress(part, most)
        except zlib.error:
            if not first or self._encoding != "deflate":
                raise
            # Some servers leave out the header that the name stands for.
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._inflate.decompress(part, most)


@dataclass(slots=True)
class Body:
    """The body of a response that is read whole.

    Args:
        request: The request, for messages.
        decoder: Decodes the body, if it is encoded.
        max_bytes: The largest size that is read.
        began: The time at its beginning, in seconds that only ever grow.
    """

    request: Request
    decoder: Decoder | None
    max_bytes: int
    began: float
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def take(self, part: bytes, *, now: float) -> None:
        """Adds a part in the form in which it came.

        Raises:
            ResponseFormatError: The body is too large or damaged.
            ApiTimeoutError: The body takes too long.
        """
        if now > self.began + _LONGEST_SECONDS:
            raise ApiTimeoutError(
                f"{self.request} did not complete within {_LONGEST_SECONDS:g} s; the API "
                f"sends too slowly."
            )
        if self.decoder is not None:
            part = self.decoder.decode(part, self.max_bytes - self._size)
        self._size += len(part)
        if self._size > self.max_bytes:
            raise ResponseFormatError(
                f"{self.request} was answered with more than {self.max_bytes:,} bytes, which is "
                f"the limit for an answer; pass a larger max_answer_bytes if the API's answers "
                f"are that large."
            )
        self._parts.append(part)

    def whole(self) -> bytes:
        """Returns the whole body.

        Raises:
            IncompleteResponseError: The encoded body breaks off.
        """
        if self.decoder is not None:
            self.decoder.end()
        return b"".join(self._parts)
