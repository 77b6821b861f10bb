"""Cursors: opaque strings that mark a position in a listing."""

from __future__ import annotations

import base64
import binascii
import json

from managed_sync.server.domain import InvalidParameterError

__all__ = ["InvalidCursorError", "read_cursor", "write_cursor"]


class InvalidCursorError(InvalidParameterError):
    """The cursor is not from this listing."""

    def __init__(self) -> None:
        super().__init__(
            "cursor must be a value that this listing returned; leave it out to begin again."
        )


def write_cursor(*parts: str | int) -> str:
    """Returns a cursor with these parts."""
    text = json.dumps(parts)
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def read_cursor(cursor: str, *kinds: type[str | int]) -> list[str | int]:
    """Returns the parts of a cursor.

    Raises:
        InvalidParameterError: The cursor does not have parts of these types.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise InvalidCursorError from None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise InvalidCursorError
    if not all(_is_storable(part) for part in parts):
        raise InvalidCursorError
    return parts


def _is_storable(part: str | int) -> bool:
    """Returns whether a database accepts a part; a forged cursor may contain any value."""
    if isinstance(part, int):
        return 0 <= part < 1 << 31
    return "\0" not in part and not any("\ud800" <= letter <= "\udfff" for letter in part)
