"""The definition of the fused ranking, by examples that can be worked out by hand."""

from __future__ import annotations

import pytest

from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.hybrid import Fusion
from managed_sync.retrieval.hybrid.fusion import fused
from managed_sync.retrieval.ranking import Hit


def ranking(names: str, scores: list[float | None] | None = None) -> list[Hit]:
    """Hits with one letter each, best first."""
    scores = scores or [None] * len(names)
    return [
        Hit(f"file:{name}", (("id", name),), name, score)
        for name, score in zip(names, scores, strict=True)
    ]


def order(hits: list[Hit]) -> str:
    return "".join(hit.passage for hit in hits)


def test_a_passage_has_the_sum_of_both_rankings_shares() -> None:
    hits = fused(Fusion(constant=1), ranking("abc"), ranking("cb"))

    assert order(hits) == "cba"
    assert [hit.score for hit in hits] == pytest.approx([1 / 4 + 1 / 2, 1 / 3 + 1 / 3, 1 / 2])


def test_equal_scores_are_in_order_of_the_better_rank_and_then_vectors_come_first() -> None:
    assert order(fused(Fusion(), ranking("ab"), ranking("cd"))) == "acbd"
    assert order(fused(Fusion(), ranking("ab"), ranking("ba"))) == "ab"
    # 1/(0+1) and 1/(0+2) + 1/(0+2) are equal; the first has rank 1.
    assert order(fused(Fusion(constant=0), ranking("xa"), ranking("ya"))) == "xya"


def test_weights_favor_a_ranking() -> None:
    assert order(fused(Fusion(keyword_weight=2), ranking("ab"), ranking("cd"))) == "cdab"


def test_a_passage_is_the_same_if_any_of_its_identities_is() -> None:
    of_store = Hit("file:1", (("id", 1), ("chunk", "c")), "of the store")
    of_keywords = Hit("file:1", (("id", 2), ("chunk", "c")), "of keywords")

    (hit,) = fused(Fusion(constant=1), [of_store], [of_keywords])

    assert hit.passage == "of the store"
    assert hit.score == 1.0


def test_two_hits_of_one_ranking_are_not_counted_twice() -> None:
    of_store = Hit("file:1", (("id", 1), ("id", 2)), "of the store")
    first, second = Hit("file:1", (("id", 1),), "first"), Hit("file:1", (("id", 2),), "second")

    (hit,) = fused(Fusion(constant=1), [of_store], [first, second])

    assert hit.score == 1.0


def test_scores_are_scaled_to_their_window_whether_higher_or_lower_ones_are_better() -> None:
    distances, words = ranking("abc", [0.1, 0.2, 0.5]), ranking("cb", [7.0, 3.0])

    hits = fused(Fusion(method="scores"), distances, words)

    assert order(hits) == "acb"
    assert [hit.score for hit in hits] == pytest.approx([1.0, 1.0, 0.75])


def test_a_fusion_by_scores_needs_scores() -> None:
    with pytest.raises(ConfigurationError, match="Use method='ranks'"):
        fused(Fusion(method="scores"), ranking("a", [float("nan")]), [])


def test_the_window_is_never_smaller_than_the_result() -> None:
    assert Fusion(window=3).window_of(10) == 10
    assert [Fusion().window_of(k) for k in (1, 6, 40)] == [50, 50, 80]


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "best"},
        {"vector_weight": 0},
        {"keyword_weight": -1},
        {"constant": -1},
        {"window": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Fusion(**settings)  # type: ignore[arg-type]
