"""Compiles the grants of ``permissions.yaml`` to tuples of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from managed_sync.server.domain import PUBLIC, RelationTuple
from managed_sync.server.graph.schema import MEMBER, ORGANIZATION, user_key
from managed_sync.server.sources.permissions_file import Entry, Permissions

__all__ = ["GrantCompiler"]

# In permissions.yaml: everybody, inside or outside of the organization, known or unknown.
_EVERYBODY = "public"


class GrantCompiler:
    """Compiles one permissions file to tuples.

    A principal that the file does not define gets no grant, and causes a warning.

    Args:
        permissions: The content of the file.
        warn: Called with one sentence for each grant that is left out.
    """

    def __init__(self, permissions: Permissions, warn: Callable[[str], None]) -> None:
        self._permissions = permissions
        self._warn = warn
        self._users = {user_key(user) for user in permissions.users}
        self._groups = {f"group:{name}" for name in permissions.groups}

    def members(self) -> Iterator[RelationTuple]:
        """Yields the members of the organization and of its groups."""
        for user in sorted(self._users):
            yield RelationTuple(ORGANIZATION, MEMBER, user)
        for name, members in self._permissions.groups.items():
            for member in members:
                if subject := self._subject(member, f"groups: {name}"):
                    yield RelationTuple(f"group:{name}", MEMBER, subject)

    def tuples(self, entry: Entry, object_id: str, sync_type: str) -> Iterator[RelationTuple]:
        """Yields the tuples for the roles at one path."""
        for role, principals in entry.grants.items():
            for principal in principals:
                if principal == _EVERYBODY:
                    yield RelationTuple(object_id, role, PUBLIC)
                    continue
                shown = f"{sync_type}: {entry.path}: {role} (line {entry.line})"
                if subject := self._subject(principal, shown):
                    yield RelationTuple(object_id, role, subject)

    def _subject(self, principal: str, entry: str) -> str | None:
        if principal == ORGANIZATION:
            return ORGANIZATION
        if principal.startswith("group:"):
            known, section, subject = self._groups, "groups", principal
        else:
            known, section = self._users, "users"
            subject = user_key(principal.removeprefix("user:"))
        if subject in known:
            return subject
        self._warn(
            f"permissions.yaml: {entry}: {principal!r} is not in '{section}', so it gets no "
            f"access here; add it to '{section}' or correct it."
        )
        return None
