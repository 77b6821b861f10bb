"""The plan against stores and graphs of every kind, carried out by both drivers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import AccessChecker, RetrievalReport
from managed_sync.access.checker import ListedObjects
from managed_sync.effects import arun, run
from managed_sync.errors import AccessCheckError, ConfigurationError
from managed_sync.retrieval import Doubt
from managed_sync.retrieval.effects import (
    Inspect,
    Reach,
    RetrievalEffects,
    RetrievalSpec,
    Search,
    Strategy,
)
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.state import RetrieverStats, SubjectStats
from managed_sync.retrieval.strategies import Retrieval
from tests.support.draws import draws
from tests.support.permission_service import FakePermissionService

ALICE = "a@x.example"
STRATEGIES: list[Strategy] = ["auto", "post_filter", "pre_filter"]


# The kinds of stores whose searches are exhaustive, of all objects and of some.
EXHAUSTIVE = {"exact", "ignores"}


@dataclass
class Store:
    """Hits in a fixed order, of a store of some kind.

    ``exact`` filters first and then gives the best, ``ignores`` takes no notice of its filter,
    ``approximate`` filters what it has found, ``lossy`` finds the same few hits never, ``fused``
    ranks by other scores among some objects than among all, and ``unscored`` gives no scores.
    """

    hits: Sequence[Hit]
    kind: str = "exact"
    max_objects: int | None = None
    furthest: int = 1_000_000
    counts: bool = True
    searches: list[Search] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return self.kind == "exact"

    def search_kwargs(self, object_ids: Sequence[str]) -> dict[str, Any]:
        return {"objects": object_ids}

    def search(self, step: Search) -> Sequence[Hit] | None:
        self.searches.append(step)
        return [self.scored(hit, step) for hit in self.found(step)]

    async def asearch(self, step: Search) -> Sequence[Hit] | None:
        return self.search(step)

    def reach(self, step: Inspect) -> Reach:
        among = self.hits
        if step.objects is not None:
            among = [hit for hit in among if hit.object_id in step.objects]
        return Reach(self.kind in EXHAUSTIVE, len(among) if step.count and self.counts else None)

    def found(self, step: Search) -> Sequence[Hit]:
        hits = self.hits
        if self.kind == "lossy":
            hits = [hit for hit in hits if hit.passage % 5]
        if step.objects is None or self.kind == "ignores":
            return hits[: min(step.limit, self.furthest)]
        assert self.max_objects is None or len(step.objects) <= self.max_objects
        if self.kind == "approximate":
            hits = hits[: 5 * step.limit]
        return [hit for hit in hits if hit.object_id in step.objects][: step.limit]

    def scored(self, hit: Hit, step: Search) -> Hit:
        if self.kind == "unscored":
            return replace(hit, score=None)
        if self.kind == "fused":
            return replace(hit, score=(1 if step.objects else -1) * hit.passage % 7)
        return hit


def effects_of(checker: AccessChecker, store: Store) -> RetrievalEffects:
    return RetrievalEffects(
        store.search,
        store.reach,
        partial(checker.decide, ALICE),
        partial(checker.list_objects, ALICE),
        partial(checker.kept_list, ALICE),
    )


def ranked(object_ids: Sequence[str | None]) -> list[Hit]:
    return [
        Hit(object_id or None, (f"chunk-{position}",), position, 1 - position / 1e6)
        for position, object_id in enumerate(object_ids)
    ]


def spread(objects: int, chunks_each: int = 1) -> list[Hit]:
    return ranked([f"file:{n % objects}" for n in range(objects * chunks_each)])


def files(*numbers: int) -> set[str]:
    return {f"file:{number}" for number in numbers}


def retrieve(
    store: Store,
    service: FakePermissionService,
    strategy: Strategy = "post_filter",
    *,
    wanted: RetrievalSpec | None = None,
    asynchronously: bool = False,
    list_limit: int | None = None,
    known_list_size: int | None = None,
    object_count: int | None = None,
) -> tuple[list[int], RetrievalReport]:
    stats = RetrieverStats()
    stats.of(ALICE).list_size = known_list_size
    stats.object_count = object_count or len({hit.object_id for hit in store.hits})
    checker = AccessChecker(service, list_limit=list_limit)
    spec = replace(wanted or RetrievalSpec(3), trusts_lists=checker.lists_are_proven)
    if asynchronously:
        effects = RetrievalEffects(
            store.asearch,
            lambda step: asyncio.to_thread(store.reach, step),
            partial(checker.adecide, ALICE),
            partial(checker.alist_objects, ALICE),
            partial(checker.kept_list, ALICE),
        )
    else:
        effects = effects_of(checker, store)
    retrieval = Retrieval(
        ALICE,
        spec,
        effects,
        checker.boundary(),
        object_filter=store,
        stats=stats,
        past=stats.of(ALICE),
    )
    program = retrieval.by(strategy)
    hits, report = asyncio.run(arun(program)) if asynchronously else run(program)
    return [hit.passage for hit in hits], report


class Confining(Store):
    """A store that cannot be searched, which must not look like a store without hits."""

    def search(self, step: Search) -> Sequence[Hit] | None:
        return None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_without_a_result_is_never_a_complete_one(strategy: Strategy) -> None:
    with pytest.raises((TypeError, ConfigurationError)):
        retrieve(Confining(spread(10)), FakePermissionService(*files(1)), strategy)


class TestPostFilter:
    def test_who_may_read_everything_gets_the_stores_own_ranking_in_one_round(self) -> None:
        found, report = retrieve(Store(spread(100)), FakePermissionService(*files(*range(100))))

        assert found == [0, 1, 2]
        assert (report.rounds, report.round_trips, report.complete) == (1, 1, True)

    def test_three_of_a_thousand_objects_are_all_found(self) -> None:
        found, report = retrieve(Store(spread(1000)), FakePermissionService(*files(400, 700, 999)))

        assert found == [400, 700, 999]
        assert report.complete
        assert report.withheld == 997

    def test_several_chunks_of_one_object_are_all_kept(self) -> None:
        found, _ = retrieve(Store(spread(10, chunks_each=3)), FakePermissionService(*files(4)))

        assert found == [4, 14, 24]

    def test_unless_fewer_are_wanted(self) -> None:
        store = Store(spread(10, chunks_each=3))

        found, report = retrieve(
            store, FakePermissionService(*files(4, 5)), wanted=RetrievalSpec(3, max_per_object=1)
        )

        assert found == [4, 5]
        assert report.complete

    def test_no_object_is_checked_twice(self) -> None:
        service = FakePermissionService(*files(999))

        retrieve(Store(spread(1000, chunks_each=2)), service)

        assert len(service.checked) == len(set(service.checked)) == 1000

    def test_hits_without_an_object_id_are_never_returned_and_are_counted(self) -> None:
        found, report = retrieve(
            Store(ranked([None, "", "file:1", None])), FakePermissionService("file:1", "", "None")
        )

        assert found == [2]
        assert (report.unidentified, report.withheld) == (3, 0)

    def test_the_same_chunk_twice_is_one_passage(self) -> None:
        hits = ranked(["file:1", "file:1"])

        assert retrieve(Store([hits[0], hits[0], hits[1]]), FakePermissionService("file:1"))[0] == [
            0,
            1,
        ]

    def test_repeated_chunks_are_not_taken_for_the_end_of_the_store(self) -> None:
        hits = ranked([f"file:{n}" for n in range(60)])

        assert retrieve(Store([hits[0]] * 15 + hits), FakePermissionService(*files(38)))[0] == [38]

    def test_reaching_the_bound_is_reported(self) -> None:
        found, report = retrieve(
            Store(spread(1000)),
            FakePermissionService(*files(999)),
            wanted=RetrievalSpec(3, max_candidates=100),
        )

        assert (found, report.complete, report.withheld) == ([], False, 100)

    def test_an_empty_store_is_searched_once_and_nothing_is_checked(self) -> None:
        service = FakePermissionService()

        found, report = retrieve(Store([]), service)

        assert (found, report.rounds, report.complete, len(service.requests)) == ([], 1, True, 0)


class TestAtTheBound:
    """Many chunks of few objects cost few checks, and can stand in front of everything else."""

    HITS = ranked(["file:0"] * 200 + [f"file:{number}" for number in range(1, 60)])
    WANTED = RetrievalSpec(3, max_candidates=100)

    @pytest.mark.parametrize("asynchronously", [False, True])
    @pytest.mark.parametrize("list_limit", [None, 1000])
    def test_auto_finds_by_the_list_what_lies_behind_it(
        self, list_limit: int | None, asynchronously: bool
    ) -> None:
        store, service = Store(self.HITS), FakePermissionService(*files(*range(1, 50)))

        found, report = retrieve(
            store,
            service,
            "auto",
            wanted=self.WANTED,
            list_limit=list_limit,
            asynchronously=asynchronously,
        )

        assert found == [200, 201, 202]
        assert len(service.requests) <= 3
        assert report.complete is (list_limit is None)

    def test_who_may_read_nothing_costs_one_list_more(self) -> None:
        store, service = Store(self.HITS), FakePermissionService()

        found, report = retrieve(store, service, "auto", wanted=self.WANTED, list_limit=1000)

        assert (found, report.complete, len(service.requests)) == ([], False, 2)

    def test_a_list_that_fails_leaves_the_doubt(self) -> None:
        store, service = Store(self.HITS), FakePermissionService(*files(1), fails_at=2)

        found, report = retrieve(store, service, "auto", wanted=self.WANTED)

        assert (found, report.doubts, service.failed) == ([], (Doubt.BOUND,), "list_objects")


class TestPreFilter:
    def test_it_searches_among_the_list_and_checks_what_comes_back(self) -> None:
        service, store = (
            FakePermissionService(*files(400, 700, 999)),
            Store(spread(1000, chunks_each=2)),
        )

        found, report = retrieve(store, service, "pre_filter")

        assert found == [400, 700, 999]
        assert (report.round_trips, report.listed, report.checks) == (2, 3, 3)
        assert report.complete

    def test_what_was_revoked_after_the_list_was_made_is_not_returned(self) -> None:
        class Revoking(FakePermissionService):
            def list_objects(self, *arguments: Any, **more: Any) -> list[str]:
                listed = super().list_objects(*arguments, **more)
                self.everybody -= {*files(1)}
                return listed

        found, report = retrieve(
            Store(spread(10)), Revoking(*files(1, 2, 3, 4)), "pre_filter", wanted=RetrievalSpec(3)
        )

        assert found == [2, 3, 4]
        assert report.complete

    def test_one_hit_of_each_part_is_enough_to_find_the_best(self) -> None:
        store = Store(spread(10), max_objects=1)

        found, report = retrieve(
            store,
            FakePermissionService(*files(3, 7)),
            "pre_filter",
            wanted=RetrievalSpec(1, overfetch=1),
        )

        assert found == [3]
        assert Doubt.SCORES not in report.doubts

    def test_a_long_list_is_searched_in_parts(self) -> None:
        store = Store(spread(100), max_objects=7)
        service = FakePermissionService(*files(*range(50, 100)))

        found, report = retrieve(store, service, "pre_filter", wanted=RetrievalSpec(20))

        assert found == list(range(50, 70))
        assert report.complete

    @pytest.mark.parametrize("strategy", ["pre_filter", "auto"])
    def test_a_list_that_may_be_cut_off_is_never_taken_for_the_whole(
        self, strategy: Strategy
    ) -> None:
        service = FakePermissionService(*files(*range(500, 800)), list_cap=100)

        found, report = retrieve(Store(spread(1000)), service, strategy, list_limit=100)

        assert len(found) == 3
        assert found != [500, 501, 502]
        assert not report.complete

    def test_a_list_that_lacks_what_a_check_allowed_is_not_taken_for_the_whole(self) -> None:
        class Forgetful(FakePermissionService):
            def list_objects(self, *arguments: Any, **more: Any) -> list[str]:
                return sorted(self.everybody - {*files(0, 500)})

        service = Forgetful(*files(0, 500, 900, 901))

        found, report = retrieve(Store(spread(1000)), service, "auto", known_list_size=1)

        assert found == [0, 500, 900]
        assert report.complete

    @pytest.mark.parametrize("strategy", ["pre_filter", "auto"])
    def test_a_store_that_filters_after_searching_is_not_trusted_to_have_no_more(
        self, strategy: Strategy
    ) -> None:
        store = Store(spread(1000), kind="approximate")

        found, report = retrieve(store, FakePermissionService(*files(5, 300, 900)), strategy)

        assert report.complete == (found == [5, 300, 900])
        assert report.complete == (strategy == "auto")

    def test_a_search_that_does_not_reach_far_is_not_taken_for_the_end_of_the_store(self) -> None:
        store = Store(spread(1000), kind="approximate", furthest=40)

        found, report = retrieve(store, FakePermissionService(*files(5, 300, 900)), "post_filter")

        assert (found, report.complete) == ([5], False)

    def test_nor_is_one_of_a_store_that_cannot_count(self) -> None:
        store = Store(spread(10), kind="approximate", counts=False)

        found, report = retrieve(store, FakePermissionService(*files(5)), "post_filter")

        assert (found, report.complete) == ([5], False)

    def test_where_the_search_does_not_reach_the_filter_may(self) -> None:
        store = Store(spread(300), kind="approximate", furthest=40)

        found, report = retrieve(
            store, FakePermissionService(*files(5, 20, 39, 60)), "auto", wanted=RetrievalSpec(4)
        )

        assert found == [5, 20, 39, 60]
        assert report.listed == 4

    def test_a_store_that_ignores_its_filter_does_no_harm_and_is_noticed(self) -> None:
        store = Store(spread(1000), kind="ignores")

        for strategy in ("pre_filter", "auto"):
            found, report = retrieve(store, FakePermissionService(*files(300, 900)), strategy)
            assert report.filter_ignored
            assert set(found) <= {300, 900}
            assert report.complete == (strategy == "auto")

    def test_who_may_read_nothing_costs_one_list(self) -> None:
        service = FakePermissionService()

        found, report = retrieve(Store(spread(100)), service, "pre_filter")

        assert (found, report.complete, service.checked, len(service.requests)) == ([], True, [], 1)


class TestAuto:
    @pytest.mark.parametrize("whole", [True, False])
    def test_it_begins_with_a_list_that_was_kept_where_little_is_allowed(self, whole: bool) -> None:
        store, service = Store(spread(1000)), FakePermissionService(*files(5, 300, 900))
        kept = ListedObjects(frozenset(files(5, 300, 900)), whole=whole)
        checker = AccessChecker(service)
        retrieval = Retrieval(
            ALICE,
            RetrievalSpec(3),
            replace(effects_of(checker, store), kept_list=lambda: kept),
            checker.boundary(),
            object_filter=store,
            past=SubjectStats(share=0.01),
        )

        hits, report = run(retrieval.by("auto"))

        assert [hit.passage for hit in hits] == [5, 300, 900]
        assert (report.listed, service.listed) == (3, 0)
        if whole:
            # The subject may have been given more since.
            assert (report.round_trips, report.doubts) == (1, (Doubt.LIST,))

    def test_it_stays_with_checking_where_much_is_allowed(self) -> None:
        service = FakePermissionService(*files(*range(0, 1000, 2)))

        found, report = retrieve(Store(spread(1000)), service, "auto", wanted=RetrievalSpec(10))

        assert found == list(range(0, 20, 2))
        assert (report.strategy, report.listed, report.round_trips) == ("post_filter", None, 1)

    @pytest.mark.parametrize("known_list_size", [None, 5])
    def test_it_goes_over_to_the_list_where_little_is_allowed(
        self, known_list_size: int | None
    ) -> None:
        service = FakePermissionService(*files(9000, 9100, 9200, 9300, 9400))

        found, report = retrieve(
            Store(spread(10_000)), service, "auto", known_list_size=known_list_size
        )

        assert found == [9000, 9100, 9200]
        assert (report.strategy, report.listed, report.round_trips) == ("pre_filter", 5, 3)
        if known_list_size is not None:
            assert len(service.checked) + service.listed <= 15 + 5 + 3

    def test_it_knows_a_long_list_for_what_it_costs(self) -> None:
        service = FakePermissionService(*files(*range(30, 10_000)))

        found, report = retrieve(
            Store(spread(10_000)), service, "auto", wanted=RetrievalSpec(5), known_list_size=9_970
        )

        assert found == [30, 31, 32, 33, 34]
        assert (report.strategy, report.listed) == ("post_filter", None)

    def test_what_a_cut_off_list_lacks_may_lie_where_the_search_does_not_reach(self) -> None:
        hits = ranked([None] * 30 + [f"file:{number}" for number in range(9)])
        service = FakePermissionService(*files(*range(9)), list_cap=2)

        found, report = retrieve(
            Store(hits, "approximate", furthest=5),
            service,
            "auto",
            wanted=RetrievalSpec(2, overfetch=1),
            list_limit=2,
        )

        assert (found, report.complete) == ([37, 38], False)

    def test_without_a_filter_it_only_checks(self) -> None:
        store, service = Store(spread(1000)), FakePermissionService(*files(999))
        checker = AccessChecker(service)
        effects = effects_of(checker, store)

        hits, report = run(
            Retrieval(ALICE, RetrievalSpec(3), effects, checker.boundary()).by("auto")
        )

        assert [hit.passage for hit in hits] == [999]
        assert (report.complete, service.listed) == (True, 0)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("fail_at", [1, 2, 3])
@pytest.mark.parametrize("asynchronously", [False, True])
def test_a_check_that_fails_at_any_place_returns_nothing(
    strategy: Strategy, fail_at: int, asynchronously: bool
) -> None:
    service = FakePermissionService(*files(0, 998, 999), fails_at=fail_at)
    try:
        found, _ = retrieve(Store(spread(1000)), service, strategy, asynchronously=asynchronously)
    except AccessCheckError:
        return
    assert found == [0, 998, 999]
    assert len(service.requests) < fail_at or service.failed == "list_objects"


def chunks_of(numbers: list[int], chunks_each: int, order: random.Random) -> list[int | None]:
    """Chunks of objects, near each other but not in one piece, and some of no object at all."""
    chunks: list[int | None] = [number for number in numbers for _ in range(chunks_each)]
    keys = [place + order.gauss(0, 2 * chunks_each) for place in range(len(chunks))]
    chunks = [chunk for _, chunk in sorted(zip(keys, chunks, strict=True), key=lambda x: x[0])]
    return [None if order.random() < 0.02 else chunk for chunk in chunks]


rankings = st.builds(
    chunks_of, st.permutations(range(150)), st.integers(1, 6), st.randoms(use_true_random=False)
) | st.lists(st.integers(0, 30) | st.none(), max_size=100)


# `make soak` draws ten thousand.
@settings(max_examples=draws(50), deadline=None)
@given(
    objects=rankings,
    readable=st.sets(st.integers(0, 150), max_size=40),
    k=st.integers(1, 12),
    overfetch=st.integers(1, 5),
    kind=st.sampled_from(["exact", "approximate", "ignores", "lossy", "fused", "unscored"]),
    max_objects=st.none() | st.integers(1, 10),
    max_per_object=st.none() | st.integers(1, 3),
    known_list_size=st.none() | st.integers(0, 50),
    object_count=st.none() | st.integers(1, 10_000),
    list_cap=st.none() | st.integers(1, 10),
    is_cut_silently=st.booleans(),
    strategy=st.sampled_from(STRATEGIES),
    reach=st.sampled_from([5, 50, 1_000_000]),
    max_candidates=st.sampled_from([5, 20, 100, 10_000]),
    asynchronously=st.booleans(),
)
def test_the_result_is_the_best_of_what_may_be_read_or_says_that_it_may_not_be(
    objects: list[int | None],
    readable: set[int],
    k: int,
    overfetch: int,
    kind: str,
    max_objects: int | None,
    max_per_object: int | None,
    known_list_size: int | None,
    object_count: int | None,
    list_cap: int | None,
    is_cut_silently: bool,
    strategy: Strategy,
    reach: int,
    max_candidates: int,
    asynchronously: bool,
) -> None:
    hits = ranked([None if n is None else f"file:{n}" for n in objects])
    store = Store(hits, kind, max_objects, reach if kind == "approximate" else 1_000_000)
    service = FakePermissionService(*files(*readable), list_cap=list_cap)

    found, report = retrieve(
        store,
        service,
        strategy,
        wanted=RetrievalSpec(k, overfetch, max_candidates, max_per_object),
        asynchronously=asynchronously,
        # A server that stops at a deadline cuts its list off below the limit.
        list_limit=1000 if is_cut_silently else list_cap,
        known_list_size=known_list_size,
        object_count=object_count,
    )

    allowed = [hit for hit in store.hits if hit.object_id in service.everybody]
    taken: dict[str | None, int] = {}
    best = []
    for hit in allowed:
        taken[hit.object_id] = taken.get(hit.object_id, 0) + 1
        if max_per_object is None or taken[hit.object_id] <= max_per_object:
            best.append(hit.passage)
    assert set(found) <= {hit.passage for hit in allowed}
    assert found == sorted(found) or report.doubts
    everything_is_in_reach = min(store.furthest, max_candidates) >= 10_000
    all_can_be_known = kind in EXHAUSTIVE and None not in objects and not is_cut_silently
    if strategy != "pre_filter" and list_cap is None and everything_is_in_reach:
        assert report.complete or not all_can_be_known
    if report.complete:
        assert found == best[:k]
    assert report.returned == len(found)
    assert len(service.checked) == len(set(service.checked)) == report.checks
