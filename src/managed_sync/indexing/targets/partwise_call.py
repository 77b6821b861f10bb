"""A call of a target that is made again with fewer items where it fails.

The items that the target refuses end up alone, each with its reason, and the others get through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from managed_sync.documents import Chunk
from managed_sync.indexing.targets.calls import TargetCalls, reason_of
from managed_sync.logs import get_logger

__all__ = ["Call", "Item", "PartwiseCall"]

_logger = get_logger("managed_sync.indexing")

# So many chunks of an object fail before the rest of it is left to another run.
_CHUNKS_OF_AN_OBJECT = 5
# So many objects fail in a row before the target is tried with a chunk that it must take; twice as
# many after each time that it took it.
_OBJECTS_IN_A_ROW = 5

# A chunk to write, or the id of one to delete.
Item: TypeAlias = Chunk | str
Call: TypeAlias = Callable[[Sequence[Any]], None]


@dataclass(slots=True)
class PartwiseCall:
    """A call with several items that is made again with fewer of them where it fails.

    Args:
        calls: Makes the call.
        is_working: Says whether the target takes a chunk that it has no reason to refuse.
        kind: ``"embed"``, ``"write"``, ``"update"`` or ``"delete"``.
        call: The call.
        reasons: Gets the reason for each item that was refused.
        refused: The number of refused chunks of each object so far.
    """

    calls: TargetCalls
    is_working: Callable[[str, Item], bool]
    kind: str
    call: Call
    reasons: dict[str, str]
    refused: Counter[str]
    # Items that failed since the target was last seen to work; they may not be to blame.
    _doubtful: dict[str, str] = field(default_factory=dict)
    _owners_in_a_row: set[str] = field(default_factory=set)
    _most_taken: int = 0
    _patience_with_owners: int = _OBJECTS_IN_A_ROW

    def carry_out(self, items: Sequence[Item]) -> None:
        """Makes the call with all items, as often as it takes."""
        limit = self.calls.limits.get(self.kind, len(items)) or 1
        for start in range(0, len(items), limit):
            part = items[start : start + limit]
            self._most_taken = 0
            if self._try(part) and self._most_taken < len(part):
                # It takes all of them, only not so many at once.
                self.calls.limits[self.kind] = self._most_taken
        if self._doubtful:
            self._put_to_proof(items[-1])

    def _try(self, items: Sequence[Item], attempts: int | None = None) -> bool:
        """Returns whether the target took all of the items."""
        if self.calls.out_of_order is not None:
            self.calls.left_out.update(map(_key, items))
            return False
        if self.refused:
            self._refuse_hopeless(items)
        tried = [item for item in items if _key(item) not in self.reasons]
        if not tried:
            return False
        error = self.calls.attempt(lambda: self.call(tried), attempts)
        if error is None:
            self._most_taken = max(self._most_taken, len(tried))
            if self._doubtful:
                self._settle()
            self._patience_with_owners = _OBJECTS_IN_A_ROW
            return len(tried) == len(items)
        if len(tried) == 1 and self.calls.out_of_order is None:
            self._note(tried[0], error)
            return False
        # A target that is down is not asked about every half.
        if self.calls.out_of_order is not None or (
            attempts is None and not self.is_working(self.kind, tried[0])
        ):
            self.calls.left_out.update(map(_key, tried))
            self._blame_target()
            return False
        return self._try_halves(tried)

    def _try_halves(self, items: Sequence[Item]) -> bool:
        middle = len(items) // 2
        halves = (items[:middle], items[middle:])
        first, second = (self._try(half, 2 if len(half) == 1 else 1) for half in halves)
        return first and second

    def _note(self, item: Item, error: Exception) -> None:
        key, owner, reason = _key(item), _owner(item), reason_of(error)
        self.reasons[key] = self._doubtful[key] = reason
        self.refused[owner] += 1
        self._owners_in_a_row.add(owner)
        _logger.warning("A chunk of %s failed (%s): %s", owner, self.kind, reason)
        if len(self._owners_in_a_row) >= self._patience_with_owners:
            self._patience_with_owners *= 2
            self._put_to_proof(item)

    def _put_to_proof(self, item: Item) -> None:
        """Blames the doubtful items if the target works, and the target if it does not."""
        if self.is_working(self.kind, item):
            self._settle()
        else:
            self._blame_target()

    def _blame_target(self) -> None:
        for key in self._doubtful:
            self.reasons.pop(key, None)
        self.calls.left_out.update(self._doubtful)
        self._settle()

    def _settle(self) -> None:
        self._doubtful.clear()
        self._owners_in_a_row.clear()

    def _refuse_hopeless(self, items: Sequence[Item]) -> None:
        for item in items:
            owner = _owner(item)
            if self.refused[owner] >= _CHUNKS_OF_AN_OBJECT:
                self.reasons[_key(item)] = (
                    f"{_CHUNKS_OF_AN_OBJECT} other passages of {owner} were refused, so this one "
                    f"was not tried."
                )


def _key(item: Item) -> str:
    return item if isinstance(item, str) else item.chunk_id


def _owner(item: Item) -> str:
    return item if isinstance(item, str) else item.object_id
