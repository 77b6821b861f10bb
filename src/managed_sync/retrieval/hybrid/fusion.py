"""The definition of the fused ranking.

Two rankings are restricted to the passages that the subject may read: one by vectors, one by
keywords. Only the first ``window`` passages of each count. A passage's fused score is the sum over
both of ``weight / (constant + rank)``, where the rank is its position in the restricted ranking,
from 1. Passages of equal score are ordered by the better of their two ranks, and then the ranking
by vectors comes first.

Guarantees:

- The fused ranking depends only on the two restricted rankings. Passages that the subject may not
  read change neither what is shown nor its order.
- A passage that is in both rankings is one passage.

See ``docs/decisions/0043-retrieval-fusion.md``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from managed_sync.arguments import check_integer, check_number
from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.ranking import Hit

__all__ = ["Fusion", "fused"]

_METHODS = ("ranks", "scores")

# A window of fewer passages would leave many out that only the sum of both ranks brings forward.
_SMALLEST_WINDOW = 50
_WINDOW_PER_PASSAGE = 2


@dataclass(frozen=True, slots=True)
class Fusion:
    """The settings of a fusion; the defaults are those of reciprocal rank fusion.

    Args:
        method: ``"ranks"`` fuses by rank. ``"scores"`` fuses by score: the scores of each window
            are scaled so that its first passage has 1 and its last one 0, and added up with the
            weights. It needs a store that returns scores. Do not show these to users: scores by
            keywords depend on how many passages have a word, also of those they may not read.
        vector_weight: The weight of the ranking by vectors.
        keyword_weight: The weight of the ranking by keywords.
        constant: Added to each rank. The smaller it is, the more the first few ranks count.
        window: The number of passages of each ranking that count; by default twice the number of
            passages that are returned, and at least 50.

    Raises:
        ConfigurationError: An argument makes no sense.

    Examples:
        >>> Fusion().window_of(6), Fusion().window_of(40)
        (50, 80)
    """

    method: Literal["ranks", "scores"] = "ranks"
    vector_weight: float = 1.0
    keyword_weight: float = 1.0
    constant: float = 10.0
    window: int | None = None

    def __post_init__(self) -> None:
        """Checks the arguments."""
        if self.method not in _METHODS:
            raise ConfigurationError(f"method must be 'ranks' or 'scores', got {self.method!r}.")
        check_number("vector_weight", self.vector_weight, is_positive=True)
        check_number("keyword_weight", self.keyword_weight, is_positive=True)
        check_number("constant", self.constant)
        if self.window is not None:
            check_integer("window", self.window, alternative="None")

    def window_of(self, k: int) -> int:
        """Returns the number of passages of each ranking that count, to choose ``k`` from."""
        return max(k, self.window or max(_SMALLEST_WINDOW, _WINDOW_PER_PASSAGE * k))


def fused(fusion: Fusion, by_vectors: Sequence[Hit], by_keywords: Sequence[Hit]) -> list[Hit]:
    """Returns one ranking of two, each restricted to its window.

    Its hits carry their fused scores. A passage of both rankings is shown as the vector store
    keeps it.

    Raises:
        ConfigurationError: ``method="scores"``, and a ranking has no usable scores.
    """
    passages: list[_Fused] = []
    known: dict[Hashable, _Fused] = {}
    for number, ranking in enumerate((by_vectors, by_keywords)):
        shares = _shares(fusion, number, ranking)
        for rank, (hit, share) in enumerate(zip(ranking, shares, strict=True), start=1):
            found = next((known[each] for each in hit.identities if each in known), None)
            if found is None:
                found = _Fused(hit)
                passages.append(found)
            elif number in found.rankings:
                continue
            known.update(dict.fromkeys(hit.identities, found))
            found.score += share
            found.best_rank = min(found.best_rank, rank)
            found.rankings.add(number)
    passages.sort(key=lambda each: (-each.score, each.best_rank))
    return [replace(each.hit, score=each.score) for each in passages]


def _shares(fusion: Fusion, number: int, ranking: Sequence[Hit]) -> Iterator[float]:
    """Returns the shares of a ranking's hits in their fused scores."""
    weight = (fusion.vector_weight, fusion.keyword_weight)[number]
    if fusion.method == "ranks":
        return (weight / (fusion.constant + rank) for rank in range(1, len(ranking) + 1))
    return (weight * scaled for scaled in _scaled(ranking))


@dataclass(slots=True)
class _Fused:
    """A passage on the way to its fused score."""

    hit: Hit
    score: float = 0.0
    best_rank: float = math.inf
    rankings: set[int] = field(default_factory=set)


def _scaled(ranking: Sequence[Hit]) -> list[float]:
    """Returns scores between 1 and 0, whether higher or lower scores are better."""
    scores = [hit.score for hit in ranking if hit.score is not None and math.isfinite(hit.score)]
    if len(scores) < len(ranking):
        raise ConfigurationError(
            "Fusion(method='scores') needs scores, and a search returned hits without usable ones. "
            "Use method='ranks'."
        )
    if not scores or scores[0] == scores[-1]:
        return [1.0] * len(scores)
    return [(score - scores[-1]) / (scores[0] - scores[-1]) for score in scores]
