"""Calls of a target: how often they are tried again, how long after, and how long one may take."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import TypeVar

from managed_sync.arguments import check_integer, check_number
from managed_sync.backoff import Backoff
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing.targets.rate_limits import is_limited, requested_wait
from managed_sync.logs import get_logger

__all__ = [
    "CallTimeoutError",
    "Retries",
    "Stopped",
    "TargetCalls",
    "TimedCalls",
    "out_of_order",
    "reason_of",
]

_logger = get_logger("managed_sync.indexing")

T = TypeVar("T")

_LIMITED = Backoff(first=1.0, longest=60.0)
_LONGEST_REASON = 300


class CallTimeoutError(IndexingError):
    """A call of the target did not return in time and may still be running."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """Says that the run was told to stop while it waited."""


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
        ConfigurationError: A number is out of range.
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


@dataclass(slots=True)
class TargetCalls:
    """Makes the calls of one run, and makes those again that fail.

    Args:
        retries: Says how often, and how long to wait.
        timed: Makes a call, in time if calls are timed.
        stop: Ends the waiting when it is set.
        before_each: Raises where the run may not write any more.

    Attributes:
        out_of_order: The error to end the run with, once the target takes nothing any more.
        left_out: Chunks that were not tried, or not with a result that says anything about them,
            since the target took nothing any more.
        limits: The most items that a call of each kind may have, where they are fewer than all.
    """

    retries: Retries
    timed: TimedCalls
    stop: threading.Event
    before_each: Callable[[], None] = lambda: None
    out_of_order: IndexingError | None = None
    left_out: set[str] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)

    def attempt(self, call: Callable[[], None], attempts: int | None = None) -> Exception | None:
        """Makes a call, again if it fails; returns the error if it still does.

        Args:
            call: The call.
            attempts: Calls in all, if they fail for another reason than a limit of requests.

        Raises:
            ConfigurationError: The target cannot be used like this.
            Stopped: The run was told to stop.
        """
        attempts = self.retries.attempts if attempts is None else attempts
        failures = limited = 0
        waited = 0.0
        while True:
            self.before_each()
            try:
                self.timed(call)
            except ConfigurationError:
                # No part of it would fare better.
                raise
            except Exception as error:  # noqa: BLE001 - a store may raise anything
                if is_limited(error):
                    asked = requested_wait(error)
                    seconds = _LIMITED.wait(limited) if asked is None else asked
                    # An answer of no wait at all must not become an endless loop.
                    seconds = max(seconds, _LIMITED.first)
                    limited += 1
                    waited += seconds
                    if waited > self.retries.patience:
                        self.out_of_order = _still_limited(error, self.retries.patience)
                        return error
                    _logger.info("The index asks to wait for %g s: %s", seconds, reason_of(error))
                else:
                    failures += 1
                    if failures >= attempts:
                        if isinstance(error, CallTimeoutError):
                            self.out_of_order = out_of_order("call", error)
                        return error
                    seconds = Backoff(self.retries.first_wait).wait(failures - 1)
                    _logger.info("The index failed (%s); it is tried again.", type(error).__name__)
            else:
                return None
            if self.stop.wait(seconds):
                raise Stopped


def reason_of(error: Exception) -> str:
    """Returns an error in one short line."""
    text = " ".join(str(error).split())[:_LONGEST_REASON]
    return text if isinstance(error, IndexingError) else f"{type(error).__name__}: {text}"


def out_of_order(kind: str, error: Exception) -> IndexingError:
    """Returns the error to end a run with, whose target takes nothing any more.

    Args:
        kind: The kind of call that failed.
        error: Its error.
    """
    problem = {
        "embed": "The embedding model returns nothing usable",
        "delete": "The index could not be deleted from",
        "call": "The index does not answer",
    }.get(kind, "The index could not be written to")
    found = IndexingError(
        f"{problem}: {reason_of(error)}. What it held is still there; fix the cause, then run "
        f"again."
    )
    found.__cause__ = error
    return found


def _still_limited(error: Exception, patience: float) -> IndexingError:
    found = IndexingError(
        f"The index or its embedding model still asks to wait after {patience:g} s "
        f"(Retries.patience): {reason_of(error)}. What was not written is left for the next run; "
        f"run again later, or with more patience."
    )
    found.__cause__ = error
    return found


def _begun(call: Callable[[], None]) -> Future[None]:
    """Starts a call in a thread that does not keep the process from ending."""
    future: Future[None] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            context.run(call)
        except BaseException as error:  # noqa: BLE001 - raised again by the waiting thread
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=run, name="managed-sync-index-call", daemon=True).start()
    return future
