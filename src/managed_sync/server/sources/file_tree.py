"""The tree of files below ``files/``, as source items, and the content of one file.

Guarantees:
    - Nothing outside the folder is listed or read, whatever links lie in it.
    - One file that cannot be read does not keep the others from being listed.
    - A listing notes every folder it read, so that the folders can be compared afterwards.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from managed_sync.errors import SourceError
from managed_sync.server.sources.listing import (
    LAST_CHANGE,
    KnownContent,
    Listing,
    SourceItem,
    Unreadable,
)
from managed_sync.server.sources.media_types import DIRECTORY, media_type_of
from managed_sync.server.troubles import concerns_one_file, system_trouble

__all__ = ["MOUNT", "FileTree", "OpenFile"]

MOUNT = "mount-"
"""The beginning of a folder's version if another file system begins there."""

_BLOCK = 1 << 20


class OpenFile(NamedTuple):
    """A file that is open for reading; its version changes whenever its content may have."""

    stream: BinaryIO
    size: int
    version: str


class FileTree:
    """The files of one folder.

    Args:
        root: The folder.
        url_prefix: What a file's path follows to make its web address.
    """

    def __init__(self, root: Path, url_prefix: str | None = None) -> None:
        self._root = root
        self._url_prefix = url_prefix

    def items(self, listing: Listing) -> Iterator[SourceItem | Unreadable]:
        """Lists the folder, every container before what lies in it.

        Raises:
            SourceError: The folder is missing or cannot be read, so that nothing is known about
                what it holds; or reading fails in a way that is not the fault of one file.
        """
        try:
            status = self._root.stat()
            entries = self._read(self._root, listing)
        except OSError as error:
            raise SourceError(
                f"Cannot read the folder {self._root}: {error.strerror}. Put it back, or correct "
                "its access rights; what was synced before is kept."
            ) from None
        yield self._folder_item("/", None, "", status)
        yield from self._below("/", entries, listing)

    def look_again(
        self, folders: Iterable[str], keep_going: Callable[[], None]
    ) -> dict[str, Mapping[str, str]]:
        """Reads folders of a listing again; one that cannot be read any more is left out."""
        seen: dict[str, Mapping[str, str]] = {}
        for folder in folders:
            keep_going()
            try:
                _, seen[folder] = _read(self._root / folder)
            except OSError:
                continue
        return seen

    def open(self, location: str) -> OpenFile | None:
        """Opens a file that was listed; ``None`` when it is not there any more.

        Raises:
            TroubleError: It may be there, but the server cannot read at the moment.
        """
        path = self._root / location
        try:
            # A link may have been put in the way since the listing.
            if not self._holds(path) or not path.is_file():
                return None
            stream = path.open("rb")
        except OSError as error:
            if not concerns_one_file(error):
                raise system_trouble(error, "Cannot read the file") from error
            return None
        status = os.fstat(stream.fileno())
        return OpenFile(stream, status.st_size, _version(status))

    def _below(
        self, folder_id: str, entries: list[os.DirEntry[str]], listing: Listing
    ) -> Iterator[SourceItem | Unreadable]:
        # A stack instead of recursion: a tree may be deeper than Python's own stack.
        pending = [(folder_id, iter(entries), set[str]())]
        while pending:
            parent, siblings, seen = pending[-1]
            entry = next(siblings, None)
            if entry is None:
                pending.pop()
                continue
            listing.keep_going()
            source_id = f"{parent.rstrip('/')}/{unicodedata.normalize('NFC', entry.name)}"
            if _is_hidden(entry.name):
                continue
            if problem := _name_problem(entry.name, source_id in seen):
                listing.warn(f"files: {source_id!r} is left out: {problem}.")
                continue
            try:
                item = self._item(source_id, parent, entry, listing)
                children = (
                    self._read(Path(entry.path), listing) if item and item.container else None
                )
            except FileNotFoundError:
                continue
            except OSError as error:
                if not concerns_one_file(error):
                    raise _unreadable(Path(entry.path), error) from None
                listing.warn(
                    f"files: {source_id} cannot be read ({error.strerror}); what was synced from "
                    "it before is kept. Correct its access rights."
                )
                yield Unreadable(source_id)
                continue
            if item is None:
                continue
            seen.add(source_id)
            yield item
            if children is not None:
                pending.append((source_id, iter(children), set()))

    def _read(self, folder: Path, listing: Listing) -> list[os.DirEntry[str]]:
        listing.keep_going()
        entries, listing.seen[self._location(folder)] = _read(folder)
        return entries

    def _item(
        self, source_id: str, parent: str, entry: os.DirEntry[str], listing: Listing
    ) -> SourceItem | None:
        path = Path(entry.path)
        if entry.is_symlink():
            if entry.is_dir():
                listing.warn(
                    f"files: {source_id} is left out: it is a link to a folder; copy the folder."
                )
                return None
            if not self._holds(path):
                listing.warn(
                    f"files: {source_id} is left out: it is a link that leaves the folder; "
                    "copy the file."
                )
                return None
        elif entry.is_dir():
            return self._folder_item(source_id, parent, self._location(path), entry.stat())
        if not entry.is_file():
            return None
        return self._file_item(source_id, parent, path, listing)

    def _folder_item(
        self, source_id: str, parent: str | None, location: str, status: os.stat_result
    ) -> SourceItem:
        data = self._data(source_id, DIRECTORY, status)
        return SourceItem(
            source_id,
            data,
            parent=parent,
            container=True,
            updated_at=_modified(status),
            version=f"{MOUNT if _is_mount(self._root / location) else ''}{status.st_ino}/",
            location=location,
        )

    def _file_item(self, source_id: str, parent: str, path: Path, listing: Listing) -> SourceItem:
        status = path.stat()
        version = _version(status)
        # What is read decides: a file that changes while it is read is read again next time.
        known = listing.unchanged(source_id, version) or KnownContent(
            version, _digest(path, listing)
        )
        data = self._data(source_id, media_type_of(path.name), status)
        return SourceItem(
            source_id,
            {**data, "size": status.st_size, "digest": known.digest},
            parent=parent,
            updated_at=_modified(status),
            version=known.version,
            digest=known.digest,
            location=self._location(path),
            link_to=self._target(path) if path.is_symlink() else None,
        )

    def _target(self, link: Path) -> str:
        target = link.resolve().relative_to(self._root.resolve())
        return unicodedata.normalize("NFC", f"/{target.as_posix()}")

    def _data(self, source_id: str, media_type: str, status: os.stat_result) -> dict[str, object]:
        # Where the system does not keep the time of creation, that of the last change is closest.
        created = getattr(status, "st_birthtime", status.st_mtime)
        data: dict[str, object] = {
            "name": source_id.rpartition("/")[2] or "/",
            "path": source_id,
            "mimeType": media_type,
            "createdAt": _timestamp(created).isoformat(),
        }
        if self._url_prefix is not None:
            data["url"] = self._url_prefix + quote(source_id)
        return data

    def _location(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _holds(self, path: Path) -> bool:
        root = self._root.resolve()
        target = path.resolve()
        if not target.is_relative_to(root):
            return False
        # A link may not bring back what is hidden by its name either.
        return not any(part.startswith(".") for part in target.relative_to(root).parts)


def _unreadable(path: Path, error: OSError) -> SourceError:
    """A failure that says nothing about the file at which it showed."""
    return SourceError(str(system_trouble(error, f"Cannot read {path}")))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _is_mount(folder: Path) -> bool:
    return folder.is_mount()


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "~$"))


