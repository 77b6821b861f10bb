"""Reading files and folders below a root without following links.

The reasons are in ``docs/decisions/0010-server-links.md``.

Guarantees:

- A file or folder may be replaced at any moment: what is read lies at the requested path below
  the root, never at the target of a link.
- Opening never blocks, as opening a pipe would.

Each step is taken relative to the open folder above it. On a system without such calls (Windows),
the whole path is compared before and after.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

__all__ = [
    "Folder",
    "FolderEntry",
    "ReplacedError",
    "TreePath",
    "is_link",
    "is_same",
    "open_file",
    "read_folder",
    "status_of",
]

_HAS_STEPS = (
    {os.open, os.stat} <= os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: int = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FILE: int = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# Errors of opening when a link, a file instead of a folder, or a socket is in the path.
_IN_THE_WAY = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK, errno.ENXIO}
# The limit of the operating systems: each step of a longer path would cost a call.
_MAX_PATH_LENGTH = 4096
_JUNCTION: int = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


class ReplacedError(FileNotFoundError):
    """The file or folder at a path was replaced by something else."""

    def __init__(self, tree_path: TreePath) -> None:
        super().__init__(errno.ENOENT, "It was replaced while it was read", str(tree_path.path))


class TreePath(NamedTuple):
    """A path below a root folder.

    Attributes:
        root: The root folder, which may itself be a link or be reached through links.
        location: The path from there, with slashes; "." for the root itself.
    """

    root: Path
    location: str

    @property
    def path(self) -> Path:
        """The full path, for messages."""
        return self.root / self.location

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The steps from the root.

        Raises:
            FileNotFoundError: A step leads up, or the path is absolute.
            OSError: The path is too long.
        """
        parts = PurePosixPath(self.location).parts
        if ".." in parts or self.location.startswith("/"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.location)
        if len(self.location) > _MAX_PATH_LENGTH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), self.location)
        return parts

    def child(self, name: str) -> TreePath:
        """Returns the path of an entry of this folder."""
        return TreePath(self.root, name if self.location == "." else f"{self.location}/{name}")


class FolderEntry(NamedTuple):
    """An entry of a folder.

    Attributes:
        name: The name in the folder.
        identity: The inode number, which stays the same when the entry is moved.
        found: The status, without following a link; or the error of reading it.
    """

    name: str
    identity: str
    found: os.stat_result | OSError

    def status(self) -> os.stat_result:
        """Returns the status.

        Raises:
            OSError: The status cannot be read.
        """
        if isinstance(self.found, OSError):
            raise self.found
        return self.found


class Folder(NamedTuple):
    """The entries of a folder, and its status from before they were read."""

    status: os.stat_result
    entries: list[FolderEntry]


def is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Returns whether both belong to the same file or folder."""
    return os.path.samestat(one, other)


def is_link(status: os.stat_result) -> bool:
    """Returns whether a status belongs to a link, to a file or to a folder."""
    return stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION


def read_folder(tree_path: TreePath) -> Folder:
    """Reads a folder.

    Raises:
        ReplacedError: It is not a folder, or a link is in the path.
        OSError: The folder cannot be read.
    """
    if not _HAS_STEPS:
        return _read_compared(tree_path)
    with _opened_folder(tree_path, tree_path.parts) as descriptor:
        status = os.fstat(descriptor)
        with os.scandir(descriptor) as found:
            entries = [_entry(one, one.name, descriptor) for one in found]
    return Folder(status, _sorted(entries))


def status_of(tree_path: TreePath) -> os.stat_result:
    """Returns the status of a file or folder, without following a link.

    Raises:
        ReplacedError: A link is in the path.
        OSError: The status cannot be read.
    """
    *above, name = tree_path.parts or (".",)
    if not _HAS_STEPS:
        _require_no_link(tree_path)
        return os.lstat(tree_path.path)
    with _opened_folder(tree_path, above) as descriptor:
        return os.stat(name, dir_fd=descriptor, follow_symlinks=False)


def open_file(tree_path: TreePath) -> BinaryIO:
    """Opens a file for reading.

    Raises:
        ReplacedError: It is not a file, or a link is in the path.
        OSError: The file cannot be opened.
    """
    *above, name = tree_path.parts or (".",)
    if not _HAS_STEPS:
        _require_no_link(tree_path)
        return _stream(tree_path, _step(tree_path, tree_path.path, _FILE), compared=True)
    with _opened_folder(tree_path, above) as descriptor:
        return _stream(tree_path, _step(tree_path, name, _FILE, descriptor))


@contextmanager
def _opened_folder(tree_path: TreePath, steps: tuple[str, ...] | list[str]) -> Iterator[int]:
    descriptor = os.open(tree_path.root, _FOLDER)
    try:
        for name in steps:
            above, descriptor = descriptor, _step(tree_path, name, _FOLDER | _NO_FOLLOW, descriptor)
            os.close(above)
        yield descriptor
    finally:
        os.close(descriptor)


def _step(tree_path: TreePath, name: str | Path, flags: int, above: int | None = None) -> int:
    try:
        return os.open(name, flags, dir_fd=above)
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise ReplacedError(tree_path) from None
        raise


def _stream(tree_path: TreePath, descriptor: int, *, compared: bool = False) -> BinaryIO:
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ReplacedError(tree_path)
        if compared:
            _require_no_link(tree_path)
            if not is_same(os.lstat(tree_path.path), status):
                raise ReplacedError(tree_path)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _entry(found: os.DirEntry[str], path: str | Path, above: int | None = None) -> FolderEntry:
    try:
        status = os.stat(path, dir_fd=above, follow_symlinks=False)
    except OSError as error:
        return FolderEntry(found.name, str(found.inode()), error)
    is_folder = stat.S_ISDIR(status.st_mode)
    return FolderEntry(found.name, f"{status.st_ino}{'/' if is_folder else ''}", status)


def _sorted(entries: list[FolderEntry]) -> list[FolderEntry]:
    return sorted(entries, key=lambda entry: entry.name)


def _read_compared(tree_path: TreePath) -> Folder:
    _require_no_link(tree_path)
    status = os.lstat(tree_path.path)
    with os.scandir(tree_path.path) as found:
        entries = [_entry(one, tree_path.path / one.name) for one in found]
    _require_no_link(tree_path)
    if not is_same(os.lstat(tree_path.path), status):
        raise ReplacedError(tree_path)
    return Folder(status, _sorted(entries))


def _require_no_link(tree_path: TreePath) -> None:
    root = os.path.realpath(tree_path.root)
    if os.path.realpath(tree_path.path) != os.path.join(root, *tree_path.parts):  # noqa: PTH118
        raise ReplacedError(tree_path)
