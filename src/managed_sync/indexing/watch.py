"""Repeats work until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from managed_sync.backoff import Backoff
from managed_sync.errors import IndexingError, ManagedSyncError

__all__ = ["watch"]

_LONGEST_PAUSE = 3600.0


def watch(
    work: Callable[[], None],
    *,
    every: float,
    stop: threading.Event,
    on_error: Callable[[ManagedSyncError, float], None],
) -> None:
    """Repeats work; after failures less and less often, down to once an hour.

    Args:
        work: The work.
        every: Seconds between the end of one turn and the beginning of the next.
        stop: Ends it when it is set, also while it waits.
        on_error: Called with the error, and the seconds until the next turn.
    """
    backoff, failures = Backoff(every, longest=max(every, _LONGEST_PAUSE)), 0
    while not stop.is_set():
        try:
            work()
        except (ManagedSyncError, OSError) as error:
            failures += 1
            on_error(_of_this_package(error), backoff.wait(failures))
        else:
            failures = 0
        stop.wait(backoff.wait(failures))


def _of_this_package(error: ManagedSyncError | OSError) -> ManagedSyncError:
    """Wraps errors of the system, such as a full disk, which may be gone at the next turn."""
    if isinstance(error, ManagedSyncError):
        return error
    return IndexingError(f"{type(error).__name__}: {error}.")
