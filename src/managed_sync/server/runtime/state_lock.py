"""The lock of a state folder: only one server at a time can use the folder.

The lock belongs to the operating system, which frees it when the process ends for any reason. The
file stays in the folder: removing it would break the lock.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from managed_sync.errors import ConfigurationError, StateInUseError
from managed_sync.forks import LockedFiles
from managed_sync.private_files import private_folder

__all__ = ["StateLock"]

_FILE = "server.lock"
# The lock of a file is the process's, so servers of one process are kept apart here.
_held_here = LockedFiles()


class StateLock:
    """Holds the lock of a state folder until it is released.

    Args:
        state: The folder; created if it is missing.

    Raises:
        StateInUseError: Another server holds it.
        ConfigurationError: The folder cannot be used.
    """

    def __init__(self, state: Path) -> None:
        self._descriptor: int | None = None
        try:
            private_folder(state, is_ours=False)
            self._path = state.resolve() / _FILE
            with _held_here.guard:
                self._take(state)
        except OSError as error:
            raise ConfigurationError(
                f"Cannot use the state folder {state}: {error.strerror}. Choose a folder that you "
                "may write to."
            ) from None

    def release(self) -> None:
        """Releases the lock; a second call changes nothing."""
        with _held_here.guard:
            if self._descriptor is not None:
                _held_here.paths.discard(self._path)
                # Which frees the lock.
                os.close(self._descriptor)
                self._descriptor = None

    def _take(self, state: Path) -> None:
        if self._path in _held_here.paths:
            raise _in_use(state, "another server of this program")
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock_file(descriptor)
        except OSError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise _in_use(state, holder) from None
        self._descriptor = descriptor
        _held_here.paths.add(self._path)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())


def _in_use(state: Path, holder: str) -> StateInUseError:
    return StateInUseError(
        f"The state folder {state} is in use by {holder}. Stop that server, or give this one a "
        "state folder of its own."
    )


def _holder(descriptor: int) -> str:
    try:
        number = os.pread(descriptor, 20, 0).decode() if hasattr(os, "pread") else ""
    except (OSError, UnicodeDecodeError):
        number = ""
    return f"a server in process {number}" if number.isdecimal() else "another server"


if sys.platform == "win32":
    import msvcrt

    def _lock_file(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock_file(descriptor: int) -> None:
        # Unlike flock's, this one does not stay with a child that a killed process leaves behind.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
