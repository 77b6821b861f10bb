"""The measures, on outcomes that can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from managed_sync.evaluation import Evaluation, EvaluationQuestion, Figures, Outcome


def outcome(*ranks: int | None, name: str = "", ms: float = 10, leaks: int = 0) -> Outcome:
    return Outcome(EvaluationQuestion(name), "ann@x.example", "s", ranks, 6, leaks, ms / 1000)


def test_hits_and_mrr_take_the_first_passage_with_an_answer() -> None:
    figures = Figures.of([outcome(4, 2), outcome(None), outcome(1), outcome(6)])
    assert figures.hits == (0.25, 0.5, 0.75)
    assert figures.mrr == pytest.approx((1 / 2 + 0 + 1 + 1 / 6) / 4)


def test_a_hit_among_six_is_unknown_where_three_were_asked_for() -> None:
    three = [replace(outcome(2), asked_for=3), replace(outcome(None), asked_for=3)]
    assert Figures.of(three).hits == (0.0, 0.5, None)
    assert Evaluation(tuple(three)).rows("user")[0][4] == "-"
    assert Evaluation(tuple(three)).as_dict()["total"]["hit@6"] is None


def test_recall_and_ndcg_take_every_answer_that_the_user_may_read() -> None:
    figures = Figures.of([outcome(1, 3, None, None)])
    assert figures.recall == 0.5
    best = sum(1 / math.log2(1 + rank) for rank in (1, 2, 3, 4))
    assert figures.ndcg == pytest.approx((1 + 1 / 2) / best)
    assert Figures.of([outcome(1, 1)]).ndcg == 1


def test_questions_without_truth_count_for_leaks_and_time_alone() -> None:
    figures = Figures.of([outcome(1, ms=10), outcome(ms=30, leaks=2)])
    assert (figures.asked, figures.counted, figures.hits[0]) == (2, 1, 1.0)
    assert (figures.unauthorized, figures.median_ms) == (2, 20)


def test_the_interval_draws_questions_and_is_the_same_each_time() -> None:
    mixed = Evaluation(tuple(outcome(1 if n % 2 else None, name=str(n)) for n in range(40)))
    low, high = mixed.hit_interval(1) or (0, 0)
    assert 0.3 < low < 0.5 < high < 0.7
    assert mixed.hit_interval(1) == (low, high)
    one = Evaluation(tuple(outcome(1 if n % 2 else None, name="same") for n in range(40)))
    assert one.hit_interval(1) == (0.5, 0.5)
    assert Evaluation((outcome(),)).hit_interval(1) is None
