"""The oracle knows the exact answer, and what the two pure strategies cost."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.retrieval.corpus import Case, Corpus
from benchmarks.retrieval.oracle import Answer, Oracle

# Four objects of two chunks on a line; the question lies at its end, so chunk 0 ranks first.
LINE = Corpus(
    vectors=np.array([[cos, (1 - cos**2) ** 0.5] for cos in np.linspace(0.8, 0.1, 8)], np.float32),
    questions=np.array([[1.0, 0.0]], np.float32),
    chunks_per_object=2,
)


def answer(*allowed: int, k: int = 2) -> Answer:
    return Oracle(LINE, k).answer(Case("spread", len(allowed) / 4, 0, np.array(allowed)))


def test_recall_is_the_share_of_the_best_allowed_passages() -> None:
    truth = answer(1, 3)
    assert truth.recall([2, 3]) == 1
    assert truth.recall([3, 2]) == 1
    assert truth.recall([2, 6]) == 0.5
    assert truth.recall([6, 7]) == 0
    assert truth.recall([]) == 0


def test_what_may_not_be_read_adds_nothing_to_recall_and_is_a_leak() -> None:
    truth = answer(1, 3)
    assert truth.recall([0, 1]) == 0
    assert truth.leaks([0, 1, 2]) == 2
    assert truth.leaks([2, 3, 6, 7]) == 0


def test_a_repeated_passage_counts_once() -> None:
    assert answer(1, 3).recall([2, 2]) == 0.5


def test_only_the_first_k_that_were_returned_count() -> None:
    assert answer(1, 3).recall([6, 7, 2, 3]) == 0


def test_all_there_is_is_enough_where_there_are_fewer_than_k() -> None:
    truth = answer(2, k=5)
    assert truth.expected == 2
    assert truth.recall([4, 5]) == 1


@pytest.mark.parametrize(
    ("allowed", "post_filter", "pre_filter"),
    [((0, 1, 2, 3), 1, 5), ((1, 3), 2, 3), ((3,), 4, 2)],
)
def test_the_pure_strategies_move_what_they_must(
    allowed: tuple[int, ...], post_filter: int, pre_filter: int
) -> None:
    truth = answer(*allowed)
    assert truth.post_filter_ids == post_filter
    assert truth.pre_filter_ids == pre_filter
    assert truth.cheapest_ids == min(post_filter, pre_filter)


def test_post_filtering_for_more_than_there_is_looks_at_every_object() -> None:
    assert answer(0, k=5).post_filter_ids == 4


def test_the_first_look_comes_on_top_of_the_bound() -> None:
    assert answer(3).bound_on_ids(first_look=0) == 1.5 * 2
    assert answer(3).bound_on_ids(first_look=3) == 1.5 * 2 + 3


def test_of_the_first_look_at_most_five_times_k_count() -> None:
    assert answer(3, k=1).bound_on_ids(first_look=8) == 1.5 * 2 + 5
