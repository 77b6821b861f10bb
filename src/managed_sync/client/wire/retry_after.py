"""Reads ``Retry-After``, the header in which an API asks for a pause."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["seconds_until"]


def seconds_until(retry_after: str | None, date: str | None) -> float | None:
    """Returns the seconds that ``Retry-After`` asks for; ``None`` if it cannot be read.

    A date is compared with the response's own ``Date`` where there is one, since the clocks of a
    client and a server differ.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _moment(text)
    if until is None:
        return None
    return max(0.0, (until - (_moment(date or "") or datetime.now(UTC))).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
