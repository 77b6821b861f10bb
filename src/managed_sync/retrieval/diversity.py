"""Maximal marginal relevance (MMR) among passages that a user may read.

It chooses after the checks, so that passages that are withheld have no influence on the choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from managed_sync.documents.vectors import Vector, checked_vectors
from managed_sync.errors import EmbeddingError, IndexingError

__all__ = ["Diversity", "comparable_vectors"]


@dataclass(frozen=True, slots=True)
class Diversity:
    """The settings of MMR.

    Attributes:
        relevance: From 0, as unlike each other as possible, to 1, as near the question.
        factor: It chooses ``k`` among ``k`` times this many passages,
        pool: or among so many.
    """

    relevance: float = 0.5
    factor: float = 4.0
    pool: int | None = None

    def candidates(self, k: int) -> int:
        """Returns the number of passages to choose ``k`` from."""
        return max(k, self.pool or math.ceil(k * self.factor))


def comparable_vectors(passages: Any, count: int, question: Vector) -> list[Vector]:
    """Returns the vectors that a model gave for passages, among which MMR can choose.

    Args:
        passages: What the model returned.
        count: The number of passages.
        question: The vector of the question.

    Raises:
        EmbeddingError: A vector is missing or cannot be compared. MMR would leave out passages, or
            choose without meaning.
    """
    try:
        vectors = checked_vectors(passages, count)
    except IndexingError as error:
        raise EmbeddingError(f"MMR cannot choose among the passages. {error}") from None
    if any(len(vector) != len(question) for vector in vectors):
        raise EmbeddingError(
            f"MMR cannot choose among the passages. The embedding model returned a vector of "
            f"{len(question)} dimensions for the question, but of {len(vectors[0])} for a passage."
        )
    return vectors
