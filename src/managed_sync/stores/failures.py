"""Turns the errors of stores and of other retrievers into one that can be shown.

Guarantees:

- A store's error is raised as ``StoreSearchError``, without its message, and without the error
  itself as cause or context: they may hold texts of passages that the subject may not read, and
  callers, tracers and the log see them. Errors of this package are raised as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from managed_sync.errors import ManagedSyncError, StoreSearchError
from managed_sync.logs import get_logger

__all__ = ["asearched", "searched"]

_logger = get_logger(__name__)

R = TypeVar("R")
# Attributes by which the clients of stores name the status of a response.
_STATUS = ("status_code", "status", "code")


def searched(name: str, search: Callable[[], R]) -> R:
    """Returns the result of a search.

    Args:
        name: The class of the store or retriever.
        search: Searches it.

    Raises:
        StoreSearchError: The search failed.
    """
    try:
        return search()
    except ManagedSyncError:
        raise
    except Exception as error:  # noqa: BLE001 - raised as one error
        failure = _failure(name, error)
    # Outside the handler, so that the store's error does not become the context.
    raise failure


async def asearched(name: str, search: Callable[[], Awaitable[R]]) -> R:
    """Like ``searched``, for a search that is awaited."""
    try:
        return await search()
    except ManagedSyncError:
        raise
    except Exception as error:  # noqa: BLE001 - raised as one error
        failure = _failure(name, error)
    raise failure


def _failure(name: str, error: Exception) -> StoreSearchError:
    kind = type(error)
    fault = kind.__qualname__
    if kind.__module__ != "builtins":
        fault = f"{kind.__module__}.{fault}"
    # Numbers hold no text.
    statuses = (getattr(error, attribute, None) for attribute in _STATUS)
    if status := next((each for each in statuses if type(each) is int), None):
        fault += f" (status {status})"
    _logger.warning("%s could not be searched: %s", name, fault)
    failure = StoreSearchError(
        f"{name} could not be searched: {fault}. Its own message is not shown, since it may hold "
        f"texts of passages that the user may not read. To see it, search {name} itself."
    )
    failure.error_type = kind
    return failure
