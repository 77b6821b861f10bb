"""The plan against stores and graphs of every kind, carried out by both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import AccessCheck, AccessChecker, RetrievalReport
from managed_sync.errors import AccessCheckError
from managed_sync.permissions.drivers import acarry_out, carry_out
from managed_sync.permissions.plan import Hit, post_filter


class Graph:
    """Allows some objects, counts, and may fail at one of its calls."""

    def __init__(self, allowed: set[str], fail_at: int | None = None) -> None:
        self.readable = allowed
        self.fail_at = fail_at
        self.checked: list[str] = []
        self.calls = 0

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self.calls += 1
        if self.calls == self.fail_at:
            raise TimeoutError
        self.checked += [check.object for check in checks]
        return [check.object in self.readable for check in checks]


class Store:
    """Hits in a fixed order, best first."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = hits
        self.limits: list[int] = []

    def search(self, limit: int) -> Sequence[Hit]:
        self.limits.append(limit)
        return self.hits[:limit]


def chunk(number: int, object_id: str | None) -> Hit:
    return Hit(object_id, f"chunk-{number}", number)


def spread(objects: int, chunks_each: int = 1) -> list[Hit]:
    return [chunk(n, f"file:{n % objects}") for n in range(objects * chunks_each)]


def retrieve(
    store: Store, graph: Graph, k: int = 3, overfetch: int = 4, max_candidates: int = 10_000
) -> tuple[list[int], RetrievalReport]:
    hits, report = carry_out(
        post_filter(k, overfetch=overfetch, max_candidates=max_candidates),
        subject="a@x.example",
        checker=AccessChecker(graph),
        search=store.search,
    )
    return [hit.passage for hit in hits], report


def test_a_user_who_may_read_everything_gets_the_stores_own_ranking_in_one_round() -> None:
    graph = Graph({f"file:{n}" for n in range(100)})

    found, report = retrieve(Store(spread(100)), graph)

    assert found == [0, 1, 2]
    assert (report.rounds, report.complete, report.withheld) == (1, True, 0)


def test_a_user_who_may_read_three_of_a_thousand_objects_gets_all_three() -> None:
    graph = Graph({"file:400", "file:700", "file:999"})

    found, report = retrieve(Store(spread(1000)), graph)

    assert found == [400, 700, 999]
    assert report.complete
    assert report.withheld == report.candidates - 3


def test_several_chunks_of_one_allowed_object_are_all_kept() -> None:
    found, _ = retrieve(Store(spread(10, chunks_each=3)), Graph({"file:4"}))

    assert found == [4, 14, 24]


def test_no_object_is_checked_twice() -> None:
    graph = Graph({"file:999"})

    retrieve(Store(spread(1000, chunks_each=2)), graph)

    assert len(graph.checked) == len(set(graph.checked)) == 1000


def test_hits_without_an_object_id_are_never_returned_and_are_counted() -> None:
    hits = [chunk(0, None), chunk(1, ""), chunk(2, "file:1"), chunk(3, None)]

    found, report = retrieve(Store(hits), Graph({"file:1", "", "None"}))

    assert found == [2]
    assert (report.unidentified, report.withheld) == (3, 0)


def test_the_same_chunk_twice_is_one_passage() -> None:
    twice = [chunk(0, "file:1"), chunk(0, "file:1"), chunk(1, "file:1")]

    assert retrieve(Store(twice), Graph({"file:1"}))[0] == [0, 1]


def test_repeated_chunks_are_not_taken_for_the_end_of_the_store() -> None:
    hits = [chunk(0, "file:0")] * 12 + [chunk(n, f"file:{n}") for n in range(1, 40)]

    assert retrieve(Store(hits), Graph({"file:38"}))[0] == [38]


def test_reaching_the_bound_is_reported() -> None:
    found, report = retrieve(Store(spread(1000)), Graph({"file:999"}), max_candidates=100)

    assert (found, report.complete, report.candidates) == ([], False, 100)


def test_an_empty_store_is_searched_once_and_nothing_is_checked() -> None:
    graph = Graph(set())

    found, report = retrieve(Store([]), graph)

    assert (found, report.rounds, report.complete, graph.calls) == ([], 1, True, 0)


@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_check_that_fails_in_any_round_returns_nothing(fail_at: int) -> None:
    with pytest.raises(AccessCheckError):
        retrieve(Store(spread(1000)), Graph({"file:0", "file:999"}, fail_at))


@settings(max_examples=300, deadline=None)
@given(
    objects=st.lists(st.integers(0, 30) | st.none(), max_size=200),
    readable=st.sets(st.integers(0, 30)),
    k=st.integers(1, 12),
    overfetch=st.integers(1, 5),
)
def test_the_result_is_the_best_k_of_what_may_be_read_with_either_driver(
    objects: list[int | None], readable: set[int], k: int, overfetch: int
) -> None:
    hits = [
        chunk(position, None if number is None else f"file:{number}")
        for position, number in enumerate(objects)
    ]
    allowed = {f"file:{number}" for number in readable}
    expected = [hit.passage for hit in hits if hit.object_id in allowed][:k]

    for carry in (carried_out, carried_out_asynchronously):
        found, report = carry(Store(hits), Graph(allowed), k, overfetch)
        assert found == expected
        assert report.complete
        assert report.returned == len(expected)


Carry = Callable[[Store, Graph, int, int], tuple[list[int], RetrievalReport]]
carried_out: Carry = retrieve


def carried_out_asynchronously(
    store: Store, graph: Graph, k: int, overfetch: int
) -> tuple[list[int], RetrievalReport]:
    async def search(limit: int) -> Sequence[Hit]:
        return store.search(limit)

    hits, report = asyncio.run(
        acarry_out(
            post_filter(k, overfetch=overfetch, max_candidates=10_000),
            subject="a@x.example",
            checker=AccessChecker(graph),
            search=search,
        )
    )
    return [hit.passage for hit in hits], report
