"""The lock of a state folder: only one server at a time can use the folder."""

from __future__ import annotations

import os
from pathlib import Path

from managed_sync.errors import ConfigurationError, StateInUseError
from managed_sync.private_files import FileLock, private_folder

__all__ = ["StateLock"]

_FILE = "server.lock"


class StateLock:
    """Holds the lock of a state folder until it is released.

    Args:
        state: The folder; made when missing.

    Raises:
        StateInUseError: Another server holds it.
        ConfigurationError: The folder cannot be used.
    """

    def __init__(self, state: Path) -> None:
        try:
            private_folder(state, is_ours=False)
            self._lock = FileLock(state.resolve() / _FILE)
            is_acquired = self._lock.try_acquire(note=str(os.getpid()))
        except OSError as error:
            raise ConfigurationError(
                f"Cannot use the state folder {state}: {error.strerror}. Choose a folder that you "
                "may write to."
            ) from None
        if not is_acquired:
            raise StateInUseError(
                f"The state folder {state} is in use by {self._holder()}. Stop that server, or "
                "give this one a state folder of its own."
            )

    def release(self) -> None:
        """Releases the lock; a second call changes nothing."""
        self._lock.release()

    def _holder(self) -> str:
        if self._lock.is_held_here:
            return "another server of this program"
        process = self._lock.holder_note
        return f"a server in process {process}" if process.isdecimal() else "another server"
