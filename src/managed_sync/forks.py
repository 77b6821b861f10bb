"""What a process that was forked must not take over from the one that it is a copy of.

Servers that load a program once and then fork their workers, and ``multiprocessing``, copy objects
that are in use: locks that a thread holds, which does not exist in the child, and work that such a
thread was about to end. In a child they begin anew.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from weakref import WeakSet

__all__ = ["OfProcess"]


class OfProcess(ABC):
    """Something with locks, or with work under way, which are those of one process."""

    def _enter_process(self) -> None:
        """Begins here, and again in each child that a fork makes; for ``__init__`` to call."""
        self._begin()
        _known.add(self)

    @abstractmethod
    def _begin(self) -> None:
        """Makes the locks, with nothing under way."""


_known: WeakSet[OfProcess] = WeakSet()


def _begin_in_child() -> None:
    for each in list(_known):
        each._begin()  # noqa: SLF001 - own class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
