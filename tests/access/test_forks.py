"""A forked process does not wait for requests that its parent's checker has in flight."""

from __future__ import annotations

import asyncio
from threading import Event, Thread

from managed_sync.access.cache import ExpiringCache
from managed_sync.access.single_flight import SingleFlight
from managed_sync.effects import perform
from tests.support.forks import in_child, needs_fork

pytestmark = needs_fork


def test_a_child_sends_its_own_request_while_the_same_one_is_under_way_in_the_parent() -> None:
    flights, sent, go_on = SingleFlight(), Event(), Event()

    def send() -> str:
        sent.set()
        go_on.wait(20)
        return "the parent's"

    thread = Thread(target=flights.run, args=("question", perform(send)))
    thread.start()
    sent.wait(20)
    said = in_child(lambda: flights.run("question", perform(str, "the child's")))
    go_on.set()
    thread.join()

    assert said == "the child's"


def test_requests_in_threads_go_on_in_a_child() -> None:
    flights = SingleFlight()

    def ask() -> str:
        return asyncio.run(flights.arun_in_thread("question", perform(str, "answer")))

    assert ask() == "answer"
    assert in_child(ask) == "answer"


def test_a_lock_that_is_held_at_the_fork_is_not_waited_for_in_the_child() -> None:
    holds, go_on = Event(), Event()

    def clock() -> float:
        if not holds.is_set():
            holds.set()
            go_on.wait(20)
        return 1.0

    cache = ExpiringCache[str, int](10, clock)
    thread = Thread(target=cache.keep, args=("a", 1), kwargs={"since": 0.0, "lifetime": 9.0})
    thread.start()
    holds.wait(20)
    said = in_child(lambda: cache.find("a"))
    go_on.set()
    thread.join()

    assert said is None
