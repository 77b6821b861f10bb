"""Guards against opening many records at once.

Guarantees:
    - If many records that were published would become readable for most of the people who could
      not read them, nothing is published until ``permissions.yaml`` confirms it.
    - A record that was moved is compared with what it was at its old place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from managed_sync.errors import SourceError
from managed_sync.server.domain import PUBLIC, RelationTuple, type_of
from managed_sync.server.graph.grant_index import closures
from managed_sync.server.graph.schema import MEMBER, PARENT, display_name
from managed_sync.server.sources.permissions_file import Permissions

__all__ = ["Opening", "Readers", "groups_with_new_members", "openings", "require_confirmation"]

# So few records may be opened to most people without confirmation.
_FEW = 10
_EXAMPLES = 3


class Readers:
    """Who may read what, worked out in memory from the tuples of one scope."""

    def __init__(self, edges: Iterable[RelationTuple]) -> None:
        self._parent: dict[str, str] = {}
        self._grants: dict[str, set[str]] = {}
        self._members: dict[str, set[str]] = {}
        self._users: set[str] = set()
        for target, relation, subject in edges:
            if relation == PARENT:
                self._parent[target] = subject
            else:
                into = self._members if relation == MEMBER else self._grants
                into.setdefault(target, set()).add(subject)
                if type_of(subject) == "user":
                    self._users.add(subject)
        self._of: dict[str, frozenset[str]] = {}

    @property
    def users(self) -> Collection[str]:
        """Everybody who is named anywhere."""
        return self._users

    def members(self, subjects: Collection[str]) -> frozenset[str]:
        """The users that subjects stand for; ``user:*`` stands for itself."""
        reached = closures(subjects, self._members).values()
        return frozenset(name for names in reached for name in names if name.startswith("user:"))

    def groups(self) -> Collection[str]:
        """The groups that have members, the organization among them."""
        return self._members.keys()

    def of(self, object_id: str) -> frozenset[str]:
        """The readers of an object."""
        below = []
        place: str | None = object_id
        while place is not None and place not in self._of:
            below.append(place)
            place = self._parent.get(place)
        readers = frozenset[str]() if place is None else self._of[place]
        for one in reversed(below):
            if direct := self._grants.get(one):
                readers = readers | self.members(direct)
            self._of[one] = readers
        return readers


class Opening(NamedTuple):
    """A record that users can read who could not before.

    Attributes:
        place: Where it is now.
        gained: These users.
        wide: Whether they are most of those who could not.
    """

    place: str
    gained: frozenset[str]
    wide: bool


def openings(
    before: Readers, after: Readers, places: Mapping[str, tuple[str, str]]
) -> list[Opening]:
    """The records that are opened.

    Args:
        before: What is in force.
        after: What is to be published.
        places: For each place its object, and the object that stood for it before.
    """
    found = []
    known = frozenset(before.users) | {PUBLIC}
    for place, (old, new) in places.items():
        had, has = before.of(old), after.of(new)
        gained = has - had if PUBLIC not in had else frozenset[str]()
        if gained:
            # Somebody new in the organization may read what the organization may: that is not wide.
            few = gained & known
            others = len(known - had - {PUBLIC})
            is_wide = PUBLIC in few or (len(few) > 1 and len(few) * 2 > others)
            found.append(Opening(place, gained, is_wide))
    return found


def require_confirmation(found: Iterable[Opening], permissions: Permissions) -> None:
    """Makes sure that many records are opened on purpose only.

    Raises:
        SourceError: They are many, and ``permissions.yaml`` does not confirm it.
    """
    wide = [opening for opening in found if opening.wide]
    if len(wide) < _FEW:
        return
    code = _code(wide, permissions)
    if permissions.allow_opening == code:
        return
    examples = ", ".join(opening.place for opening in islice(wide, _EXAMPLES))
    names = sorted(display_name(user) for user in wide[0].gained)
    people = ", ".join("everybody" if name == "*" else name for name in names[:_EXAMPLES])
    raise SourceError(
        f"This would let most people read {len(wide):,} records that they cannot read now, such as "
        f"{examples} (by {people}{' and others' if len(names) > _EXAMPLES else ''}). Nothing was "
        "published; what was synced before stays in force. If permissions.yaml is half written or "
        "names a wrong path, or if something was moved by mistake, correct that. If the opening is "
        f"meant, add the line 'allow_opening: \"{code}\"' to permissions.yaml and sync again."
    )


def groups_with_new_members(before: Readers, after: Readers) -> list[str]:
    """The groups, and the organization, that somebody belongs to who did not before."""
    return [name for name in after.groups() if after.members([name]) - before.members([name])]


def _code(wide: Collection[Opening], permissions: Permissions) -> str:
    """Stands for this opening: the permissions, and the topmost folders of the records."""
    folders: list[str] = []
    for folder in sorted({f"{opening.place.rpartition('/')[0]}/" for opening in wide}):
        if not folders or not folder.startswith(folders[-1]):
            folders.append(folder)
    content = [
        permissions.users,
        sorted(permissions.groups.items()),
        [
            (sync_type, path, entry.as_written())
            for sync_type, entries in sorted(permissions.entries.items())
            for path, entry in sorted(entries.items())
        ],
        folders,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
