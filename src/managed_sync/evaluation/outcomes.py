"""The outcome of one question, asked by one user.

Guarantees:

- A returned passage counts as unauthorized unless the Permissions API allows its object to the
  user in a check of the evaluation itself. A passage without an object id is unauthorized.
- An answer that the user may not read is no part of the truth for that user.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from managed_sync.evaluation.passages import ReturnedPassage, plain_text
from managed_sync.evaluation.questions import EvaluationQuestion

__all__ = ["Outcome", "outcome_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question, asked by one user of one retriever.

    Attributes:
        question: The question.
        user: The user who asked.
        setting: The name of the retriever.
        ranks: For each answer that the user may read, the rank of the first returned passage that
            contains it, from 1 on; ``None`` if none does.
        returned: The number of passages returned.
        unauthorized: The number of returned passages that the user may not read.
        seconds: The time that the retriever took.
        asked_for: The number of passages that the retriever was asked for, if it is known.
    """

    question: EvaluationQuestion
    user: str
    setting: str
    ranks: tuple[int | None, ...]
    returned: int
    unauthorized: int
    seconds: float
    asked_for: int | None = None

    @property
    def has_truth(self) -> bool:
        """True if the user may read at least one answer, so that hits can be counted."""
        return bool(self.ranks)

    @property
    def rank(self) -> int | None:
        """The rank of the first passage with an answer; ``None`` if no passage has one."""
        return min((rank for rank in self.ranks if rank), default=None)


def outcome_of(
    question: EvaluationQuestion,
    user: str,
    setting: str,
    passages: Sequence[ReturnedPassage],
    *,
    allowed: Collection[str],
    objects: Mapping[str, str],
    seconds: float,
    asked_for: int | None = None,
) -> Outcome:
    """Compares returned passages with the truth.

    Args:
        question: The question.
        user: The user who asked.
        setting: The name of the retriever.
        passages: The returned passages, best first.
        allowed: The object ids that the user may read, among those returned and those that answer.
        objects: The object id of each object that the questions name in another way.
        seconds: The time that the retriever took.
        asked_for: The number of passages that it was asked for, if it is known.
    """
    ranks = []
    for answer in question.answers:
        object_id = objects.get(answer.object, answer.object)
        if object_id in allowed:
            ranks.append(_rank(passages, object_id, plain_text(answer.passage)))
    return Outcome(
        question,
        user,
        setting,
        tuple(ranks),
        returned=len(passages),
        unauthorized=sum(passage.object_id not in allowed for passage in passages),
        seconds=seconds,
        asked_for=asked_for,
    )


def _rank(passages: Sequence[ReturnedPassage], object_id: str, text: str) -> int | None:
    for rank, passage in enumerate(passages, start=1):
        if passage.object_id == object_id and text in passage.text:
            return rank
    return None
