"""Hybrid retrievals against an exhaustive oracle, for subjects who may read much or little.

The oracle knows both rankings as a whole, keeps what the subject may read, and fuses the windows by
the definition in ``docs/concepts/fusion.md``.
"""

from __future__ import annotations

import itertools
import random
import threading
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import AccessChecker
from managed_sync.errors import AccessCheckError, ConfigurationError, KeywordSearchError
from managed_sync.retrieval import Doubt
from managed_sync.retrieval.effects import Inspect, Search, Strategy
from managed_sync.retrieval.hybrid import Fusion
from managed_sync.retrieval.hybrid.keyword_search import KeywordSearch
from tests.support.draws import draws
from tests.support.frameworks import STRATEGIES, WAYS, LangChain, Way
from tests.support.fused_oracle import best_fused, named
from tests.support.keywords import FixedKeywords, KeywordPassage
from tests.support.passages import Passage, Ranking
from tests.support.permission_service import FakePermissionService

LANGCHAIN = LangChain(asynchronous=False)


@dataclass(frozen=True)
class Corpus:
    """Passages in the order of the vectors, and those with words of the question in their order."""

    by_vectors: list[Passage]
    by_keywords: list[Passage]

    def keywords(self) -> FixedKeywords:
        return FixedKeywords(
            [
                KeywordPassage(each.chunk_id, each.text, {**each.metadata})
                for each in self.by_keywords
            ]
        )

    def best(
        self,
        readable: set[str],
        k: int,
        fusion: Fusion | None = None,
        max_per_object: int | None = None,
    ) -> list[str]:
        return best_fused(
            named(self.by_vectors),
            named(self.by_keywords),
            readable.__contains__,
            k,
            fusion=fusion,
            max_per_object=max_per_object,
        )


def corpus(objects: int, chunks_each: int, *, share_with_words: float, seed: int = 0) -> Corpus:
    chance = random.Random(seed)
    numbers = list(range(objects * chunks_each))
    owners = [f"file:{n % objects}" for n in numbers]
    chance.shuffle(owners)
    passages = [Passage(f"text {n}", owners[n], f"chunk-{n}", 1 - n / 1e6) for n in numbers]
    with_words = [each for each in passages if chance.random() < share_with_words]
    chance.shuffle(with_words)
    return Corpus(passages, with_words)


COMPANY = corpus(200, 5, share_with_words=0.3)
LARGE = corpus(1000, 1, share_with_words=0.3)


def ask(
    way: Way, of: Corpus, service: FakePermissionService, keywords: Any = None, **arguments: Any
) -> Any:
    retriever = way.retriever(
        way.store(of.by_vectors),
        AccessChecker(service, list_limit=None),
        keywords=keywords or of.keywords(),
        **arguments,
    )
    return way.ask(retriever)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("readable", [200, 20, 2, 1])
def test_a_user_gets_the_best_of_the_fused_ranking_that_they_may_read(
    way: Way, readable: int
) -> None:
    service = FakePermissionService(*(f"file:{n * 200 // readable}" for n in range(readable)))

    found = ask(way, COMPANY, service, k=6)

    assert found.texts == COMPANY.best(service.everybody, 6)
    assert found.report.complete
    assert len(service.checked) == len(set(service.checked)) == found.report.checks
    assert service.requests.count("list_objects") <= 1


@pytest.mark.parametrize("way", WAYS[::2], ids=str)
def test_one_object_of_a_thousand_is_found(way: Way) -> None:
    service = FakePermissionService("file:613")

    found = ask(way, LARGE, service, k=6)

    assert found.texts == LARGE.best({"file:613"}, 6)
    assert len(found.texts) == 1
    assert found.report.complete


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_each_strategy(strategy: Strategy) -> None:
    service = FakePermissionService(*(f"file:{n}" for n in range(0, 200, 13)))

    found = ask(LANGCHAIN, COMPANY, service, k=8, strategy=strategy)

    assert found.texts == COMPANY.best(service.everybody, 8)
    assert found.report.complete


def test_both_rankings_are_checked_in_one_request() -> None:
    service = FakePermissionService(*(f"file:{n}" for n in range(200)))

    found = ask(LANGCHAIN, COMPANY, service, k=6)

    assert service.requests == ["batch_check_access"]
    assert (found.report.round_trips, found.report.rounds, found.report.keyword_rounds) == (1, 1, 1)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_both_stores_are_searched_at_the_same_time_the_vector_store_in_the_callers_thread(
    way: Way,
) -> None:
    # Each first search waits until the other one has begun.
    begun = threading.Barrier(2, timeout=60)
    threads = []

    class MeetingRanking(Ranking):
        def search(self, *args: Any) -> list[Passage]:
            threads.append(threading.current_thread())
            if not self.searches:
                begun.wait()
            return super().search(*args)

    class MeetingKeywords(FixedKeywords):
        def search(self, *args: Any, **named: Any) -> list[KeywordPassage]:
            if not self.searches:
                begun.wait()
            return super().search(*args, **named)

    service = FakePermissionService("file:3", "file:150")
    found = way.ask(
        way.retriever(
            way.store_over(MeetingRanking(COMPANY.by_vectors)),
            AccessChecker(service, list_limit=None),
            keywords=MeetingKeywords(COMPANY.keywords().passages),
            k=6,
        )
    )

    assert found.texts == COMPANY.best(service.everybody, 6)
    assert set(threads) == {threading.current_thread()}


