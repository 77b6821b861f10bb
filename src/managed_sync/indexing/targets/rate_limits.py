"""Recognizes errors with which a service says that too much was asked of it for now.

An embedding service with a limit of requests says so in its errors, each SDK in its own way: by an
HTTP status, an attribute, a header or the name of the error. Such an error says nothing about the
texts that were sent, so it is waited out and never held against a record.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from managed_sync.backoff import http_date

__all__ = ["is_limited", "requested_wait"]

_TOO_MANY_REQUESTS = frozenset({429, 529})
_NAMES = re.compile(r"rate_?limit|too_?many_?requests|throttl|resource_?exhausted", re.IGNORECASE)
_PHRASES = re.compile(
    r"(?:^|status|code|http\S*)\W{0,3}429\b|rate.?limit|too many requests|throttl", re.IGNORECASE
)
# Too much in one request: to wait does not help, to send less does.
_TOO_LARGE = re.compile(r"(request|message|payload|input).{0,20}(too large|larger than)", re.I)
_SECONDS = re.compile(
    r"(?:retry|try again)\D{0,20}?(\d+(?:\.\d+)?)\s*(ms|milliseconds|s\b|sec|seconds)",
    re.IGNORECASE,
)
_DEEPEST = 10


def is_limited(error: BaseException) -> bool:
    """Returns whether an error says that too much was asked of a service for now."""
    if any(_TOO_LARGE.search(str(each)) for each in _chain(error)):
        return False
    for each in _chain(error):
        if _TOO_MANY_REQUESTS & set(_statuses(each)) or _NAMES.search(type(each).__name__):
            return True
        if _number(getattr(each, "retry_after", None)) is not None or _PHRASES.search(str(each)):
            return True
    return False


def requested_wait(error: BaseException) -> float | None:
    """Returns the seconds that a limited service asks to wait, if it says so.

    A date in ``Retry-After`` is compared with the response's own ``Date``, never with the clock of
    this machine.
    """
    for each in _chain(error):
        seconds = _number(getattr(each, "retry_after", None))
        if seconds is None:
            seconds = _from_headers(_headers(each))
        if seconds is None and (found := _SECONDS.search(str(each))):
            seconds = float(found[1]) / (1000 if found[2].lower().startswith("m") else 1)
        if seconds is not None:
            return max(seconds, 0.0)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and those that led to it."""
    for _ in range(_DEEPEST):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _statuses(error: BaseException) -> Iterator[int]:
    response = getattr(error, "response", None)
    for thing in (error, response):
        for name in ("status_code", "status", "http_status", "code"):
            value = getattr(thing, name, None)
            if isinstance(value, int):
                yield int(value)
    if isinstance(response, Mapping):  # as in botocore
        value = _mapping(response.get("ResponseMetadata")).get("HTTPStatusCode")
        if isinstance(value, int):
            yield value
        code = str(_mapping(response.get("Error")).get("Code", ""))
        if _NAMES.search(code):
            yield 429


def _headers(error: BaseException) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        found = _mapping(response.get("ResponseMetadata")).get("HTTPHeaders")
    else:
        found = getattr(response, "headers", None) or getattr(error, "headers", None)
    try:
        return {str(name).lower(): value for name, value in dict(found or {}).items()}
    except (TypeError, ValueError):
        return {}


def _from_headers(headers: Mapping[str, Any]) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    until, now = http_date(str(value)), http_date(str(headers.get("date")))
    return (until - now).total_seconds() if until and now else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
