"""Hits: what tells passages apart, and what scores tell of their order."""

from __future__ import annotations

import math
from typing import Any

import pytest

from managed_sync.retrieval.ranking import Hit, Scores, distinct, hit_of, is_continued


def hit(
    text: str = "text",
    *,
    store_id: str | None = None,
    object_id: Any = "file:1",
    score: float | None = None,
    **metadata: Any,
) -> Hit:
    metadata = {"object_id": object_id, **metadata}
    return hit_of(text, text=text, metadata=metadata, store_id=store_id, score=score)


def scored(*scores: float | None) -> list[Hit]:
    return [hit(store_id=f"c{n}", score=score) for n, score in enumerate(scores)]


class TestIdentity:
    def test_the_stores_id_tells_passages_apart(self) -> None:
        assert len(distinct([hit(store_id="1"), hit(store_id="2"), hit(store_id="1")])) == 2

    def test_without_one_our_chunk_id_does(self) -> None:
        assert len(distinct([hit(chunk_id="1"), hit(chunk_id="2"), hit(chunk_id="1")])) == 2

    def test_without_either_text_and_metadata_do(self) -> None:
        assert len(distinct([hit("a"), hit("b"), hit("a"), hit("a", page=2)])) == 3

    def test_a_chunk_id_that_several_chunks_share_hides_none_of_them(self) -> None:
        page = [hit(text, chunk_id="page-1") for text in "abc"]

        assert distinct(page) == page

    def test_the_same_chunk_from_two_stores_is_one_passage(self) -> None:
        one, other = hit(store_id="1", chunk_id="c"), hit(store_id="2", chunk_id="c")

        assert distinct([one, other, hit(chunk_id="c")]) == [one]

    @pytest.mark.parametrize("same", [{"store_id": "1"}, {"chunk_id": "1"}, {}])
    def test_where_ids_clash_one_object_hides_no_other(self, same: dict[str, Any]) -> None:
        hits = [hit(object_id="file:1", **same), hit(object_id="file:2", **same)]

        assert distinct(hits) == hits

    @pytest.mark.parametrize("object_id", [None, "", 7, ["file:1"], b"file:1", "file:\ud800"])
    def test_what_cannot_be_asked_about_is_no_object_id(self, object_id: Any) -> None:
        assert hit(object_id=object_id).object_id is None


class TestScores:
    @pytest.mark.parametrize("scores", [(0.9, 0.5, 0.1), (-3.0, -7.0), (math.pi, 3.0)])
    def test_similarities_fall(self, scores: tuple[float, ...]) -> None:
        learned = Scores()
        learned.learn(scored(*scores))

        assert (learned.higher_is_better, learned.comparable) == (True, True)

    def test_distances_rise_and_may_be_negative(self) -> None:
        learned = Scores()
        learned.learn(scored(-0.9, -0.5, 0.1))

        assert (learned.higher_is_better, learned.comparable) == (False, True)

    @pytest.mark.parametrize(
        "scores", [(0.9, None), (0.9, math.nan, 0.1), (0.9, math.inf, 0.1), (0.9, 0.1, 0.5)]
    )
    def test_some_tell_nothing(self, scores: tuple[float | None, ...]) -> None:
        learned = Scores()
        learned.learn(scored(*scores))

        assert not learned.comparable

    def test_those_of_a_rank_fusion_differ_from_search_to_search(self) -> None:
        learned = Scores()
        learned.learn(scored(1 / 61, 1 / 62, 1 / 63))
        learned.learn([hit(store_id="c2", score=1 / 61)])

        assert not learned.comparable

    def test_equal_scores_show_no_direction_so_that_two_rankings_cannot_be_merged(self) -> None:
        learned = Scores()
        learned.learn(scored(0.5, 0.5))

        assert learned.can_order([scored(0.5, 0.5), []])
        assert not learned.can_order([scored(0.5, 0.5), scored(0.7)])

    def test_rankings_are_merged_by_score(self) -> None:
        learned = Scores()
        learned.learn(scored(0.1, 0.4))

        merged = learned.merged([scored(0.1, 0.4), scored(0.2, 0.3)])

        assert [each.score for each in merged] == [0.1, 0.2, 0.3, 0.4]

    def test_where_scores_tell_nothing_they_are_merged_by_place(self) -> None:
        learned = Scores()
        learned.learn(scored(None))

        merged = learned.merged([[hit("a"), hit("b"), hit("c")], [hit("d")]])

        assert [each.passage for each in merged] == ["a", "d", "b", "c"]


class TestAWiderSearch:
    def test_begins_with_what_a_narrower_one_brought(self) -> None:
        assert is_continued(scored(0.9, 0.8), scored(0.9, 0.8, 0.7))

    def test_may_turn_hits_of_equal_score_round(self) -> None:
        first, second = scored(0.9, 0.9)

        assert is_continued([first, second], [second, first])

    def test_does_not_lose_hits_or_put_others_before_them(self) -> None:
        first, second, third = scored(0.9, 0.8, 0.7)

        assert not is_continued([first, second], [first])
        assert not is_continued([first, third], [first, second, third])
