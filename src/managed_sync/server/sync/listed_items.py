"""The items of one listing, compared with what the last sync published."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from managed_sync.server.sources.file_tree import MOUNT
from managed_sync.server.sources.model import LAST_CHANGE, Seen, SourceItem, UnreadableItem
from managed_sync.server.sources.permissions_file import Entry
from managed_sync.server.storage.records import KnownItem

__all__ = ["ListedItems", "any_moved"]


class ListedItems:
    """The items of one listing.

    Args:
        known: What the last sync published, by source id.
    """

    def __init__(self, known: Mapping[str, KnownItem]) -> None:
        self.known = known
        self._versions: dict[str, str] = {}
        self._digests: dict[str, str | None] = {}
        self._unreadable: set[str] = set()

    def __len__(self) -> int:
        return len(self._versions)

    def __contains__(self, source_id: str) -> bool:
        return source_id in self._versions

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def add(self, item: SourceItem | UnreadableItem) -> None:
        """Adds an item of the listing."""
        if isinstance(item, UnreadableItem):
            self._unreadable.add(item.source_id)
        else:
            self._versions[item.source_id] = item.version or ""
            self._digests[item.source_id] = item.digest

    def new_source_ids(self) -> set[str]:
        """Returns the source ids that the last sync did not have."""
        return self._versions.keys() - self.known.keys()

    def has_missing_items(self) -> bool:
        """Returns whether an item is missing that the last sync had."""
        return not self.known.keys() <= self._versions.keys()

    def is_empty(self) -> bool:
        """Returns whether the source is empty now and was not before."""
        nothing = not self._versions.keys() - {"/"} and not self._unreadable
        return nothing and len(self.known) > 1

    def has_new_root(self) -> bool:
        """Returns whether the root folder was replaced by another one."""
        root = self.known.get("/")
        return root is not None and root.version not in {None, self._versions.get("/")}

    def lost_mounts(self) -> Iterator[str]:
        """Yields the folders that were mount points, and are plain and empty now."""
        for source_id, item in self.known.items():
            now = self._versions.get(source_id, MOUNT)
            if (
                (item.version or "").startswith(MOUNT)
                and not now.startswith(MOUNT)
                and not any(one.startswith(f"{source_id.rstrip('/')}/") for one in self._versions)
            ):
                yield source_id

    def moves(self) -> Iterator[tuple[str, str]]:
        """Yields the old and the new source id of each item that may have been moved.

        A file is also recognized by its content, since it may have been copied and deleted, or
        touched.
        """
        arrived: dict[str, list[str]] = {}
        for source_id, version in self._versions.items():
            before = self.known.get(source_id)
            if version and (before is None or before.version != version):
                for mark in _marks(version, self._digests[source_id]):
                    arrived.setdefault(mark, []).append(source_id)
        for old, item in self.known.items() if arrived else ():
            if item.version and self._versions.get(old) != item.version:
                marks = _marks(item.version, item.digest)
                found = (new for mark in marks for new in arrived.get(mark, ()) if new != old)
                for new in dict.fromkeys(found):
                    yield old, new

    def covers(self, source_id: str, entry: Entry) -> bool:
        """Returns whether the item of an entry of ``permissions.yaml`` was listed."""
        if source_id == "/" or source_id in self._unreadable:
            return True
        version = self._versions.get(source_id)
        return version is not None and (version.endswith("/") or not entry.of_folder)

    def why_missing(self, source_id: str) -> tuple[str, str]:
        """Returns why the item of an entry was not listed, and the remedy."""
        if source_id in self._versions:
            return "is a file, not a folder", "remove the '/' at the end of the path"
        for unreadable in self._unreadable:
            if source_id.startswith(f"{unreadable}/"):
                return (
                    f"cannot be seen, because {unreadable} cannot be read",
                    f"correct the access rights of {unreadable}",
                )
        similar = [one for one in self._versions if _plain(one) == _plain(source_id)]
        return (
            f"is not there (but {similar[0]} is)" if similar else "is not there",
            "if it was renamed or moved, correct the path, and if it is gone, remove the entry",
        )


def _marks(version: str, digest: str | None) -> tuple[str, ...]:
    """Returns the marks that an item keeps when it is moved."""
    return (version,) if digest is None else (version, f"digest {digest}")


def any_moved(first: Seen, second: Seen) -> bool:
    """Returns whether the second look found an item under another path than the first."""
    before, now = _paths(first), _paths(second)
    return any(
        identity in before and not paths <= before[identity] for identity, paths in now.items()
    )


def _paths(seen: Seen) -> dict[str, set[tuple[str, str]]]:
    paths: dict[str, set[tuple[str, str]]] = {}
    for folder, names in seen.items():
        for name, identity in names.items():
            if name != LAST_CHANGE:
                paths.setdefault(identity, set()).add((folder, name))
    return paths


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
