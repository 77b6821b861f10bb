"""Decides which requests are sent again, and after how long.

Waits double from half a second up to eight, and each is cut by a random part, so that many clients
do not come back at the same moment. An API that names a moment in ``Retry-After`` is obeyed.

See ``docs/decisions/0017-client-retries.md``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Lock

from managed_sync.arguments import check_number
from managed_sync.backoff import Backoff
from managed_sync.client.wire.request import Request
from managed_sync.errors import (
    ApiConnectionError,
    ApiError,
    ApiStatusError,
    IncompleteResponseError,
)
from managed_sync.forks import OfProcess
from managed_sync.logs import get_logger

__all__ = ["DEFAULT_RETRY_BUDGET", "RetryPolicy"]

DEFAULT_RETRY_BUDGET = 60.0

_logger = get_logger("managed_sync.client")

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_BACKOFF = Backoff(first=0.5, longest=8.0)
_MAX_KEPT_CONNECTIONS = 3
# The API is well then, and other records wait, perhaps many of the same host.
_MAX_FOR_A_DEAD_HOST = 4


class RetryPolicy(OfProcess):
    """A policy of retries for one client, which also counts them. Safe to share between threads.

    Args:
        budget: Seconds from the first sending after which no retry begins; 0 means no retries.
        jitter: A random number from 0 to 1.

    Raises:
        ConfigurationError: The budget is not a number of seconds.
    """

    def __init__(
        self, budget: float = DEFAULT_RETRY_BUDGET, *, jitter: Callable[[], float] = random.random
    ) -> None:
        self._budget = check_number("retry_budget", budget, unit="seconds")
        self._jitter = jitter
        self._count = 0
        self._enter_process()

    def _begin(self) -> None:
        self._lock = Lock()

    @property
    def count(self) -> int:
        """The number of retries so far."""
        with self._lock:
            return self._count

    def next_wait(
        self, request: Request, error: ApiError, *, retries: int, spent: float
    ) -> float | None:
        """Returns the seconds before the next retry, which is counted and logged, or ``None``.

        Args:
            request: The request that failed.
            error: The error.
            retries: The number of retries it has had.
            spent: Seconds since it was first sent.
        """
        asked = error.retry_after if isinstance(error, ApiStatusError) else None
        if not _is_worth_retrying(error):
            return None
        if retries >= _MAX_FOR_A_DEAD_HOST and _is_host_of_content_dead(error):
            return None
        if not request.is_repeatable and not _was_not_carried_out(error):
            return None
        if _was_closed_meanwhile(error) and retries < _MAX_KEPT_CONNECTIONS:
            # No retry by the budget: the API itself was not asked yet.
            self._note(request, error, retries, 0.0)
            return 0.0
        wait = _BACKOFF.wait(retries) * (1 - self._jitter() / 2)
        wait = max(wait, asked or 0.0)
        if spent + wait >= self._budget:
            return None
        self._note(request, error, retries, wait)
        return wait

    def _note(self, request: Request, error: ApiError, retries: int, wait: float) -> None:
        with self._lock:
            self._count += 1
        # Neither the API's words nor the library's: they may repeat what was sent.
        _logger.warning(
            "%s failed (%s); retry %d follows in %.1f s", request, _kind(error), retries + 1, wait
        )


def _is_worth_retrying(error: ApiError) -> bool:
    if isinstance(error, ApiConnectionError):
        return not error.is_lasting
    if isinstance(error, ApiStatusError):
        return error.status in _TRANSIENT
    return isinstance(error, IncompleteResponseError)


def _was_not_carried_out(error: ApiError) -> bool:
    """Returns whether it is certain that the request had no effect."""
    if isinstance(error, ApiConnectionError):
        return error.nothing_sent
    return error.status == 429 or (
        error.status == 503 and isinstance(error, ApiStatusError) and error.retry_after is not None
    )


def _was_closed_meanwhile(error: ApiError) -> bool:
    return isinstance(error, ApiConnectionError) and error.was_closed_meanwhile


def _is_host_of_content_dead(error: ApiError) -> bool:
    return isinstance(error, ApiConnectionError) and error.is_of_one_record and error.nothing_sent


def _kind(error: ApiError) -> str:
    return str(error.status) if isinstance(error, ApiStatusError) else type(error).__name__
