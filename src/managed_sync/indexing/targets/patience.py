"""Retries of a target's calls: how often, how long after, and how long at most.

An embedding service with a limit of requests says so in its errors, each SDK in its own way: by an
HTTP status, an attribute, a header or the name of the error. Such an error says nothing about the
texts that were sent, so it is waited out and never held against a record.
"""

from __future__ import annotations

import contextvars
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from managed_sync.arguments import check_integer, check_number
from managed_sync.errors import IndexingError

__all__ = ["CallTimeoutError", "Retries", "TimedCalls", "is_limited", "requested_wait"]

T = TypeVar("T")

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


class CallTimeoutError(IndexingError):
    """A call of the target did not return in time and may still be running."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Says how often and how long a run keeps asking a target that fails.

    Attributes:
        attempts: Calls in all, if the target fails without saying that it is limited.
        first_wait: Seconds before the second call; doubled before each further one.
        patience: Seconds to wait, in all and for one call, for a target that says it is limited
            (HTTP 429, ``Retry-After``). The default of 5 minutes outlasts limits per minute. After
            that the run ends with an error, and what was not written is left for the next one.
        call_timeout: Seconds that one call may take. By default there is no limit, since calls
            with a limit run in a thread of their own, which some stores' connections do not allow.
            A call that takes longer is waited for once more by each further attempt, and never
            repeated while it runs; then the run ends with an error.

    Raises:
        ConfigurationError: A number is negative or, where that makes no sense, zero.
    """

    attempts: int = 4
    first_wait: float = 0.25
    patience: float = 300.0
    call_timeout: float | None = None

    def __post_init__(self) -> None:
        check_integer("attempts", self.attempts)
        for name, seconds in (("first_wait", self.first_wait), ("patience", self.patience)):
            check_number(name, seconds, is_finite=False, unit="seconds")
        if self.call_timeout is not None:
            check_number(
                "call_timeout",
                self.call_timeout,
                is_positive=True,
                is_finite=False,
                unit="seconds",
                alternative="None",
            )


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

    A date in ``Retry-After`` is compared with the answer's own ``Date``, never with the clock of
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


class TimedCalls:
    """Makes calls that are given up after a time, and never two of them at once.

    Args:
        limit: Seconds that a call may take; ``None`` for any number.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._running: tuple[Callable[[], object], Future[None]] | None = None

    def __call__(self, call: Callable[[], None]) -> None:
        """Makes a call, or waits again for the same one if it was given up and still runs.

        Raises:
            CallTimeoutError: It, or another one that was given up before it, still runs.
        """
        if self._limit is None:
            call()
            return
        before, future = self._running or (None, None)
        if future is None or before is not call:
            if future is not None and not wait([future], self._limit).done:
                raise self._timeout()
            future = _begun(call)
            self._running = (call, future)
        if not wait([future], self._limit).done:
            raise self._timeout()
        self._running = None
        future.result()

    def value(self, call: Callable[[], T]) -> T:
        """Makes a call that returns something.

        Raises:
            CallTimeoutError: It, or another one that was given up before it, still runs.
        """
        found: list[T] = []
        self(lambda: found.append(call()))
        return found[0]

    def _timeout(self) -> CallTimeoutError:
        return CallTimeoutError(
            f"The index did not answer within {self._limit:g} s (Retries.call_timeout)."
        )


def _begun(call: Callable[[], None]) -> Future[None]:
    """Starts a call in a thread that does not keep the process from ending."""
    future: Future[None] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            context.run(call)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for it
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=run, name="managed-sync-index-call", daemon=True).start()
    return future


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that led to it."""
    for _ in range(_DEEPEST):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _statuses(error: BaseException) -> Iterator[int]:
    answer = getattr(error, "response", None)
    for thing in (error, answer):
        for name in ("status_code", "status", "http_status", "code"):
            value = getattr(thing, name, None)
            if isinstance(value, int):
                yield int(value)
    if isinstance(answer, Mapping):  # as in botocore
        value = _mapping(answer.get("ResponseMetadata")).get("HTTPStatusCode")
        if isinstance(value, int):
            yield value
        code = str(_mapping(answer.get("Error")).get("Code", ""))
        if _NAMES.search(code):
            yield 429


def _headers(error: BaseException) -> Mapping[str, Any]:
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping):
        found = _mapping(answer.get("ResponseMetadata")).get("HTTPHeaders")
    else:
        found = getattr(answer, "headers", None) or getattr(error, "headers", None)
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
    until, now = _date(value), _date(headers.get("date"))
    return (until - now).total_seconds() if until and now else None


def _date(value: Any) -> datetime | None:
    try:
        found = parsedate_to_datetime(str(value))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
