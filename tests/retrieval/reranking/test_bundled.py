"""The bundled reranker puts the passage that answers first, and looks at nothing but passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.retrieval.reranking import BundledReranker

RERANKER = BundledReranker()
PASSAGES = [
    "Travel\nHotels > Limits\n\nA night in Hamburg costs at most EUR 155.",
    "Travel\nMeals\n\nGuests may be invited to dinner.",
    "VPN\nProblems\n\n| error 407 | clock differs |\n| error 612 | device not encrypted |",
    "Welcome\n\nHarbor builds robots. The founders met at a fish market in Rotterdam.",
]


def test_without_its_extra_it_says_so_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("managed_sync.bundled_embedding.find_spec", lambda _: None)

    with pytest.raises(MissingExtraError, match=r"^BundledReranker needs an extra"):
        BundledReranker()


def best(question: str, passages: Sequence[str] = PASSAGES) -> str:
    scores = RERANKER.predict([(question, passage) for passage in passages])
    return max(zip(scores, passages, strict=True))[1]


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("How much may a hotel in Hamburg cost?", 0),
        ("error 612", 2),
        ("Who founded the firm?", 3),  # in other words, and another form of one
        ("WER LÄDT GÄSTE ZUM DINNER EIN?", 1),
    ],
)
def test_the_passage_that_answers_comes_first(question: str, place: int) -> None:
    assert best(question) == PASSAGES[place]


def test_a_word_that_few_passages_have_decides() -> None:
    robots = [f"Robots\n\nThe robot of site {site} works." for site in ("Antwerp", "Delft", "Lyon")]
    assert best("Does the robot of site Delft work?", robots) == robots[1]


def test_equal_passages_stay_in_the_order_of_the_ranking_before() -> None:
    scores = RERANKER.predict([("Who pays?", "The company pays for hotels.")] * 3)
    assert scores == sorted(set(scores), reverse=True)
    assert len(scores) == 3


def test_an_answer_comes_first_from_the_end_of_the_ranking_before() -> None:
    others = [f"Robots\n\nThe robot of dock {dock} is green." for dock in range(20)]
    assert best("error 612", [*others, PASSAGES[2]]) == PASSAGES[2]


def test_a_better_ranking_before_can_count_more() -> None:
    pairs = [("error 612", passage) for passage in PASSAGES]

    trusting = BundledReranker(rank_weight=100).predict(pairs)

    assert trusting == sorted(trusting, reverse=True)
    assert RERANKER.predict(pairs) != sorted(RERANKER.predict(pairs), reverse=True)


@pytest.mark.parametrize("rank_weight", [-0.1, True, "1", float("nan"), float("inf")])
def test_a_weight_that_is_no_number_of_at_least_0_is_refused(rank_weight: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"rank_weight must be a"):
        BundledReranker(rank_weight=rank_weight)


def test_questions_of_one_call_are_scored_apart() -> None:
    first = [("error 612", passage) for passage in PASSAGES]
    second = [("dinner", passage) for passage in PASSAGES]
    mixed = [pair for both in zip(first, second, strict=True) for pair in both]
    assert RERANKER.predict(mixed)[::2] == RERANKER.predict(first)


@pytest.mark.parametrize("text", ["", "\n\n", "?", "| --- |", "横浜"])
def test_texts_and_questions_without_words_have_a_score(text: str) -> None:
    assert len(RERANKER.predict([(text, text), (text, "Robots."), ("Robots?", text)])) == 3
    assert RERANKER.predict([]) == []
