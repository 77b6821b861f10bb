"""Takes the content out of signed data (CMS, PKCS #7), which holds it as it was.

Only the beginning is read, in one pass without recursion; signatures are not checked.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

__all__ = ["is_signed_data", "signed_content"]

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_IDENTIFIER, _BYTES, _BYTES_IN_PIECES, _SEQUENCE, _CONTENT = 0x06, 0x04, 0x24, 0x30, 0xA0
_PEM_BEGIN, _PEM_END = b"-----BEGIN ", b"-----END "
_LONG_TAG = 0x1F
_START = 64


def is_signed_data(data: bytes) -> bool:
    """Tells whether some bytes are signed data: signed, and not encrypted."""
    return _SIGNED_DATA in _binary(data)[:_START]


def signed_content(data: bytes) -> bytes | None:
    """Returns the content of signed data; ``None`` if there is none, or if it is damaged."""
    data = _binary(data)
    try:
        start = _entered(data, 0, _SEQUENCE)
        tag, begin, end = _element(data, start)
        if tag != _IDENTIFIER or data[begin:end] != _SIGNED_DATA:
            return None
        start = _entered(data, _after(data, start), _CONTENT)
        start = _entered(data, start, _SEQUENCE)
        # A version and the names of the algorithms come before the content.
        start = _after(data, _after(data, start))
        start = _entered(data, start, _SEQUENCE)
        start = _entered(data, _after(data, start), _CONTENT)
        return b"".join(_pieces(data, start))
    except (IndexError, ValueError):
        return None


def _binary(data: bytes) -> bytes:
    """Returns the bytes of data that may be written as text between two lines (PEM)."""
    start = data[:_START].find(_PEM_BEGIN)
    if start < 0:
        return data
    begin, end = data.find(b"\n", start), data.find(_PEM_END, start)
    try:
        return binascii.a2b_base64(data[begin : end if end >= 0 else len(data)])
    except binascii.Error:
        return data


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """Returns the tag of an element, and where its content begins and ends.

    The end is -1 if only a mark at the end of the content says it.

    Raises:
        IndexError: The data ends before it.
        ValueError: It is damaged.
    """
    tag, length = data[position], data[position + 1]
    start = position + 2
    if tag & _LONG_TAG == _LONG_TAG:
        raise ValueError(tag)
    if length == 0x80:
        return tag, start, -1
    if length > 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        raise ValueError(length)
    return tag, start, start + length


def _entered(data: bytes, position: int, expected: int) -> int:
    """Returns where the content of an element begins.

    Raises:
        ValueError: It is another element.
    """
    tag, start, _ = _element(data, position)
    if tag != expected:
        raise ValueError(tag)
    return start


def _after(data: bytes, position: int) -> int:
    """Returns where the next element begins."""
    still_open = 0
    while True:
        tag, start, end = _element(data, position)
        if end < 0:
            still_open += 1
            position = start
        else:
            still_open -= tag == 0 and start == end
            position = end
        if still_open <= 0:
            return position


def _pieces(data: bytes, position: int) -> Iterator[bytes]:
    """Yields the parts of a text of bytes, which may lie in each other."""
    still_open = 0
    last = position
    while True:
        tag, start, end = _element(data, position)
        if tag == _BYTES and end >= 0:
            yield data[start:end]
            position = end
        elif tag == _BYTES_IN_PIECES:
            still_open += end < 0
            last = max(last, end)
            position = start
        elif tag == 0 and start == end and still_open:
            still_open -= 1
            position = end
        else:
            raise ValueError(tag)
        if not still_open and position >= last:
            return
