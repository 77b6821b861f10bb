"""Reachability in memory, for tuples that were read: at any depth, and through cycles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from managed_sync.server.domain import RelationTuple
from managed_sync.server.graph.schema import PARENT

__all__ = ["GrantIndex", "closures"]


def closures(starts: Iterable[str], edges: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Returns, for each start, all names that are reached from it, including itself.

    Examples:
        >>> sorted(closures(["a"], {"a": ["b"], "b": ["a", "c"]})["a"])
        ['a', 'b', 'c']
    """
    return {start: _closure(start, edges) for start in starts}


def _closure(start: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
    reached, pending = {start}, [start]
    while pending:
        for name in edges.get(pending.pop(), ()):
            if name not in reached:
                reached.add(name)
                pending.append(name)
    return reached


class GrantIndex:
    """An index of the grants on objects and their containers.

    Args:
        edges: The tuples: ``parent`` tuples and grants.
    """

    def __init__(self, edges: Iterable[RelationTuple]) -> None:
        self._parents = defaultdict[str, list[str]](list)
        self._held = defaultdict[str, list[tuple[str, str]]](list)
        for object_id, relation, subject in edges:
            if relation == PARENT:
                self._parents[object_id].append(subject)
            else:
                self._held[object_id].append((relation, subject))

    def allowed(
        self, object_ids: Iterable[str], relations: Collection[str], holders: Collection[str]
    ) -> set[str]:
        """Returns the objects on which, or above which, a holder has one of the relations."""
        granted: set[str] = set()
        refused: set[str] = set()
        for object_id in object_ids:
            reached, pending = {object_id}, [object_id]
            while pending:
                current = pending.pop()
                if current in granted or self._is_held(current, relations, holders):
                    granted |= {object_id, current}
                    break
                # An object that was refused has no grant above it, either.
                above = self._parents.get(current, ())
                further = [one for one in above if one not in reached and one not in refused]
                reached.update(further)
                pending.extend(further)
            else:
                refused |= reached
        return granted.intersection(object_ids)

    def _is_held(
        self, object_id: str, relations: Collection[str], holders: Collection[str]
    ) -> bool:
        return any(
            relation in relations and subject in holders
            for relation, subject in self._held.get(object_id, ())
        )
