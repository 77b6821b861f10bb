"""The decisions of one retrieval, which the rankings that it searches share.

Guarantees:

- No object is checked twice in one retrieval, whichever ranking it turns up in.
- A decision that is not exactly true allows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from managed_sync.access.check_requests import Decision, ListedObjects
from managed_sync.errors import AccessCheckError

__all__ = ["Decisions", "ObjectsToCheck"]


@dataclass(frozen=True, slots=True)
class ObjectsToCheck:
    """An effect that returns the objects to check now, given those that one ranking needs.

    A ranking that is searched alone checks its own objects. Of several that are searched side by
    side, one checks the objects of all, and the others find theirs decided.

    Attributes:
        object_ids: The objects that the ranking needs.
    """

    object_ids: tuple[str, ...]

    def __call__(self) -> tuple[str, ...]:
        """Returns the ranking's own objects."""
        return self.object_ids


@dataclass(slots=True)
class Decisions:
    """The decisions on objects so far, the list of readable objects, and their cost.

    Attributes:
        allowed: Whether the subject may read the objects that were checked.
        kept_denials: Objects whose denial was kept from an earlier question.
        listed: The list of the objects that the subject may read, once it was asked for.
        list_error: The reason why there is no list, once asking for it failed.
        checks: Decisions that the permission service was asked for.
        cache_hits: Decisions that were kept from an earlier question.
        round_trips: The number of times the permission service was waited for.
        seconds: The time spent in that.
    """

    allowed: dict[str, bool] = field(default_factory=dict)
    kept_denials: set[str] = field(default_factory=set)
    listed: ListedObjects | None = None
    list_error: AccessCheckError | None = None
    checks: int = 0
    cache_hits: int = 0
    round_trips: int = 0
    seconds: float = 0.0

    def missing(self, object_ids: Iterable[str]) -> tuple[str, ...]:
        """Returns the objects that were not checked."""
        return tuple(one for one in object_ids if one not in self.allowed)

    def record(self, object_ids: Sequence[str], decisions: Iterable[Decision]) -> None:
        """Adds the decisions on these objects; an object without one is not allowed."""
        self.round_trips += 1
        self.allowed |= dict.fromkeys(object_ids, False)
        for decision in decisions:
            self.allowed[decision.object_id] = decision.allowed is True
            if not decision.from_cache:
                self.checks += 1
                continue
            self.cache_hits += 1
            if not decision.allowed:
                self.kept_denials.add(decision.object_id)
