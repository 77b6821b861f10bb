"""Programs run alike, synchronously and asynchronously, and end well however they end."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, assert_type

import pytest

from managed_sync.effects import (
    AsyncBackground,
    Background,
    Program,
    agather,
    arun,
    gather,
    perform,
    run,
)

BOUND = 10.0


def double(number: int) -> int:
    return 2 * number


async def adouble(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def fail() -> int:
    raise ValueError("no number")


async def afail() -> int:
    raise ValueError("no number")


def arun_here(program: Program[Any]) -> Any:
    return asyncio.run(arun(program))


Runner = Callable[[Program[Any]], Any]
both = pytest.mark.parametrize("runner", [run, arun_here], ids=["run", "arun"])


@contextmanager
def noting(events: list[str]) -> Iterator[None]:
    events.append("entered")
    try:
        yield
    finally:
        events.append("left")


@both
def test_a_program_gets_the_results_of_its_effects(runner: Runner) -> None:
    def program() -> Program[list[int]]:
        first = yield from perform(double, 1)
        second = yield from perform(double, number=first)
        return [first, second]

    assert runner(program()) == [2, 4]


def test_an_asynchronous_run_awaits_coroutine_functions() -> None:
    def program() -> Program[int]:
        return (yield from perform(adouble, (yield from perform(double, 1))))

    assert arun_here(program()) == 4


def test_a_program_is_made_of_programs() -> None:
    def inner(number: int) -> Program[int]:
        return (yield from perform(double, number))

    def outer() -> Program[int]:
        return (yield from inner((yield from inner(1))))

    assert run(outer()) == arun_here(outer()) == 4


@both
def test_an_error_is_raised_where_the_effect_is_performed(runner: Runner) -> None:
    def program() -> Program[str]:
        try:
            yield from perform(fail)
        except ValueError as error:
            return str(error)
        return "nothing was raised"

    assert runner(program()) == "no number"


@pytest.mark.parametrize(("runner", "effect"), [(run, fail), (arun_here, fail), (arun_here, afail)])
def test_an_error_that_the_program_does_not_catch_ends_it(
    runner: Runner, effect: Callable[[], int]
) -> None:
    events: list[str] = []

    def program() -> Program[int]:
        with noting(events):
            return (yield from perform(effect))

    with pytest.raises(ValueError, match="no number"):
        runner(program())
    assert events == ["entered", "left"]


@both
def test_an_interrupt_ends_the_program_which_cannot_catch_it(runner: Runner) -> None:
    events: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    def program() -> Program[str]:
        with noting(events):
            try:
                yield from perform(interrupt)
            except Exception:  # noqa: BLE001 - that is what is tested
                return "caught"
        return "went on"

    with pytest.raises(KeyboardInterrupt):
        runner(program())
    assert events == ["entered", "left"]


def test_a_cancelled_task_leaves_the_blocks_of_its_program() -> None:
    events: list[str] = []

    def program() -> Program[None]:
        with noting(events):
            yield from perform(asyncio.sleep, 60)

    async def cancel() -> None:
        task = asyncio.create_task(arun(program()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert events == ["entered", "left"]


def test_an_abandoned_program_begins_no_further_effect() -> None:
    events: list[str] = []
    abandoned = threading.Event()

    def program() -> Program[None]:
        with noting(events):
            yield from perform(abandoned.set)
            yield from perform(events.append, "went on")

    with pytest.raises(CancelledError):
        run(program(), abandoned=abandoned)
    assert events == ["entered", "left"]


def test_an_error_does_not_keep_the_run_alive() -> None:
    class Marker:
        pass

    marker = Marker()
    seen = weakref.ref(marker)

    def program(held: Marker) -> Program[None]:
        yield from perform(fail)

    gc.disable()
    try:
        with pytest.raises(ValueError, match="no number") as caught:
            run(program(marker))
        del marker
        caught.value.__traceback__ = None
        del caught
        assert seen() is None
    finally:
        gc.enable()


def test_a_result_has_the_type_of_its_effect() -> None:
    def maybe_later(number: int) -> int | Awaitable[int]:
        return number

    def program() -> Program[None]:
        assert_type((yield from perform(double, 1)), int)
        assert_type((yield from perform(adouble, 1)), int)
        assert_type((yield from perform(maybe_later, 1)), int)
        assert_type((yield from perform(sorted, "ba")), list[str])

    arun_here(program())


class TestGathering:
    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_results_come_in_the_order_of_the_programs(self, count: int) -> None:
        def program(number: int) -> Program[int]:
            return (yield from perform(double, number))

        expected = [2 * number for number in range(count)]

        assert gather([program(n) for n in range(count)], max_threads=3) == expected
        assert asyncio.run(agather([program(n) for n in range(count)])) == expected

    def test_programs_run_at_the_same_time(self) -> None:
        meeting = threading.Barrier(3, timeout=BOUND)

        def program() -> Program[int]:
            return (yield from perform(meeting.wait))

        assert sorted(gather([program() for _ in range(3)], max_threads=3)) == [0, 1, 2]

    def test_the_first_error_is_raised_and_the_others_are_abandoned(self) -> None:
        has_failed, events = threading.Event(), list[str]()

        def failing() -> Program[int]:
            has_failed.set()
            return (yield from perform(fail))

        def endless() -> Program[int]:
            while True:
                yield from perform(has_failed.wait, BOUND)

        with pytest.raises(ValueError, match="no number"):
            gather([failing(), endless()], max_threads=2)

        def waiting() -> Program[int]:
            with noting(events):
                yield from perform(asyncio.sleep, 60)
            return 0

        def failing_later() -> Program[int]:
            yield from perform(asyncio.sleep, 0)
            return (yield from perform(afail))

        with pytest.raises(ValueError, match="no number"):
            asyncio.run(agather([failing_later(), waiting()]))
        assert events == ["entered", "left"]

    def test_each_program_runs_in_a_copy_of_the_context(self) -> None:
        who: ContextVar[str] = ContextVar("who", default="nobody")
        who.set("caller")

        def program(name: str) -> Program[str]:
            before = who.get()
            who.set(name)
            yield from perform(double, 1)
            return f"{before}, {who.get()}"

        expected = ["caller, one", "caller, other"]

        assert gather([program("one"), program("other")], max_threads=2) == expected
        assert asyncio.run(agather([program("one"), program("other")])) == expected
        assert who.get() == "caller"


class TestBackground:
    def test_a_program_runs_beside_its_caller(self) -> None:
        may_end = threading.Event()

        def beside() -> Program[int]:
            yield from perform(may_end.wait, BOUND)
            return (yield from perform(double, 1))

        def program(background: Background) -> Program[int]:
            coming = yield from perform(background.begin, beside())
            yield from perform(may_end.set)
            return (yield from perform(coming))

        with Background() as background:
            assert run(program(background)) == 2

    def test_a_task_runs_beside_its_caller_and_ends_with_it(self) -> None:
        events: list[str] = []

        def beside() -> Program[int]:
            return (yield from perform(adouble, 1))

        def endless() -> Program[None]:
            with noting(events):
                yield from perform(asyncio.sleep, 60)

        async def use() -> int:
            async with AsyncBackground() as background:
                coming = background.begin(beside())

                def program() -> Program[int]:
                    return (yield from perform(coming))

                result = await arun(program())
                background.begin(endless())
                await asyncio.sleep(0)
            return result

        assert asyncio.run(use()) == 2
        assert events == ["entered", "left"]

    def test_an_error_that_nobody_waits_for_is_not_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def failing() -> Program[None]:
            yield from perform(asyncio.sleep, 0)
            raise RuntimeError("words of the API")

        async def use() -> None:
            async with AsyncBackground() as background:
                background.begin(failing())
                for _ in range(5):
                    await asyncio.sleep(0)

        asyncio.run(use())
        gc.collect()
        assert not caplog.records

    def test_leaving_abandons_what_runs_in_the_thread(self) -> None:
        began, ended = threading.Event(), threading.Event()

        def endless() -> Program[None]:
            try:
                while True:
                    yield from perform(began.set)
            finally:
                ended.set()

        with Background() as background:
            background.begin(endless())
            assert began.wait(BOUND)
        assert ended.wait(BOUND)
