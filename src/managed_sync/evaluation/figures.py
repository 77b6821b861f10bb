"""Figures of many outcomes: hits, ranks, recall, leaks and latency."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from managed_sync.evaluation.outcomes import Outcome

__all__ = ["CUTOFFS", "Figures", "hit", "interval"]

CUTOFFS = (1, 3, 6)
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a group of outcomes.

    All shares are ``None`` if no user may read an answer to a question of the group.

    Attributes:
        asked: Questions asked, each user's counted.
        counted: Those of them with an answer that the user may read; only these have hits.
        hits: For 1, 3 and 6, the share with an answer among this many first passages; ``None``
            where fewer passages were asked for.
        mrr: The mean of 1 / rank of the first passage with an answer.
        ndcg: The mean of the normalized discounted cumulative gain.
        recall: The mean share of the answers that the user may read and got.
        unauthorized: Returned passages that the user may not read.
        median_ms: The median time of a question, in milliseconds.
        p95_ms: The time that 95 percent of the questions stay below, in milliseconds.
    """

    asked: int
    counted: int
    hits: tuple[float | None, ...]
    mrr: float | None
    ndcg: float | None
    recall: float | None
    unauthorized: int
    median_ms: float
    p95_ms: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Figures:
        """Returns the figures of at least one outcome."""
        counted = [outcome for outcome in outcomes if outcome.has_truth]
        times = [outcome.seconds * 1000 for outcome in outcomes]
        return cls(
            asked=len(outcomes),
            counted=len(counted),
            hits=tuple(_hits(counted, cutoff) for cutoff in CUTOFFS),
            mrr=_mean(counted, lambda outcome: 1 / outcome.rank if outcome.rank else 0.0),
            ndcg=_mean(counted, _ndcg),
            recall=_mean(counted, lambda outcome: _found(outcome) / len(outcome.ranks)),
            unauthorized=sum(outcome.unauthorized for outcome in outcomes),
            median_ms=median(times),
            p95_ms=quantiles(times, n=20)[-1] if len(times) > 1 else times[0],
        )


def hit(cutoff: int) -> Callable[[Outcome], float]:
    """Returns the measure that is 1 if an answer is among the first passages."""
    return lambda outcome: float(outcome.rank is not None and outcome.rank <= cutoff)


def interval(
    outcomes: Sequence[Outcome], measure: Callable[[Outcome], float]
) -> tuple[float, float] | None:
    """Returns the 95 percent confidence interval of a measure's mean.

    It is a bootstrap over questions, since one question's outcomes for several users depend on
    each other. The draws are the same in each call.
    """
    by_question: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.has_truth:
            by_question.setdefault(outcome.question.query, []).append(measure(outcome))
    values = list(by_question.values())
    if not values:
        return None
    chance = random.Random(0)  # noqa: S311 - for statistics
    means = sorted(
        fmean(value for drawn in chance.choices(values, k=len(values)) for value in drawn)
        for _ in range(_DRAWS)
    )
    return means[round(_DRAWS * 0.025)], means[round(_DRAWS * 0.975) - 1]


def _hits(outcomes: Sequence[Outcome], cutoff: int) -> float | None:
    is_short = any(each.asked_for is not None and each.asked_for < cutoff for each in outcomes)
    return None if is_short else _mean(outcomes, hit(cutoff))


def _mean(outcomes: Sequence[Outcome], measure: Callable[[Outcome], float]) -> float | None:
    return fmean(map(measure, outcomes)) if outcomes else None


def _found(outcome: Outcome) -> int:
    return sum(rank is not None for rank in outcome.ranks)


def _ndcg(outcome: Outcome) -> float:
    gain = sum(1 / math.log2(1 + rank) for rank in outcome.ranks if rank)
    best = sum(1 / math.log2(1 + rank) for rank in range(1, len(outcome.ranks) + 1))
    # Two answers in one passage have the same rank.
    return min(1.0, gain / best)
