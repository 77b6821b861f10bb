"""Guards against opening many records at once.

Guarantees:

- If many published records would become readable for most of the people who could not read
  them, nothing is published until ``permissions.yaml`` confirms it.
- A record that was moved is compared with the record at its old path.
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

# Fewer records than these can be opened to most people without confirmation.
_FEW = 10
_EXAMPLES = 3


class Readers:
    """The readers of each object, computed in memory from the tuples of one scope."""

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
        """All users that any tuple names."""
        return self._users

    def members(self, subjects: Collection[str]) -> frozenset[str]:
        """Returns the users behind subjects; ``user:*`` is returned unchanged."""
        reached = closures(subjects, self._members).values()
        return frozenset(name for names in reached for name in names if name.startswith("user:"))

    def groups(self) -> Collection[str]:
        """Returns the groups that have members, including the organization."""
        return self._members.keys()

    def of(self, object_id: str) -> frozenset[str]:
        """Returns the readers of an object."""
        below = []
        current: str | None = object_id
        while current is not None and current not in self._of:
            below.append(current)
            current = self._parent.get(current)
        readers = frozenset[str]() if current is None else self._of[current]
        for name in reversed(below):
            if direct := self._grants.get(name):
                readers = readers | self.members(direct)
            self._of[name] = readers
        return readers


class Opening(NamedTuple):
    """A record that becomes readable for users who could not read it.

    Attributes:
        path: The record's sync type and source id.
        gained: The users who gain access.
        wide: Whether they are most of the users who had no access.
    """

    path: str
    gained: frozenset[str]
    wide: bool


def openings(
    before: Readers, after: Readers, objects: Mapping[str, tuple[str, str]]
) -> list[Opening]:
    """Returns the records that become readable for somebody.

    Args:
        before: The readers as published.
        after: The readers after this sync.
        objects: For each path, the object as published and the object after this sync.
    """
    found = []
    known = frozenset(before.users) | {PUBLIC}
    for path, (old, new) in objects.items():
        had, has = before.of(old), after.of(new)
        gained = has - had if PUBLIC not in had else frozenset[str]()
        if gained:
            # A new member of the organization may read what the organization may: that is not wide.
            few = gained & known
            others = len(known - had - {PUBLIC})
            is_wide = PUBLIC in few or (len(few) > 1 and len(few) * 2 > others)
            found.append(Opening(path, gained, is_wide))
    return found


def require_confirmation(found: Iterable[Opening], permissions: Permissions) -> None:
    """Raises an error if many records would be opened without confirmation.

    Raises:
        SourceError: Many records would be opened, and ``permissions.yaml`` does not confirm it.
    """
    wide = [opening for opening in found if opening.wide]
    if len(wide) < _FEW:
        return
    code = _code(wide, permissions)
    if permissions.allow_opening == code:
        return
    examples = ", ".join(opening.path for opening in islice(wide, _EXAMPLES))
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
    """Returns the groups, including the organization, that gain a member."""
    return [name for name in after.groups() if after.members([name]) - before.members([name])]


def _code(wide: Collection[Opening], permissions: Permissions) -> str:
    """Returns a code for the permissions and the topmost folders of the opened records."""
    folders: list[str] = []
    for folder in sorted({f"{opening.path.rpartition('/')[0]}/" for opening in wide}):
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
