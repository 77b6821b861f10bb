from __future__ import annotations

import threading

import pytest

from managed_sync.server.sync.timetable import Timetable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_entry_is_called_when_it_is_due_and_again_after_each_interval(clock: Clock) -> None:
    calls: list[int] = []
    timetable = Timetable(calls.append, clock)
    timetable.put(7, every=60, first=10)
    for seconds, expected in ((9, 0), (1, 1), (59, 1), (1, 2), (60, 3)):
        clock.now += seconds
        timetable.call_due()
        assert len(calls) == expected


def test_missed_calls_are_made_once(clock: Clock) -> None:
    calls: list[int] = []
    timetable = Timetable(calls.append, clock)
    timetable.put(7, every=60, first=0)
    clock.now += 100_000
    timetable.call_due()
    timetable.call_due()
    assert calls == [7]
    assert timetable.seconds_until(7) == 60


def test_an_entry_can_be_replaced_and_removed(clock: Clock) -> None:
    timetable = Timetable(lambda _: None, clock)
    timetable.put(7, every=60, first=60)
    timetable.put(7, every=5, first=5)
    assert timetable.seconds_until(7) == 5
    timetable.remove(7)
    timetable.remove(7)
    assert timetable.seconds_until(7) is None


def test_a_call_that_fails_stops_neither_the_others_nor_itself(clock: Clock) -> None:
    calls: list[int] = []

    def call(entry: int) -> None:
        calls.append(entry)
        if entry == 1:
            raise RuntimeError("can't start new thread")

    timetable = Timetable(call, clock)
    for entry in (1, 2):
        timetable.put(entry, every=60, first=0)
    timetable.call_due()
    clock.now += 60
    timetable.call_due()
    assert calls == [1, 2, 1, 2]


def test_a_started_timetable_calls_what_is_put_into_it_later() -> None:
    called = threading.Event()
    timetable = Timetable(lambda _: called.set())
    timetable.start()
    timetable.put(1, every=3600, first=0)
    assert called.wait(10)
    timetable.stop()
