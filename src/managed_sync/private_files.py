"""Files for this user alone, and locks on files for one process at a time.

A folder that the caller chose may exist and contain other files, so each file is made private too.
On Windows, where files inherit the access rights of their folder, nothing changes.

Guarantees:

- Other users of the machine cannot read the files and folders made here, whatever the umask is.
- A lock has one holder, among processes and among threads of one process, and ends with the process
  that holds it, however that ends. A forked child does not hold its parent's locks.
- The file of a lock stays after the release, since removing it would break the lock of a process
  that has opened it already.

See ``docs/decisions/0033-private-files.md``.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from managed_sync.forks import OfProcess
from managed_sync.logs import get_logger

__all__ = ["FileLock", "private_database", "private_file", "private_folder", "write_private"]

_logger = get_logger("managed_sync")

_FOLDER = 0o700
_FILE = 0o600
_NOTE_BYTES = 100
_OTHERS = 0o077
_creating = Lock()
# Files that SQLite keeps next to a database, with the database's own mode.
_DATABASE_SUFFIXES = ("-wal", "-shm", "-journal")


def private_folder(path: Path, *, is_ours: bool = True) -> None:
    """Creates a private folder, or makes the existing one private.

    Args:
        path: The folder. Missing parents are created private too.
        is_ours: ``False`` for a folder that the caller chose. If it exists, it stays as it is,
            since it may be shared for other purposes.

    Raises:
        OSError: The folder cannot be created.
    """
    if not path.exists():
        for parent in reversed(path.absolute().parents):
            parent.mkdir(mode=_FOLDER, exist_ok=True)
    try:
        path.mkdir(mode=_FOLDER)
    except FileExistsError:
        if not path.is_dir():
            raise
        if is_ours:
            _make_private(path, _FOLDER)
        elif (
            os.name != "nt" and path.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
        ):
            _logger.warning(
                "Other users of this machine can put files into %s, and replace those in it. Run "
                "`chmod o-w %s`.",
                path,
                path,
            )


def private_file(path: Path) -> None:
    """Creates an empty private file, or makes the existing one private.

    Raises:
        OSError: The file cannot be created.
    """
    # An existing file is not opened: closing it would release all locks that this process has on
    # it, SQLite's among them.
    with _creating:
        if not path.exists():
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT, _FILE))
    _make_private(path, _FILE)


def private_database(path: Path) -> None:
    """Creates the file of an SQLite database and its folder, and makes existing files private.

    Raises:
        OSError: The file or the folder cannot be created.
    """
    private_folder(path.parent, is_ours=False)
    private_file(path)
    for suffix in _DATABASE_SUFFIXES:
        file = path.with_name(f"{path.name}{suffix}")
        if file.exists():
            _make_private(file, _FILE)


def write_private(path: Path, text: str) -> None:
    """Replaces a private file in one step.

    Raises:
        OSError: The file cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _make_private(path: Path, mode: int) -> None:
    if os.name == "nt" or not stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        return
    try:
        path.chmod(mode)
    except OSError as error:
        _logger.warning(
            "Other users of this machine may be able to read %s, and its mode cannot be changed "
            "(%s). Let its owner run `chmod go= %s`.",
            path,
            error.strerror,
            path,
        )


class _LockedPaths(OfProcess):
    """The files that this process has locked.

    The system's lock belongs to the whole process, so this set keeps its threads apart.
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
        path: The file. Created if it is missing, and readable by its owner alone.

    Attributes:
        holder_note: The note of the holder that kept the last attempt out; empty if it left none.
        is_held_here: Whether that holder is this process.
    """

    path: Path
    holder_note: str = ""
    is_held_here: bool = False
    _descriptor: int | None = None

    def try_acquire(self, note: str = "") -> bool:
        """Takes the lock if it is free; returns whether it did.

        Args:
            note: A text for others, such as the name of the holder, which is written into the file.

        Raises:
            OSError: The file cannot be opened or written.
        """
        with _held_here.guard:
            self.is_held_here = self.path in _held_here.paths
            if self.is_held_here:
                # Not even opened, since closing it would end the lock of the other thread.
                return False
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, _FILE)
            try:
                _lock_descriptor(descriptor)
            except OSError:
                self.holder_note = _note_in(descriptor)
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
                # Closing it frees the lock.
                os.close(self._descriptor)
                self._descriptor = None


def _note_in(descriptor: int) -> str:
    try:
        return os.read(descriptor, _NOTE_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return ""


if sys.platform == "win32":
    import msvcrt

    def _lock_descriptor(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock_descriptor(descriptor: int) -> None:
        # Unlike flock's, this lock does not stay with a child that a killed process leaves behind.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
