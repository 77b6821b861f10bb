"""A conversation's memory, which forgets turns that its user may no longer read.

An answer repeats what its passages say, so a remembered answer is as confidential as they are. Each
turn therefore carries the ids of the objects that it may repeat, and they are checked again before
every use. What is no longer allowed is dropped, with everything that was answered in its light.

See ``docs/decisions/0031-examples-memory.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Before Python 3.12, pydantic understands no other TypedDict.
from typing_extensions import TypedDict

from managed_sync import AccessChecker

__all__ = ["REMEMBERED_TURNS", "Memory", "Turn", "new_turn", "readable", "sources_of"]

# More would cost tokens, and distract the model.
REMEMBERED_TURNS = 5


class Turn(TypedDict):
    """A question, its answer, and the ids of all objects that the answer may repeat."""

    question: str
    answer: str
    sources: list[str]


def new_turn(
    question: str, answer: str, object_ids: Iterable[str], recalled: Sequence[Turn] = ()
) -> Turn:
    """A turn that inherits the sources of the turns that the model saw when it answered.

    Without that, "say that again" would wash an answer clean of where it came from.
    """
    sources = {*object_ids, *sources_of(recalled)}
    return {"question": question, "answer": answer, "sources": sorted(sources)}


def sources_of(turns: Iterable[Turn]) -> set[str]:
    """The ids of all objects that these turns may repeat."""
    return {object_id for turn in turns for object_id in turn["sources"]}


def readable(turns: Iterable[Turn], allowed: set[str]) -> list[Turn]:
    """The turns whose every source is allowed."""
    return [turn for turn in turns if allowed.issuperset(turn["sources"])]


class Memory:
    """The memory of one conversation of one user; passages are never in it.

    Args:
        checker: Decides what the user may still read. If it cannot, recalling raises.
        user: Whose conversation it is.
    """

    def __init__(self, checker: AccessChecker, user: str) -> None:
        self._checker = checker
        self._user = user
        self._turns: list[Turn] = []

    def recall(self) -> list[Turn]:
        """The turns that the user may read now; the others are forgotten for good.

        Raises:
            ManagedSyncError: What the user may read could not be decided.
        """
        turns = list(self._turns)
        return self._keep(turns, self._checker.allowed(self._user, sources_of(turns)))

    async def arecall(self) -> list[Turn]:
        """Like ``recall``, without blocking the event loop."""
        turns = list(self._turns)
        return self._keep(turns, await self._checker.aallowed(self._user, sources_of(turns)))

    def remember(
        self, question: str, answer: str, object_ids: Iterable[str], recalled: Sequence[Turn] = ()
    ) -> None:
        """Adds a turn; ``recalled`` are those that the model saw when it answered."""
        turn = new_turn(question, answer, object_ids, recalled)
        self._turns = [*self._turns, turn][-REMEMBERED_TURNS:]

    def _keep(self, checked: list[Turn], allowed: set[str]) -> list[Turn]:
        kept = readable(checked, allowed)
        # Another question of the same conversation may have been answered meanwhile.
        self._turns = [turn for turn in self._turns if turn in kept or turn not in checked]
        return kept
