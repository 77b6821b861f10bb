"""Equal questions share a request, and never one that was sent before they were asked."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from managed_sync.access.single_flight import SingleFlight
from managed_sync.effects import perform


class Requests:
    """Requests that end when they are told to; each answers with what is true when it is sent."""

    def __init__(self) -> None:
        self.truth: Any = "at first"
        self.sent = 0
        self.first_is_sent = threading.Event()
        self.first_may_end = threading.Event()

    def send(self) -> Any:
        self.sent += 1
        is_first, truth = self.sent == 1, self.truth
        if is_first:
            self.first_is_sent.set()
            assert self.first_may_end.wait(10)
        if isinstance(truth, BaseException):
            raise truth
        return truth

    async def asend(self) -> Any:
        self.sent += 1
        is_first, truth = self.sent == 1, self.truth
        if is_first:
            self.first_is_sent.set()
            await reached(self.first_may_end)
        if isinstance(truth, BaseException):
            raise truth
        return truth


async def reached(event: threading.Event) -> None:
    for _ in range(10_000):
        if event.is_set():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError


Ask = Callable[[SingleFlight, Requests], Awaitable[Any]]


async def from_a_task(flights: SingleFlight, requests: Requests) -> Any:
    return await flights.arun("question", perform(requests.asend))


async def from_a_task_with_a_thread(flights: SingleFlight, requests: Requests) -> Any:
    return await flights.arun_in_thread("question", perform(requests.send))


async def from_a_thread(flights: SingleFlight, requests: Requests) -> Any:
    return await asyncio.to_thread(flights.run, "question", perform(requests.send))


every_way = pytest.mark.parametrize(
    "ask", [from_a_task, from_a_task_with_a_thread, from_a_thread], ids=lambda ask: ask.__name__
)
from_tasks = pytest.mark.parametrize(
    "ask", [from_a_task, from_a_task_with_a_thread], ids=lambda ask: ask.__name__
)


async def first_request_under_way(
    ask: Ask, flights: SingleFlight, requests: Requests
) -> asyncio.Task[Any]:
    task = asyncio.ensure_future(ask(flights, requests))
    await reached(requests.first_is_sent)
    return task


@every_way
def test_who_asks_while_a_request_is_under_way_gets_the_answer_to_a_later_one(ask: Ask) -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        early = await first_request_under_way(ask, flights, requests)
        requests.truth = "after the revocation"
        late = asyncio.ensure_future(ask(flights, requests))
        await asyncio.sleep(0.02)
        requests.first_may_end.set()

        assert await early == "at first"
        assert await late == "after the revocation"

    asyncio.run(story())


@from_tasks
def test_all_who_ask_while_a_request_is_under_way_share_the_next_one(ask: Ask) -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        early = await first_request_under_way(ask, flights, requests)
        requests.truth = "shared"
        late = [asyncio.ensure_future(ask(flights, requests)) for _ in range(500)]
        await asyncio.sleep(0)
        requests.first_may_end.set()

        assert await asyncio.gather(*late) == ["shared"] * 500
        assert (await early, requests.sent) == ("at first", 2)

    asyncio.run(story())


def test_threads_share_too() -> None:
    flights, requests = SingleFlight(), Requests()
    with ThreadPoolExecutor(64) as pool:
        early = pool.submit(flights.run, "question", perform(requests.send))
        assert requests.first_is_sent.wait(10)
        requests.truth = "shared"
        late = [pool.submit(flights.run, "question", perform(requests.send)) for _ in range(63)]
        time.sleep(0.1)
        requests.first_may_end.set()

        assert {future.result() for future in late} == {"shared"}
        assert early.result() == "at first"
    # Two, unless a thread was so slow that it asked after the others had their answer.
    assert requests.sent < 10


def test_threads_and_tasks_share_with_each_other() -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        early = await first_request_under_way(from_a_thread, flights, requests)
        requests.truth = "shared"
        late = [
            asyncio.ensure_future(ask(flights, requests))
            for ask in (from_a_task_with_a_thread, from_a_thread)
            for _ in range(3)
        ]
        await asyncio.sleep(0.1)
        requests.first_may_end.set()

        assert await asyncio.gather(*late) == ["shared"] * 6
        assert await early == "at first"
        assert requests.sent < 5

    asyncio.run(story())


def test_a_request_that_is_not_sent_yet_is_shared_at_once() -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        requests.first_may_end.set()

        answers = await asyncio.gather(*(from_a_task(flights, requests) for _ in range(500)))

        assert (answers, requests.sent) == (["at first"] * 500, 1)

    asyncio.run(story())


def test_nothing_is_remembered_once_a_request_has_ended() -> None:
    flights, answers = SingleFlight(), iter([1, 2, 3])

    assert [flights.run("question", perform(next, answers)) for _ in range(3)] == [1, 2, 3]
    assert flights._flights == {}


def test_unequal_questions_neither_share_nor_wait_for_each_other() -> None:
    flights, requests = SingleFlight(), Requests()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(flights.run, ("alice", "file:1"), perform(requests.send))
        assert requests.first_is_sent.wait(10)

        assert flights.run(("bob", "file:1"), perform(str, "for bob")) == "for bob"

        requests.first_may_end.set()
        assert slow.result() == "at first"


@from_tasks
def test_a_failure_fails_all_who_share_it_and_is_not_remembered(ask: Ask) -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        early = await first_request_under_way(ask, flights, requests)
        requests.truth = ValueError("broken")
        late = [asyncio.ensure_future(ask(flights, requests)) for _ in range(20)]
        await asyncio.sleep(0)
        requests.first_may_end.set()

        outcomes = await asyncio.gather(*late, return_exceptions=True)

        assert outcomes == [requests.truth] * 20
        assert (await early, requests.sent) == ("at first", 2)
        frames = [frame.name for frame in traceback.extract_tb(requests.truth.__traceback__)]
        assert frames.count(ask.__name__) == 1
        assert len(frames) <= 10
        requests.truth = "mended"
        assert await ask(flights, requests) == "mended"

    asyncio.run(story())


@every_way
def test_who_waits_for_a_request_to_end_is_not_harmed_by_its_failure(ask: Ask) -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        requests.truth = ValueError("broken")
        early = await first_request_under_way(ask, flights, requests)
        requests.truth = "mended"
        late = asyncio.ensure_future(ask(flights, requests))
        await asyncio.sleep(0.02)
        requests.first_may_end.set()

        assert await late == "mended"
        with pytest.raises(ValueError, match="broken"):
            await early

    asyncio.run(story())


@from_tasks
def test_a_caller_that_is_cancelled_takes_nobody_along(ask: Ask) -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        before = await first_request_under_way(ask, flights, requests)
        shared = [asyncio.ensure_future(ask(flights, requests)) for _ in range(5)]
        await asyncio.sleep(0.01)
        before.cancel()
        shared[0].cancel()
        shared[3].cancel()
        await asyncio.sleep(0.01)
        requests.truth = "shared"
        requests.first_may_end.set()

        outcomes = await asyncio.gather(*shared, return_exceptions=True)

        assert [type(outcome) for outcome in (outcomes[0], outcomes[3])] == [
            asyncio.CancelledError
        ] * 2
        assert [outcomes[1], outcomes[2], outcomes[4]] == ["shared"] * 3
        assert (before.cancelled(), requests.sent) == (True, 2)

    asyncio.run(story())


def test_a_request_goes_on_for_the_others_when_the_one_who_sent_it_is_cancelled() -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        sender = asyncio.ensure_future(from_a_task(flights, requests))
        follower = asyncio.ensure_future(from_a_task(flights, requests))
        await reached(requests.first_is_sent)
        sender.cancel()
        await asyncio.sleep(0.01)
        requests.first_may_end.set()

        assert await follower == "at first"
        assert (sender.cancelled(), requests.sent) == (True, 1)

    asyncio.run(story())


def test_after_all_callers_were_cancelled_the_question_can_be_asked_again() -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        only = await first_request_under_way(from_a_task, flights, requests)
        only.cancel()
        await asyncio.sleep(0)
        requests.truth = "later"
        again = asyncio.ensure_future(from_a_task(flights, requests))
        requests.first_may_end.set()

        assert await asyncio.wait_for(again, 5) == "later"

    asyncio.run(story())


def test_a_loop_that_stands_still_does_not_block_the_question_in_another_one() -> None:
    flights, requests = SingleFlight(), Requests()
    still = asyncio.new_event_loop()
    with pytest.raises(asyncio.TimeoutError):
        still.run_until_complete(asyncio.wait_for(from_a_task(flights, requests), 0.01))

    assert asyncio.run(asyncio.wait_for(from_a_task(flights, requests), 5)) == "at first"

    requests.first_may_end.set()
    still.run_until_complete(asyncio.gather(*asyncio.all_tasks(still)))
    still.close()


def test_a_request_that_is_cancelled_before_its_first_step_leaves_the_question_open() -> None:
    async def story() -> None:
        flights, requests = SingleFlight(), Requests()
        requests.first_may_end.set()
        here = asyncio.current_task()
        asking = asyncio.ensure_future(from_a_task(flights, requests))
        asyncio.get_running_loop().call_soon(
            lambda: [task.cancel() for task in asyncio.all_tasks() if task is not here]
        )
        await asyncio.wait([asking])

        assert await asyncio.wait_for(from_a_task(flights, requests), 5) == "at first"

    asyncio.run(story())


def test_a_request_that_is_broken_off_is_sent_again_for_those_who_share_it() -> None:
    flights, requests = SingleFlight(), Requests()

    def send() -> Any:
        if requests.sent == 1:
            requests.sent += 1
            raise KeyboardInterrupt
        return requests.send()

    with ThreadPoolExecutor(5) as pool:
        early = pool.submit(flights.run, "question", perform(requests.send))
        assert requests.first_is_sent.wait(10)
        late = [pool.submit(flights.run, "question", perform(send)) for _ in range(4)]
        time.sleep(0.02)
        requests.truth = "sent again"
        requests.first_may_end.set()

        errors = [error for each in late if (error := each.exception(10)) is not None]
        answers = [each.result() for each in late if each.exception() is None]
    assert [type(error) for error in errors] == [KeyboardInterrupt]
    assert answers == ["sent again"] * 3
    assert early.result() == "at first"


def test_a_request_that_cannot_be_started_fails_and_leaves_the_question_open() -> None:
    flights, requests = SingleFlight(), Requests()
    requests.first_may_end.set()
    flights._pool.shutdown()

    with pytest.raises(RuntimeError, match="shutdown"):
        asyncio.run(from_a_task_with_a_thread(flights, requests))

    assert flights.run("question", perform(requests.send)) == "at first"


def test_tasks_get_their_answer_while_the_loops_own_threads_all_wait_for_it() -> None:
    async def story() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        flights, requests = SingleFlight(), Requests()
        early = await first_request_under_way(from_a_task_with_a_thread, flights, requests)
        waiting = [asyncio.ensure_future(from_a_thread(flights, requests)) for _ in range(4)]
        tasks = [
            asyncio.ensure_future(from_a_task_with_a_thread(flights, requests)) for _ in range(4)
        ]
        await asyncio.sleep(0.02)
        requests.truth = "shared"
        requests.first_may_end.set()

        assert await asyncio.wait_for(asyncio.gather(*waiting, *tasks), 10) == ["shared"] * 8
        assert await early == "at first"

    asyncio.run(story())
