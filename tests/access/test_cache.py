"""A cached decision is found under its own key only, and for its own lifetime only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from managed_sync.access.cache import DecisionCache, ExpiringCache

ALICE, BOB = "alice@x.example", "bob@x.example"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def decisions(
    clock: Clock, allow_ttl: float = 60.0, deny_ttl: float = 60.0, size: int = 100
) -> DecisionCache:
    return DecisionCache(allow_ttl=allow_ttl, deny_ttl=deny_ttl, size=size, clock=clock)


def test_a_decision_is_found_for_its_own_subject_relation_and_object_only() -> None:
    clock = Clock()
    cache = decisions(clock)

    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=clock.now)

    assert cache.find(ALICE, "viewer", ["file:1", "file:2"]) == {"file:1": True}
    assert cache.find(BOB, "viewer", ["file:1"]) == {}
    assert cache.find(ALICE, "editor", ["file:1"]) == {}


def test_parts_of_a_key_do_not_run_together() -> None:
    clock = Clock()
    cache = decisions(clock)

    cache.keep("a", "bc", {"d": True}, asked_at=clock.now)

    assert cache.find("ab", "c", ["d"]) == {}
    assert cache.find("a", "b", ["cd"]) == {}


def test_a_denial_is_found_as_a_denial() -> None:
    clock = Clock()
    cache = decisions(clock)

    cache.keep(ALICE, "viewer", {"file:1": False, "file:2": True}, asked_at=clock.now)

    assert cache.find(ALICE, "viewer", ["file:1", "file:2"]) == {"file:1": False, "file:2": True}


@pytest.mark.parametrize(("seconds", "found"), [(0.0, True), (59.9, True), (60.0, False)])
def test_a_decision_ends_with_its_lifetime(seconds: float, found: bool) -> None:
    clock = Clock()
    cache = decisions(clock)
    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=clock.now)

    clock.now += seconds

    assert bool(cache.find(ALICE, "viewer", ["file:1"])) is found


def test_the_lifetime_counts_from_the_question_and_not_from_the_answer() -> None:
    clock = Clock()
    cache = decisions(clock)
    asked_at = clock.now
    clock.now += 45

    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=asked_at)
    clock.now += 15

    assert cache.find(ALICE, "viewer", ["file:1"]) == {}


def test_being_found_does_not_prolong_a_decision() -> None:
    clock = Clock()
    cache = decisions(clock)
    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=clock.now)

    for _ in range(59):
        clock.now += 1
        assert cache.find(ALICE, "viewer", ["file:1"])
    clock.now += 1

    assert cache.find(ALICE, "viewer", ["file:1"]) == {}


def test_allowances_and_denials_have_lifetimes_of_their_own() -> None:
    clock = Clock()
    cache = decisions(clock, allow_ttl=5, deny_ttl=30)
    cache.keep(ALICE, "viewer", {"file:1": True, "file:2": False}, asked_at=clock.now)

    clock.now += 10

    assert cache.find(ALICE, "viewer", ["file:1", "file:2"]) == {"file:2": False}


def test_a_lifetime_of_nothing_keeps_nothing() -> None:
    clock = Clock()
    cache = decisions(clock, allow_ttl=0, deny_ttl=30)
    cache.keep(ALICE, "viewer", {"file:1": True, "file:2": False}, asked_at=clock.now)

    assert cache.find(ALICE, "viewer", ["file:1", "file:2"]) == {"file:2": False}


def test_a_denial_that_is_not_kept_still_ends_the_allowance_before_it() -> None:
    clock = Clock()
    cache = decisions(clock, allow_ttl=60, deny_ttl=0)
    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=clock.now)
    clock.now += 1

    cache.keep(ALICE, "viewer", {"file:1": False}, asked_at=clock.now)

    assert cache.find(ALICE, "viewer", ["file:1"]) == {}


def test_an_answer_that_arrives_late_does_not_replace_a_newer_one() -> None:
    clock = Clock()
    cache = decisions(clock)
    cache.keep(ALICE, "viewer", {"file:1": False}, asked_at=clock.now)

    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=clock.now - 1)

    assert cache.find(ALICE, "viewer", ["file:1"]) == {"file:1": False}


def test_a_clock_that_is_set_back_finds_nothing() -> None:
    clock = Clock()
    cache = decisions(clock)
    cache.keep(ALICE, "viewer", {"file:1": True}, asked_at=clock.now)

    clock.now -= 500

    assert cache.find(ALICE, "viewer", ["file:1"]) == {}


def test_the_decision_that_was_used_longest_ago_makes_room() -> None:
    clock = Clock()
    cache = decisions(clock, size=2)
    cache.keep(ALICE, "viewer", {"file:1": True, "file:2": True}, asked_at=clock.now)
    cache.find(ALICE, "viewer", ["file:1"])

    cache.keep(ALICE, "viewer", {"file:3": True}, asked_at=clock.now)

    found = cache.find(ALICE, "viewer", ["file:1", "file:2", "file:3"])
    assert found == {"file:1": True, "file:3": True}


def test_weights_add_up_to_the_size_at_most() -> None:
    cache = ExpiringCache[str, str](10, Clock())

    cache.keep("light", "l", since=1000, lifetime=60, weight=4)
    cache.keep("middle", "m", since=1000, lifetime=60, weight=6)
    assert (cache.find("light"), cache.find("middle")) == ("l", "m")
    cache.keep("more", "n", since=1000, lifetime=60, weight=5)

    assert (cache.find("light"), cache.find("middle"), cache.find("more")) == (None, None, "n")


def test_what_is_too_heavy_is_not_kept_and_drives_nothing_out() -> None:
    cache = ExpiringCache[str, str](10, Clock())
    cache.keep("light", "l", since=1000, lifetime=60, weight=4)

    cache.keep("heavy", "h", since=1000, lifetime=60, weight=11)

    assert (cache.find("light"), cache.find("heavy")) == ("l", None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ALICE, BOB]),
            st.integers(0, 3),
            st.booleans(),
            st.integers(0, 30),
            st.integers(0, 8),
        ),
        max_size=60,
    )
)
def test_what_is_found_was_answered_to_this_very_question_within_its_lifetime(
    events: list[tuple[str, int, bool, int, int]],
) -> None:
    clock = Clock()
    cache = decisions(clock, allow_ttl=10, deny_ttl=20, size=5)
    kept: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for subject, number, allowed, delay, step in events:
        clock.now += step
        object_id = f"file:{number}"
        cache.keep(subject, "viewer", {object_id: allowed}, asked_at=clock.now - delay)
        kept.setdefault((subject, object_id), []).append((clock.now - delay, allowed))

        for (each, object_id), answers in kept.items():
            for answer in cache.find(each, "viewer", [object_id]).values():
                lifetime = 10 if answer else 20
                assert any(
                    answer == allowed and clock.now - asked_at < lifetime
                    for asked_at, allowed in answers
                )


def test_many_threads_find_their_own_decisions() -> None:
    clock = Clock()
    cache = decisions(clock, size=500)

    def use(number: int) -> bool:
        subject, allowed = f"user{number}@x.example", number % 2 == 0
        for each in range(50):
            object_id = f"file:{each}"
            cache.keep(subject, "viewer", {object_id: allowed}, asked_at=clock.now)
            if cache.find(subject, "viewer", [object_id]).get(object_id, allowed) is not allowed:
                return False
        return True

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(use, range(64)))
