"""Splits the parts of ``.xlsb`` workbooks, which hold records instead of XML."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Record", "records", "rich_string", "rk_number", "wide_string"]

_UNSIGNED = struct.Struct("<I")


class Record(NamedTuple):
    """A record: the number of its type, and its bytes."""

    kind: int
    data: bytes


def records(data: bytes) -> Iterator[Record]:
    """Yields the records of a part; one that is cut off ends it."""
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        at += 1
        if kind & 0x80 and at < end:
            kind = (kind & 0x7F) | (data[at] & 0x7F) << 7
            at += 1
        size = 0
        for shift in (0, 7, 14, 21):
            if at >= end:
                return
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
        if at + size > end:
            return
        yield Record(kind, data[at : at + size])
        at += size


def wide_string(data: bytes, at: int) -> tuple[str, int]:
    """Returns the text at a place, and where it ends; a missing text is empty."""
    if at + 4 > len(data):
        return "", len(data)
    (length,) = _UNSIGNED.unpack_from(data, at)
    if length == 0xFFFFFFFF:
        return "", at + 4
    end = at + 4 + 2 * length
    return data[at + 4 : end].decode("utf-16-le", "replace"), end


def rich_string(data: bytes, at: int) -> str:
    """Returns a text with formats, without them."""
    return wide_string(data, at + 1)[0]


def rk_number(data: bytes, at: int) -> float:
    """Returns a number that is kept in 30 bits, perhaps as hundredths."""
    (value,) = struct.unpack_from("<i", data, at)
    if value & 2:
        number = float(value >> 2)
    else:
        (number,) = struct.unpack("<d", b"\0\0\0\0" + struct.pack("<I", value & 0xFFFFFFFC))
    return number / 100 if value & 1 else number
