"""Locks on files that end together with the process that holds them, however that ends.

Guarantees:

- One holder at a time, among processes and among threads of one process.
- A child that a fork makes does not hold its parent's locks.
- The file stays when the lock is released: to remove it would break the lock for a process that has
  opened it already.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from managed_sync.forks import OfProcess

__all__ = ["FileLock"]

_NOTE_BYTES = 100


class _LockedPaths(OfProcess):
    """The files that this process has locked.

    The system's lock belongs to the whole process, so threads keep each other out by this set.
    """

    def __init__(self) -> None:
        self._enter_process()

    def _begin(self) -> None:
        self.guard = Lock()
        self.paths: set[Path] = set()


_held_here = _LockedPaths()


@dataclass(slots=True)
class FileLock:
    """An exclusive lock on a file.

    Args:
        path: The file; made when missing, and readable by its owner alone.

    Attributes:
        holder_note: The note of the holder that kept the last attempt out; empty if it left none.
        is_held_here: Whether that holder is this process.
    """

    path: Path
    holder_note: str = ""
    is_held_here: bool = False
    _descriptor: int | None = None

    def try_acquire(self, note: str = "") -> bool:
        """Takes the lock unless somebody holds it; returns whether it is taken.

        Args:
            note: Written into the file for others to read, such as who holds the lock.

        Raises:
            OSError: The file cannot be opened or written.
        """
        with _held_here.guard:
            self.is_held_here = self.path in _held_here.paths
            if self.is_held_here:
                # Not even opened: to close it again would end the lock of the other thread.
                return False
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _lock(descriptor)
            except OSError:
                self.holder_note = _read(descriptor)
                os.close(descriptor)
                return False
            try:
                if note:
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, note.encode())
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            _held_here.paths.add(self.path)
            return True

    def release(self) -> None:
        """Releases the lock; a second call changes nothing."""
        with _held_here.guard:
            if self._descriptor is not None:
                _held_here.paths.discard(self.path)
                # Which frees the lock.
                os.close(self._descriptor)
                self._descriptor = None


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, _NOTE_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return ""


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # Unlike flock's, this lock does not stay with a child that a killed process leaves behind.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
