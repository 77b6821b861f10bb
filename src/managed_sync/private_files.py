"""Files and folders that other users of the machine cannot read, whatever the umask is.

A folder that the caller chose may exist and contain other files, so each file is made private too.
On Windows, where files inherit the access rights of their folder, nothing changes. See
``docs/decisions/0033-private-files.md``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from threading import Lock

from managed_sync.logs import get_logger

__all__ = ["private_database", "private_file", "private_folder", "write_private"]

_logger = get_logger("managed_sync")

_FOLDER = 0o700
_FILE = 0o600
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
