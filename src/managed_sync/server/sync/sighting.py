"""What a listing saw of a source, beside what the last sync published of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from managed_sync.server.sources.file_tree import MOUNT
from managed_sync.server.sources.model import LAST_CHANGE, Seen, SourceItem, Unreadable
from managed_sync.server.sources.permissions_file import Entry
from managed_sync.server.storage.records import KnownItem

__all__ = ["Sighting", "something_moved"]


class Sighting:
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

    def note(self, item: SourceItem | Unreadable) -> None:
        """Takes an item of the listing."""
        if isinstance(item, Unreadable):
            self._unreadable.add(item.source_id)
        else:
            self._versions[item.source_id] = item.version or ""
            self._digests[item.source_id] = item.digest

    def newcomers(self) -> set[str]:
        """What the last sync did not have."""
        return self._versions.keys() - self.known.keys()

    def lacks_anything(self) -> bool:
        """Whether something is missing that the last sync had."""
        return not self.known.keys() <= self._versions.keys()

    def is_empty(self) -> bool:
        """Whether there is nothing where there was something."""
        nothing = not self._versions.keys() - {"/"} and not self._unreadable
        return nothing and len(self.known) > 1

    def has_another_root(self) -> bool:
        """Whether the root folder is not the one that it was."""
        root = self.known.get("/")
        return root is not None and root.version not in {None, self._versions.get("/")}

    def lost_mounts(self) -> Iterator[str]:
        """The folders that were mounts, and are empty and no mounts now."""
        for place, item in self.known.items():
            now = self._versions.get(place, MOUNT)
            if (
                (item.version or "").startswith(MOUNT)
                and not now.startswith(MOUNT)
                and not any(one.startswith(f"{place.rstrip('/')}/") for one in self._versions)
            ):
                yield place

    def moves(self) -> Iterator[tuple[str, str]]:
        """Old and new place of what the last sync saw elsewhere.

        A file is known again by its content too: it may have been copied and deleted, or touched.
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

    def shows(self, source_id: str, entry: Entry) -> bool:
        """Whether an entry of ``permissions.yaml`` stands for something that was seen."""
        if source_id == "/" or source_id in self._unreadable:
            return True
        version = self._versions.get(source_id)
        return version is not None and (version.endswith("/") or not entry.of_folder)

    def why_missing(self, source_id: str) -> tuple[str, str]:
        """Why an entry stands for nothing, and what to do."""
        if source_id in self._versions:
            return "is a file, not a folder", "remove the '/' at the end of the path"
        for place in self._unreadable:
            if source_id.startswith(f"{place}/"):
                return (
                    f"cannot be seen, because {place} cannot be read",
                    f"correct the access rights of {place}",
                )
        similar = [one for one in self._versions if _plain(one) == _plain(source_id)]
        return (
            f"is not there (but {similar[0]} is)" if similar else "is not there",
            "if it was renamed or moved, correct the path, and if it is gone, remove the entry",
        )


def _marks(version: str, digest: str | None) -> tuple[str, ...]:
    """What an item is known by wherever it is."""
    return (version,) if digest is None else (version, f"digest {digest}")


def something_moved(first: Seen, second: Seen) -> bool:
    """Whether the second look shows something at another place than the first."""
    before, now = _places(first), _places(second)
    return any(
        identity in before and not places <= before[identity] for identity, places in now.items()
    )


def _places(seen: Seen) -> dict[str, set[tuple[str, str]]]:
    places: dict[str, set[tuple[str, str]]] = {}
    for folder, names in seen.items():
        for name, identity in names.items():
            if name != LAST_CHANGE:
                places.setdefault(identity, set()).add((folder, name))
    return places


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
