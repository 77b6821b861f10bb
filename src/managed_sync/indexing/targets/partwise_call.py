"""A call of a target that is made again with fewer items where it fails.

So the items that the target refuses end up alone, each with its reason, and the others get through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError

if TYPE_CHECKING:
    from managed_sync.indexing.targets.retrying import PersistentTarget
from managed_sync.logs import get_logger

__all__ = ["Call", "Item", "PartwiseCall", "reason_of"]

_logger = get_logger("managed_sync.indexing")

_LONGEST_REASON = 300
# So many chunks of an object fail before the rest of it is left to another run.
_CHUNKS_OF_AN_OBJECT = 5
# So many objects fail in a row before the target is tried with a chunk that it must take; twice as
# many after each time that it took it.
_OBJECTS_IN_A_ROW = 5

# A chunk to write, or the id of one to delete.
Item: TypeAlias = Chunk | str
Call: TypeAlias = Callable[[Sequence[Any]], None]


class PartwiseCall:
    """A call with several items that is made again with fewer of them where it fails.

    Args:
        target: Makes the call, and says whether it works at all.
        kind: ``"embed"``, ``"write"``, ``"relabel"`` or ``"delete"``.
        call: The call.
        reasons: Gets the reason for each item that was refused.
        refused: How many chunks of each object were refused so far.
    """

    def __init__(
        self,
        target: PersistentTarget,
        kind: str,
        call: Call,
        reasons: dict[str, str],
        refused: Counter[str],
    ) -> None:
        self._target = target
        self._kind = kind
        self._call = call
        self._reasons = reasons
        self._refused = refused
        # Items that failed since the target was last seen to work; they may not be to blame.
        self._doubtful: dict[str, str] = {}
        self._owners_in_a_row: set[str] = set()
        self._most_taken = 0
        self._patience_with_owners = _OBJECTS_IN_A_ROW

    def carry_out(self, items: Sequence[Item]) -> None:
        """Makes the call with all items, as often as it takes."""
        limit = self._target.limits.get(self._kind, len(items)) or 1
        for start in range(0, len(items), limit):
            part = items[start : start + limit]
            self._most_taken = 0
            if self._try(part) and self._most_taken < len(part):
                # It takes all of them, only not so many at once.
                self._target.limits[self._kind] = self._most_taken
        if self._doubtful:
            self._put_to_proof(items[-1])

    def _try(self, items: Sequence[Item], attempts: int | None = None) -> bool:
        """Returns whether the target took all of the items."""
        if self._target.is_out_of_order:
            self._target.left_out.update(map(_key, items))
            return False
        self._reasons |= {_key(one): self._reasons_of_owner(one) for one in self._hopeless(items)}
        tried = [item for item in items if _key(item) not in self._reasons]
        if not tried:
            return False
        error = self._target.attempt(lambda: self._call(tried), attempts)
        if error is None:
            self._most_taken = max(self._most_taken, len(tried))
            self._settle()
            self._patience_with_owners = _OBJECTS_IN_A_ROW
            return len(tried) == len(items)
        if len(tried) == 1 and not self._target.is_out_of_order:
            self._note(tried[0], error)
            return False
        # A target that is down is not asked about every half.
        if self._target.is_out_of_order or (attempts is None and not self._is_working(tried[0])):
            self._target.left_out.update(map(_key, tried))
            self._blame_target()
            return False
        return self._try_halves(tried)

    def _try_halves(self, items: Sequence[Item]) -> bool:
        middle = len(items) // 2
        halves = (items[:middle], items[middle:])
        first, second = (self._try(half, 2 if len(half) == 1 else 1) for half in halves)
        return first and second

    def _is_working(self, item: Item) -> bool:
        return self._target.is_working(self._kind, item)

    def _note(self, item: Item, error: Exception) -> None:
        key, owner, reason = _key(item), _owner(item), reason_of(error)
        self._reasons[key] = self._doubtful[key] = reason
        self._refused[owner] += 1
        self._owners_in_a_row.add(owner)
        _logger.warning("A chunk of %s failed (%s): %s", owner, self._kind, reason)
        if len(self._owners_in_a_row) >= self._patience_with_owners:
            self._patience_with_owners *= 2
            self._put_to_proof(item)

    def _put_to_proof(self, item: Item) -> None:
        """Blames the doubtful items if the target works, and the target if it does not."""
        if self._is_working(item):
            self._settle()
        else:
            self._blame_target()

    def _blame_target(self) -> None:
        for key in self._doubtful:
            self._reasons.pop(key, None)
        self._target.left_out.update(self._doubtful)
        self._settle()

    def _settle(self) -> None:
        self._doubtful.clear()
        self._owners_in_a_row.clear()

    def _hopeless(self, items: Sequence[Item]) -> list[Item]:
        return [one for one in items if self._refused[_owner(one)] >= _CHUNKS_OF_AN_OBJECT]

    def _reasons_of_owner(self, item: Item) -> str:
        return (
            f"{_CHUNKS_OF_AN_OBJECT} other passages of {_owner(item)} were refused, so this one "
            f"was not tried."
        )


def reason_of(error: Exception) -> str:
    """Returns an error in one short line."""
    said = " ".join(str(error).split())[:_LONGEST_REASON]
    return said if isinstance(error, IndexingError) else f"{type(error).__name__}: {said}"


def _key(item: Item) -> str:
    return item if isinstance(item, str) else item.chunk_id


def _owner(item: Item) -> str:
    return item if isinstance(item, str) else item.object_id