def test_hidden_passages_change_neither_what_is_shown_nor_its_order() -> None:
    readable = {f"file:{n}" for n in range(0, 200, 5)}
    without_hidden = Corpus(
        [each for each in COMPANY.by_vectors if each.object_id in readable],
        [each for each in COMPANY.by_keywords if each.object_id in readable],
    )

    with_hidden = ask(LANGCHAIN, COMPANY, FakePermissionService(*readable), k=20)
    alone = ask(LANGCHAIN, without_hidden, FakePermissionService(*readable), k=20)

    assert with_hidden.texts == alone.texts
    assert with_hidden.report.scores == alone.report.scores


def test_more_passages_than_the_smallest_window_are_found() -> None:
    service = FakePermissionService(*(f"file:{n}" for n in range(0, 200, 4)))

    found = ask(LANGCHAIN, COMPANY, service, k=120)

    assert found.texts == COMPANY.best(service.everybody, 120)


def test_no_more_of_one_object_than_wanted() -> None:
    service = FakePermissionService(*(f"file:{n}" for n in range(0, 200, 10)))

    found = ask(LANGCHAIN, COMPANY, service, k=15, max_per_object=1)

    assert found.texts == COMPANY.best(service.everybody, 15, max_per_object=1)
    assert max(Counter(found.object_ids).values()) == 1


def test_a_question_without_words_of_any_passage_is_answered_by_vectors() -> None:
    of = Corpus(COMPANY.by_vectors, [])

    found = ask(LANGCHAIN, of, FakePermissionService("file:7"), k=3)

    assert found.texts == of.best({"file:7"}, 3)
    assert found.report.complete


def test_a_passage_that_only_the_keyword_index_has_is_checked_as_well() -> None:
    secret = Passage("secret", "file:secret", "chunk-secret")
    public = Passage("public", "file:public", "chunk-public")
    of = Corpus(COMPANY.by_vectors, [secret, public])

    found = ask(LANGCHAIN, of, FakePermissionService("file:public"), k=3)

    assert found.texts == ["public"]


def test_a_passage_without_an_object_id_leaves_a_doubt_and_is_not_returned() -> None:
    nameless = Passage("nameless", None, "chunk-nameless")
    of = Corpus(COMPANY.by_vectors, [nameless, *COMPANY.by_keywords])

    found = ask(LANGCHAIN, of, FakePermissionService(*(f"file:{n}" for n in range(200))), k=3)

    assert "nameless" not in found.texts
    assert found.report.doubts == (Doubt.UNIDENTIFIED,)


def test_doubts_about_the_ranking_by_vectors_are_doubts_about_the_fused_one() -> None:
    service = FakePermissionService("file:199")

    found = ask(
        LANGCHAIN, COMPANY, service, k=3, strategy="post_filter", max_candidates=60, overfetch=1
    )

    assert Doubt.BOUND in found.report.doubts
    assert not found.report.complete


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_failed_check_returns_nothing(way: Way) -> None:
    with pytest.raises(AccessCheckError):
        ask(way, COMPANY, FakePermissionService("file:1", fails_at=1), k=3)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_keyword_index_that_fails_raises_rather_than_leaving_passages_out(way: Way) -> None:
    class Broken(FixedKeywords):
        def search(self, *_: Any, **__: Any) -> list[KeywordPassage]:
            raise OSError("the canary's text")

    with pytest.raises(KeywordSearchError, match=r"\(Broken\).*OSError") as raised:
        ask(way, COMPANY, FakePermissionService("file:1"), Broken([]), k=3)

    assert "canary" not in "".join(traceback.format_exception(raised.value))