def _read(folder: Path) -> tuple[list[os.DirEntry[str]], dict[str, str]]:
    """The entries of a folder, and what a second look at it has to show, too.

    The number of a file or folder follows it wherever it is moved.
    """
    # First: what comes or goes while the folder is read counts as a change after it.
    changed = folder.stat().st_mtime_ns
    entries = _entries(folder)
    names = {
        entry.name: f"{entry.inode()}{'/' if entry.is_dir(follow_symlinks=False) else ''}"
        for entry in entries
        if not _is_hidden(entry.name)
    }
    return entries, {**names, LAST_CHANGE: str(changed)}


def _name_problem(name: str, taken: bool) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not valid Unicode; rename it"
    if taken:
        return "another file's name differs from this one in Unicode form only; rename it"
    return None


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def _digest(path: Path, listing: Listing) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream, ExitStack() as stack:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise FileNotFoundError(path)
        draft = stack.enter_context(listing.contents.draft()) if listing.contents else None
        while block := stream.read(_BLOCK):
            digest.update(block)
            if draft is not None:
                draft.write(block)
            listing.keep_going()
        if draft is not None:
            draft.keep(digest.hexdigest())
    return digest.hexdigest()


def _modified(status: os.stat_result) -> datetime:
    return _timestamp(status.st_mtime)


def _timestamp(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        # A time that no calendar holds must not cost the file.
        return datetime.fromtimestamp(0, UTC)
