"""State that a forked process must not take over from its parent.

Servers that load a program once and fork their workers, and ``multiprocessing``, copy objects that
are in use: locks held by threads that do not exist in the child, and work that such a thread would
have finished. In a child, that state starts fresh.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from weakref import WeakSet

__all__ = ["OfProcess"]


class OfProcess(ABC):
    """The base of objects with locks, or with work in progress, that belong to one process."""

    def _enter_process(self) -> None:
        """Starts the state, here and in each forked child; called by ``__init__``."""
        self._begin()
        _instances.add(self)

    @abstractmethod
    def _begin(self) -> None:
        """Creates the locks, with no work in progress."""


_instances: WeakSet[OfProcess] = WeakSet()


def _begin_in_child() -> None:
    for each in list(_instances):
        each._begin()  # noqa: SLF001 - own class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
