"""Tests the checker's cache: for which subjects and objects it holds, and for how long."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import AccessChecker
from managed_sync.access.checker import Decision
from managed_sync.errors import AccessCheckError
from tests.support.draws import draws
from tests.support.permission_service import FakePermissionService

ALICE, BOB = "alice@x.example", "bob@x.example"


class Graph(FakePermissionService):
    """Who may read what, now; and the time, which passes while a request is answered."""

    def __init__(self, *grants: tuple[str, str]) -> None:
        super().__init__()
        self.pairs = set(grants)
        self.now = 0.0
        self.delay = 0.0
        self.after = self.pass_time

    def readable(self, subject: str) -> set[str]:
        return {object_id for holder, object_id in self.pairs if holder == subject}

    def clock(self) -> float:
        return self.now

    def pass_time(self, _: str) -> None:
        self.now += self.delay

    @property
    def lists(self) -> int:
        return self.requests.count("list_objects")


def test_by_default_a_revocation_holds_from_the_next_call() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, clock=graph.clock)
    assert checker.allowed(ALICE, ["file:1"]) == {"file:1"}
    assert checker.list_objects(ALICE).object_ids == {"file:1"}

    graph.pairs.clear()

    assert checker.allowed(ALICE, ["file:1"]) == set()
    assert checker.list_objects(ALICE).object_ids == set()
    assert checker.kept_list(ALICE) is None


def test_an_allowance_is_not_asked_for_again_within_its_lifetime_and_then_is() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, allow_ttl=30, clock=graph.clock)
    checker.allowed(ALICE, ["file:1"])
    graph.pairs.clear()

    graph.now = 29.9
    assert checker.allowed(ALICE, ["file:1"]) == {"file:1"}
    graph.now = 30.0
    assert checker.allowed(ALICE, ["file:1"]) == set()
    assert graph.checked == ["file:1", "file:1"]


def test_the_time_an_answer_takes_counts() -> None:
    graph = Graph((ALICE, "file:1"))
    graph.delay = 20
    checker = AccessChecker(graph, allow_ttl=30, scope_ttl=30, clock=graph.clock)
    checker.allowed(ALICE, ["file:1"])
    checker.list_objects(ALICE)

    graph.now = 30.0
    checker.allowed(ALICE, ["file:1"])
    assert graph.checked == ["file:1", "file:1"]
    graph.now = 50.0
    checker.list_objects(ALICE)
    assert graph.lists == 2


def test_one_subjects_answers_are_not_anothers() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, allow_ttl=60, deny_ttl=60, scope_ttl=60, clock=graph.clock)

    assert checker.allowed(ALICE, ["file:1", "file:2"]) == {"file:1"}
    assert checker.allowed(BOB, ["file:1", "file:2"]) == set()
    assert checker.list_objects(ALICE).object_ids == {"file:1"}
    assert checker.list_objects(BOB).object_ids == set()


def test_the_same_subject_written_with_blanks_is_the_same() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, allow_ttl=60, clock=graph.clock)
    checker.allowed(ALICE, ["file:1"])

    assert checker.allowed(f" {ALICE} ", ["file:1"]) == {"file:1"}
    assert graph.checked == ["file:1"]


def test_denials_are_kept_only_where_they_have_a_lifetime() -> None:
    graph = Graph()
    checker = AccessChecker(graph, allow_ttl=60, clock=graph.clock)
    assert checker.allowed(ALICE, ["file:1"]) == set()
    graph.pairs.add((ALICE, "file:1"))
    assert checker.allowed(ALICE, ["file:1"]) == {"file:1"}

    graph = Graph()
    checker = AccessChecker(graph, deny_ttl=60, clock=graph.clock)
    assert checker.allowed(ALICE, ["file:1"]) == set()
    graph.pairs.add((ALICE, "file:1"))
    assert checker.allowed(ALICE, ["file:1"]) == set()


def test_only_what_is_not_known_is_asked_and_decisions_say_where_they_come_from() -> None:
    graph = Graph((ALICE, "file:1"), (ALICE, "file:2"))
    seen: list[Decision] = []
    checker = AccessChecker(graph, allow_ttl=60, on_decision=seen.append, clock=graph.clock)
    checker.allowed(ALICE, ["file:1"])
    seen.clear()

    decisions = checker.decide(ALICE, ["file:2", "file:1", "file:3"])

    assert graph.checked == ["file:1", "file:2", "file:3"]
    assert [(each.object_id, each.allowed, each.from_cache) for each in decisions] == [
        ("file:2", True, False),
        ("file:1", True, True),
        ("file:3", False, False),
    ]
    assert tuple(seen) == decisions


def test_a_failure_withholds_what_is_known_too_and_is_not_kept() -> None:
    graph = Graph((ALICE, "file:1"), (ALICE, "file:2"))
    checker = AccessChecker(graph, allow_ttl=60, deny_ttl=60, scope_ttl=60, clock=graph.clock)
    checker.allowed(ALICE, ["file:1"])
    graph.error = TimeoutError()

    with pytest.raises(AccessCheckError) as caught:
        checker.allowed(ALICE, ["file:1", "file:2"])
    assert caught.value.undecided == ("file:2",)
    with pytest.raises(AccessCheckError):
        checker.list_objects(ALICE)

    graph.error = None
    assert checker.allowed(ALICE, ["file:1", "file:2"]) == {"file:1", "file:2"}
    assert checker.list_objects(ALICE).object_ids == {"file:1", "file:2"}


def test_no_more_decisions_are_kept_than_the_size_allows() -> None:
    graph = Graph()
    checker = AccessChecker(graph, deny_ttl=60, cache_size=2, clock=graph.clock)

    for name in ("file:1", "file:2", "file:3", "file:1"):
        checker.allowed(ALICE, [name])

    assert graph.checked == ["file:1", "file:2", "file:3", "file:1"]


def test_a_list_is_kept_for_its_lifetime_and_says_so() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, scope_ttl=30, clock=graph.clock)
    assert checker.kept_list(ALICE) is None
    listed = checker.list_objects(ALICE)
    graph.pairs.clear()

    graph.now = 29.9
    assert checker.list_objects(ALICE) == checker.kept_list(f" {ALICE}") == listed
    graph.now = 30.0
    assert checker.kept_list(ALICE) is None
    assert checker.list_objects(ALICE).object_ids == set()


def test_an_empty_list_and_a_cut_one_are_kept_for_what_they_are() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, scope_ttl=30, list_limit=1, clock=graph.clock)

    for _ in range(2):
        assert not checker.list_objects(ALICE).whole
        assert checker.list_objects(BOB).whole
    assert graph.lists == 2


def test_kept_lists_hold_no_more_ids_than_the_size_allows() -> None:
    graph = Graph((ALICE, "file:1"), (ALICE, "file:2"), (BOB, "file:1"), (BOB, "file:2"))
    checker = AccessChecker(graph, scope_ttl=30, cache_size=3, clock=graph.clock)

    checker.list_objects(ALICE)
    checker.list_objects(BOB)

    assert checker.kept_list(ALICE) is None
    assert checker.kept_list(BOB) is not None


def test_a_list_allows_nothing() -> None:
    graph = Graph((ALICE, "file:1"))
    checker = AccessChecker(graph, allow_ttl=60, scope_ttl=60, clock=graph.clock)
    checker.list_objects(ALICE)
    graph.pairs.clear()

    assert checker.allowed(ALICE, ["file:1"]) == set()


steps = st.lists(
    st.tuples(
        st.sampled_from(["grant", "revoke", "ask", "wait", "fail"]),
        st.sampled_from([ALICE, BOB]),
        st.integers(0, 3),
    ),
    max_size=60,
)


@settings(max_examples=draws(50), deadline=None)
@given(steps=steps, allow_ttl=st.sampled_from([0, 5]), deny_ttl=st.sampled_from([0, 9]))
def test_every_answer_was_true_within_its_lifetime(
    steps: list[tuple[str, str, int]], allow_ttl: int, deny_ttl: int
) -> None:
    graph = Graph()
    checker = AccessChecker(
        graph, allow_ttl=allow_ttl, deny_ttl=deny_ttl, cache_size=3, clock=graph.clock
    )
    history: list[tuple[float, frozenset[tuple[str, str]]]] = [(0.0, frozenset())]
    for action, subject, number in steps:
        grant = (subject, f"file:{number}")
        if action == "grant":
            graph.pairs.add(grant)
        elif action == "revoke":
            graph.pairs.discard(grant)
        elif action == "wait":
            graph.now += number
        elif action == "fail":
            graph.error = None if graph.error else TimeoutError()
        history.append((graph.now, frozenset(graph.pairs)))
        if action == "ask":
            try:
                allowed = asyncio.run(checker.aallowed(subject, [grant[1]])) == {grant[1]}
            except AccessCheckError:
                continue
            lifetime = allow_ttl if allowed else deny_ttl
            recent = [grants for at, grants in history if graph.now - at < lifetime]
            assert any((grant in grants) is allowed for grants in [*recent, graph.pairs])
