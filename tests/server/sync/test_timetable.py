from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from managed_sync.server.sync.timetable import Timetable, parse_frequency


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
    clock.now += 59
    timetable.call_due()
    assert calls == [7]
    clock.now += 1
    timetable.call_due()
    assert calls == [7, 7]


def test_an_entry_can_be_replaced_and_removed(clock: Clock) -> None:
    calls: list[int] = []
    timetable = Timetable(calls.append, clock)
    timetable.put(7, every=60, first=60)
    timetable.put(7, every=5, first=5)
    clock.now += 5
    timetable.call_due()
    assert calls == [7]
    timetable.remove(7)
    timetable.remove(7)
    clock.now += 60
    timetable.call_due()
    assert calls == [7]


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


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("1m", timedelta(minutes=1)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
    ],
)
def test_minutes_hours_and_days(text: str, interval: timedelta) -> None:
    assert parse_frequency(text) == interval


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "01m", "1.5h", "1s", "1M", "1 m", "99999d", "\u0661m"]
)
def test_other_forms_are_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(ValueError, match="1m, 15m, 1h or 1d"):
        parse_frequency(text)
