"""A company's permission graph of any size, which grows by whole departments."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from managed_sync.server.domain import RelationTuple

__all__ = ["AUDITOR", "Company", "Department", "make_company"]

AUDITOR = "user:auditor@example.com"

_OBJECTS, _FOLDERS, _USERS, _GROUPS = 1_000, 100, 100, 20
_TUPLES = 10_000
_AUDITED = 10


@dataclass(frozen=True)
class Department:
    """A thousand objects, a hundred users, twenty groups and ten thousand relationships."""

    users: list[str]
    folders: list[str]
    files: list[str]
    tuples: list[RelationTuple]


@dataclass(frozen=True)
class Company:
    """Departments beside each other. The auditor may read the first ten of them."""

    departments: list[Department]

    def tuples(self) -> Iterator[RelationTuple]:
        """All relationships."""
        for number, department in enumerate(self.departments):
            yield from department.tuples[number < _AUDITED :]
            if number < _AUDITED:
                yield RelationTuple(department.folders[0], "viewer", AUDITOR)


def make_company(relationships: int, seed: int) -> Company:
    """A company of as many departments as it takes; the first ones are the same at every size.

    Raises:
        ValueError: The number is not a multiple of a department's.
    """
    departments, rest = divmod(relationships, _TUPLES)
    if rest or not departments:
        raise ValueError(f"the number of relationships is a multiple of {_TUPLES:,}")
    return Company([_department(number, seed) for number in range(departments)])


def _department(number: int, seed: int) -> Department:
    dice = random.Random(f"{seed} {number}")

    def names(kind: str, count: int) -> list[str]:
        return [f"{kind}:{dice.getrandbits(128):032x}" for _ in range(count)]

    users = [f"user:u{number}-{place}@example.com" for place in range(_USERS)]
    groups = [f"group:g{number}-{place}" for place in range(_GROUPS)]
    folders, files = names("folder", _FOLDERS), names("file", _OBJECTS - _FOLDERS)
    # The first one makes room for the auditor, so that the number stays round.
    tuples = dict.fromkeys([RelationTuple(folders[0], "owner", users[0])])
    for user in users:
        tuples[RelationTuple("organization", "member", user)] = None
        for group in dice.sample(groups, 3):
            tuples[RelationTuple(group, "member", user)] = None
    for nth, group in enumerate(groups[1:]):
        tuples[RelationTuple(groups[nth // 4], "member", group)] = None
    for nth, folder in enumerate(folders[1:]):
        tuples[RelationTuple(folder, "parent", folders[nth // 4])] = None
    for file in files:
        tuples[RelationTuple(file, "parent", dice.choice(folders))] = None
    while len(tuples) < _TUPLES:
        place = dice.choice(files if dice.random() < 0.9 else folders[40:])
        role = dice.choice(("viewer", "viewer", "editor", "owner"))
        holder = dice.choice(users if dice.random() < 0.95 else groups)
        tuples[RelationTuple(place, role, holder)] = None
    return Department(users, folders, files, list(tuples))
