"""Waits grow, and never beyond the longest one."""

from __future__ import annotations

import threading
import time

from managed_sync.backoff import Backoff, poll


def test_waits_double_up_to_the_longest_one() -> None:
    waits = [Backoff(0.5, longest=8).wait(retries) for retries in range(6)]

    assert waits == [0.5, 1, 2, 4, 8, 8]
    assert Backoff(0.5, longest=8).wait(100_000) == 8, "and nothing overflows"
    assert Backoff(0).wait(100_000) == 0
    assert Backoff(3600, longest=300).wait(0) == 300


def test_polling_ends_when_the_condition_holds_when_time_is_up_and_when_it_is_stopped() -> None:
    answers = iter([False, False, True])
    stop = threading.Event()
    stop.set()
    begun = time.monotonic()

    assert poll(lambda: next(answers), seconds=30, every=0.001)
    assert poll(lambda: True, seconds=0, every=60), "it is asked once in any case"
    assert not poll(lambda: False, seconds=0, every=60)
    assert not poll(lambda: False, seconds=60, every=60, stop=stop)
    assert time.monotonic() - begun < 30
