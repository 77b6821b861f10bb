"""The tree of files below ``files/``, as source items, and the content of one file.

Guarantees:

- Nothing outside of the folder is listed or read, whatever links it contains or gets meanwhile.
  A file is read from the path that it is listed at, or from the target of its link.
- A file that cannot be read does not keep the others from being listed.
- A listing records every folder that it read, so that the folders can be compared afterwards.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from managed_sync.errors import SourceError
from managed_sync.server.domain import KnownContent, OpenFile, source_id_at
from managed_sync.server.failures import concerns_one_file, system_failure
from managed_sync.server.sources.descent import (
    Folder,
    FolderEntry,
    ReplacedError,
    TreePath,
    is_link,
    is_same,
    open_file,
    read_folder,
    status_of,
)
from managed_sync.server.sources.media_types import DIRECTORY, media_type_of
from managed_sync.server.sources.model import (
    LAST_CHANGE,
    ListingContext,
    SourceItem,
    UnreadableItem,
)

__all__ = ["MOUNT", "FileTree", "file_version"]

MOUNT = "mount-"
"""The prefix of the version of a folder that is a mount point."""

_BLOCK = 1 << 20


class FileTree:
    """The files of one folder.

    Args:
        root: The folder.
        url_prefix: The prefix that turns a file's path into its web address.
    """

    def __init__(self, root: Path, url_prefix: str | None = None) -> None:
        self._root = root
        self._url_prefix = url_prefix

    def items(self, listing: ListingContext) -> Iterator[SourceItem | UnreadableItem]:
        """Lists the folder, every container before what lies in it.

        Raises:
            SourceError: The folder is missing or cannot be read, so that its content is unknown; or
                reading fails in a way that is not the fault of one file.
        """
        tree_path = TreePath(self._root, ".")
        listing.keep_going()
        try:
            status, entries, names = _read(tree_path)
        except OSError as error:
            raise SourceError(
                f"Cannot read the folder {self._root}: {error.strerror}. Put it back, or correct "
                "its access rights; what was synced before is kept."
            ) from None
        listing.seen[tree_path.location] = names
        yield self._folder_item("/", None, tree_path, status)
        yield from self._below(_Level("/", tree_path, iter(entries), names), listing)

    def look_again(
        self, folders: Iterable[str], keep_going: Callable[[], None]
    ) -> dict[str, Mapping[str, str]]:
        """Reads the folders of a listing again; leaves out those that cannot be read any more."""
        seen: dict[str, Mapping[str, str]] = {}
        for folder in folders:
            keep_going()
            try:
                _, _, seen[folder] = _read(TreePath(self._root, folder))
            except OSError:
                continue
        return seen

    def open(self, location: str) -> OpenFile | None:
        """Opens a file that was listed; ``None`` if it does not exist any more.

        Raises:
            ServerFailureError: The file may exist, but the server cannot read it at the moment.
        """
        try:
            stream = open_file(TreePath(self._root, location))
        except OSError as error:
            if not concerns_one_file(error):
                raise system_failure(error, "Cannot read the file") from error
            return None
        status = os.fstat(stream.fileno())
        return OpenFile(stream, status.st_size, file_version(status))

    def _below(
        self, root: _Level, listing: ListingContext
    ) -> Iterator[SourceItem | UnreadableItem]:
        # A stack instead of recursion, since a tree may be deeper than Python's own stack.
        pending = [root]
        while pending:
            level = pending[-1]
            entry = next(level.entries, None)
            if entry is None:
                pending.pop()
                continue
            listing.keep_going()
            source_id = f"{level.source_id.rstrip('/')}/{unicodedata.normalize('NFC', entry.name)}"
            if _is_hidden(entry.name):
                continue
            if problem := _name_problem(entry.name, source_id in level.listed):
                listing.warn(f"files: {source_id!r} is left out: {problem}.")
                continue
            tree_path = level.tree_path.child(entry.name)
            try:
                item = self._item(source_id, level.source_id, tree_path, entry, listing)
                below = self._open_level(source_id, tree_path, entry, listing, item)
            except FileNotFoundError:
                # The second look must not expect it, since it was not listed.
                level.names.pop(entry.name, None)
                continue
            except OSError as error:
                if not concerns_one_file(error) and not isinstance(error, BlockingIOError):
                    raise _unreadable(tree_path.path, error) from None
                listing.warn(
                    f"files: {source_id} cannot be read ({error.strerror}); what was synced from "
                    "it before is kept. Correct its access rights."
                )
                yield UnreadableItem(source_id)
                continue
            if item is None:
                continue
            level.listed.add(source_id)
            yield item
            if below is not None:
                pending.append(below)

    def _open_level(
        self,
        source_id: str,
        tree_path: TreePath,
        entry: FolderEntry,
        listing: ListingContext,
        item: SourceItem | None,
    ) -> _Level | None:
        if item is None or not item.container:
            return None
        listing.keep_going()
        status, entries, names = _read(tree_path)
        if not is_same(status, entry.status()):
            raise ReplacedError(tree_path)
        listing.seen[tree_path.location] = names
        return _Level(source_id, tree_path, iter(entries), names)

    def _item(
        self,
        source_id: str,
        parent: str,
        tree_path: TreePath,
        entry: FolderEntry,
        listing: ListingContext,
    ) -> SourceItem | None:
        status = entry.status()
        if is_link(status):
            return self._link_item(source_id, parent, tree_path, listing)
        if stat.S_ISDIR(status.st_mode):
            return self._folder_item(source_id, parent, tree_path, status)
        if not stat.S_ISREG(status.st_mode):
            return None
        return self._file_item(source_id, parent, tree_path, status, listing)

    def _link_item(
        self, source_id: str, parent: str, tree_path: TreePath, listing: ListingContext
    ) -> SourceItem | None:
        target = self._target(tree_path)
        if target is None:
            listing.warn(
                f"files: {source_id} is left out: it is a link that leaves the folder; "
                "copy the file."
            )
            return None
        try:
            status = status_of(target)
        except ReplacedError:
            raise
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            listing.warn(
                f"files: {source_id} is left out: it is a link to a folder; copy the folder."
            )
            return None
        if is_link(status):
            listing.warn(f"files: {source_id} is left out: it is a link that leads nowhere.")
        if not stat.S_ISREG(status.st_mode):
            return None
        item = self._file_item(source_id, parent, target, status, listing)
        return replace(item, link_to=source_id_at(target.location))

    def _folder_item(
        self, source_id: str, parent: str | None, tree_path: TreePath, status: os.stat_result
    ) -> SourceItem:
        data = self._data(source_id, DIRECTORY, status)
        return SourceItem(
            source_id,
            data,
            parent=parent,
            container=True,
            updated_at=_modified(status),
            version=f"{MOUNT if _is_mount(tree_path) else ''}{status.st_ino}/",
            location=tree_path.location,
        )

    def _file_item(
        self,
        source_id: str,
        parent: str,
        tree_path: TreePath,
        status: os.stat_result,
        listing: ListingContext,
    ) -> SourceItem:
        known = listing.unchanged(source_id, file_version(status))
        if known is None:
            found = status
            # The status of the open file counts: a file that changes meanwhile is read again next
            # time.
            status, digest = _digest(tree_path, listing)
            if not is_same(status, found):
                raise ReplacedError(tree_path)
            known = KnownContent(file_version(status), digest)
        data = self._data(source_id, media_type_of(source_id), status)
        return SourceItem(
            source_id,
            {**data, "size": status.st_size, "digest": known.digest},
            parent=parent,
            updated_at=_modified(status),
            version=known.version,
            digest=known.digest,
            location=tree_path.location,
        )

    def _target(self, link: TreePath) -> TreePath | None:
        """Returns the target of a link; ``None`` if the target is not listed itself."""
        root = self._root.resolve()
        target = Path(os.path.realpath(link.path))
        if not target.is_relative_to(root):
            return None
        way = target.relative_to(root)
        # A link must not reveal a file that is hidden by its name.
        return None if any(map(_is_hidden, way.parts)) else TreePath(self._root, way.as_posix())

    def _data(self, source_id: str, media_type: str, status: os.stat_result) -> dict[str, object]:
        # If the system does not store the time of creation, the last change is the closest.
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


@dataclass(frozen=True)
class _Level:
    """A folder whose entries are being listed.

    Attributes:
        names: The entries that a second look must find.
        listed: The source ids of its listed items.
    """

    source_id: str
    tree_path: TreePath
    entries: Iterator[FolderEntry]
    names: dict[str, str]
    listed: set[str] = field(default_factory=set)


def _unreadable(path: Path, error: OSError) -> SourceError:
    """Returns an error that is not the fault of the file at which it occurred."""
    return SourceError(str(system_failure(error, f"Cannot read {path}")))


def _entries(tree_path: TreePath) -> Folder:
    return read_folder(tree_path)


def _is_mount(tree_path: TreePath) -> bool:
    return tree_path.path.is_mount()


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "~$"))


def _read(tree_path: TreePath) -> tuple[os.stat_result, list[FolderEntry], dict[str, str]]:
    """Returns a folder's status and entries, and the names that a second look must find."""
    status, entries = _entries(tree_path)
    names = {entry.name: entry.identity for entry in entries if not _is_hidden(entry.name)}
    # The status from before: a change while the folder is read counts as one after it.
    return status, entries, {**names, LAST_CHANGE: str(status.st_mtime_ns)}


def _name_problem(name: str, taken: bool) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not valid Unicode; rename it"
    if taken:
        return "another file's name differs from this one in Unicode form only; rename it"
    return None


def file_version(status: os.stat_result) -> str:
    """Returns a version that changes whenever a file's content may have changed."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def _digest(tree_path: TreePath, listing: ListingContext) -> tuple[os.stat_result, str]:
    digest = hashlib.sha256()
    with open_file(tree_path) as stream, ExitStack() as stack:
        status = os.fstat(stream.fileno())
        draft = stack.enter_context(listing.contents.draft()) if listing.contents else None
        while block := stream.read(_BLOCK):
            digest.update(block)
            if draft is not None:
                draft.write(block)
            listing.keep_going()
        if draft is not None:
            draft.keep(digest.hexdigest())
    return status, digest.hexdigest()


def _modified(status: os.stat_result) -> datetime:
    return _timestamp(status.st_mtime)


def _timestamp(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        # A file with an impossible time is still listed.
        return datetime.fromtimestamp(0, UTC)
