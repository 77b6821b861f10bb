"""Maximal marginal relevance (MMR) among passages that a user may read.

It chooses after the checks, so that passages that are withheld have no influence on the choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Diversity"]


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