ODD = [
    KeywordPassage(None, "word", {"object_id": "file:1"}),  # type: ignore[arg-type]
    KeywordPassage(["c1"], "word", {"object_id": "file:1"}),  # type: ignore[arg-type]
    KeywordPassage("c1", None, {"object_id": "file:1"}),  # type: ignore[arg-type]
    KeywordPassage("c1", 5, {"object_id": "file:1"}),  # type: ignore[arg-type]
    KeywordPassage("c1", "word", None),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("answer", [None, 7, ["text"], [None], *([each] for each in ODD)])
def test_so_does_one_that_returns_something_else_than_passages(answer: Any) -> None:
    class Odd(FixedKeywords):
        def search(self, *_: Any, **__: Any) -> Any:
            return answer

    with pytest.raises(KeywordSearchError):
        ask(LANGCHAIN, COMPANY, FakePermissionService("file:1"), Odd([]), k=3)


@pytest.mark.parametrize("count", ["x", None, -1])
def test_so_does_one_that_cannot_count(count: Any) -> None:
    class Odd(FixedKeywords):
        def count_chunks(self, *_: Any, **__: Any) -> Any:
            return count

    search = KeywordSearch(Odd([]), lambda found: found, nullcontext, None)

    with pytest.raises(KeywordSearchError, match="Odd"):
        search.reach(Inspect(count=True))


@pytest.mark.parametrize("answer", [None, 7, "text", [None], [KeywordPassage("c", None, {})]])  # type: ignore[arg-type]
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_so_does_one_that_returns_something_else_than_neighbors(way: Way, answer: Any) -> None:
    class Odd(FixedKeywords):
        def neighbors(self, *_: Any, **__: Any) -> Any:
            return answer

    passage = KeywordPassage("c1", "word", {"object_id": "file:1", "chunk_index": 0})

    with pytest.raises(KeywordSearchError, match="Odd"):
        ask(way, COMPANY, FakePermissionService("file:1"), Odd([passage]), k=3, expand=1)


def test_an_endless_answer_ends_at_the_limit() -> None:
    class Endless(FixedKeywords):
        def search(self, *_: Any, **__: Any) -> Any:
            return (KeywordPassage(f"c{n}", "word", {}) for n in itertools.count())

    search = KeywordSearch(Endless([]), lambda found: found, nullcontext, None)

    assert len(search.question("word").search(Search(7))) == 7


def test_a_list_that_fails_is_asked_for_once() -> None:
    service = FakePermissionService("file:199", fails_at=2)

    found = ask(LANGCHAIN, COMPANY, service, k=3)

    assert service.failed == "list_objects"
    assert service.requests.count("list_objects") == 1
    assert found.texts == COMPANY.best({"file:199"}, 3)


class TestKeywordsAlone:
    @pytest.mark.parametrize("readable", [200, 10, 1])
    def test_the_best_by_keywords_that_may_be_read(self, readable: int) -> None:
        service = FakePermissionService(*(f"file:{n}" for n in range(readable)))
        retriever = LANGCHAIN.retriever(
            None, AccessChecker(service, list_limit=None), keywords=COMPANY.keywords(), k=6
        )

        found = LANGCHAIN.ask(retriever)

        own = [each.text for each in COMPANY.by_keywords if each.object_id in service.everybody]
        assert found.texts == own[:6]
        assert found.report.complete

    @pytest.mark.parametrize("way", WAYS, ids=str)
    def test_scores_of_the_index_which_depend_on_hidden_passages_are_not_shown(
        self, way: Way
    ) -> None:
        checker = AccessChecker(FakePermissionService("file:1"), list_limit=None)
        retriever = way.retriever(None, checker, keywords=COMPANY.keywords(), k=1)

        assert way.ask(retriever).report.scores == (1 / 11,)


cases = settings(max_examples=draws(30), deadline=None, derandomize=True)


@cases
@given(
    owners=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    words=st.lists(st.integers(0, 39), max_size=30, unique=True),
    readable=st.sets(st.integers(0, 9)),
    k=st.integers(1, 6),
    window=st.none() | st.integers(1, 8),
    max_per_object=st.none() | st.integers(1, 2),
    strategy=st.sampled_from(STRATEGIES),
    way=st.sampled_from(WAYS),
)
def test_whatever_the_rankings_and_permissions_the_result_is_the_oracles(
    owners: Sequence[int],
    words: Sequence[int],
    readable: set[int],
    k: int,
    window: int | None,
    max_per_object: int | None,
    strategy: Strategy,
    way: Way,
) -> None:
    passages = [
        Passage(f"text {n}", f"file:{owner}", f"chunk-{n}", 1 - n / 1e3)
        for n, owner in enumerate(owners)
    ]
    of = Corpus(passages, [passages[n] for n in words if n < len(passages)])
    service = FakePermissionService(*(f"file:{n}" for n in readable))
    fusion = Fusion(window=window)

    found = ask(
        way,
        of,
        service,
        k=k,
        fusion=fusion,
        max_per_object=max_per_object,
        strategy=strategy,
        overfetch=1,
    )

    assert found.texts == of.best(service.everybody, k, fusion, max_per_object)
    assert found.report.complete
    assert set(found.object_ids) <= set(service.checked)
    assert len(service.checked) == len(set(service.checked))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"search_kwargs": {"filter": {"a": 1}}}, "filter"),
        ({"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 0.5}},
         "score_threshold"),
        ({"search_type": "mmr", "reranker": lambda pairs: [1.0] * len(pairs)}, "mmr"),
    ],
)  # fmt: skip
def test_arguments_that_one_ranking_would_ignore_are_refused(
    arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        ask(LANGCHAIN, COMPANY, FakePermissionService(), **arguments)
