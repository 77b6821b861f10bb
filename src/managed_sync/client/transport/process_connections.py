"""The connections that a process sends with: its own, never those that a fork has copied.

Two processes that write on one connection read each other's answers, and an answer about what one
user may read would be taken for another's. The copies are left alone: what is written on them, or
ends their encryption, would reach the process that made them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

from managed_sync.client.transport.proxies import environment_errors
from managed_sync.errors import ConfigurationError

__all__ = ["ProcessConnections"]

H = TypeVar("H")


class ProcessConnections(Generic[H]):
    """Gives each process a client of httpx of its own.

    Args:
        make: Makes one.
        is_repeatable: Whether each call makes new connections; not so where they are those of an
            ``http_client`` or a ``transport`` that the caller passed.
    """

    def __init__(self, make: Callable[[], H], *, is_repeatable: bool) -> None:
        self._make = make
        self._is_repeatable = is_repeatable
        self._is_used = False
        with environment_errors():
            self._by_process = {os.getpid(): make()}

    def get(self) -> H:
        """The one of this process.

        Raises:
            ConfigurationError: It was used in another process, and no other one can be made.
        """
        http = self._by_process.get(os.getpid())
        if http is None:
            # No lock, which might be one that is held for ever: setdefault is whole by itself.
            http = self._by_process.setdefault(os.getpid(), self._another())
        self._is_used = True
        return http

    def made_here(self) -> H | None:
        """The one of this process, if there is one."""
        return self._by_process.get(os.getpid())

    def _another(self) -> H:
        if self._is_repeatable:
            with environment_errors():
                return self._make()
        if self._is_used:
            raise ConfigurationError(
                "This client was used before the process was forked, and its http_client or "
                "transport may share connections with the other process, so that answers would "
                "reach the wrong one. Make the client in each process, after the fork."
            )
        return next(iter(self._by_process.values()))
