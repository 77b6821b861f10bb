"""Threads and tasks that ask at the same time: each gets its own answer, and a fresh one."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from managed_sync import AccessChecker
from managed_sync.access.checker import Decision
from managed_sync.errors import AccessCheckError
from tests.support.permission_service import (
    AsyncPermissionService,
    CheckingService,
    FakePermissionService,
)

OBJECTS = [f"file:{number}" for number in range(20)]


def may_read(subject: str) -> set[str]:
    return {each for each in OBJECTS if random.Random(subject + each).random() < 0.5}


def user(number: int) -> str:
    return f"user{number}@x.example"


def graph() -> FakePermissionService:
    """Answers after a moment, each subject by its own grants."""
    service = FakePermissionService()
    service.grants = {user(number): may_read(user(number)) for number in range(64)}
    service.before = lambda _: time.sleep(random.random() / 1000)
    return service


def async_graph() -> AsyncPermissionService:
    """The same, awaited."""
    service = graph()
    service.before = lambda _: None
    return AsyncPermissionService(service, pause=lambda: asyncio.sleep(random.random() / 1000))


lifetimes = pytest.mark.parametrize("ttl", [0, 60])


@lifetimes
def test_64_threads_for_different_subjects_do_not_cross(ttl: int) -> None:
    checker = AccessChecker(graph(), allow_ttl=ttl, deny_ttl=ttl, scope_ttl=ttl)

    def ask(number: int) -> bool:
        subject = user(number % 8)
        asked = random.Random(number).sample(OBJECTS, 12)
        return checker.allowed(subject, asked) == may_read(subject) & set(
            asked
        ) and checker.list_objects(subject).object_ids == may_read(subject)

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(ask, range(512)))


@lifetimes
@pytest.mark.parametrize("graph", [graph, async_graph])
def test_500_tasks_for_different_subjects_do_not_cross(ttl: int, graph: Any) -> None:
    checker = AccessChecker(graph(), allow_ttl=ttl, deny_ttl=ttl, scope_ttl=ttl)

    async def ask(number: int) -> bool:
        subject = user(number % 50)
        allowed, listed = await asyncio.gather(
            checker.aallowed(subject, OBJECTS), checker.alist_objects(subject)
        )
        return allowed == listed.object_ids == may_read(subject)

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask(number) for number in range(500)))

    assert all(asyncio.run(all_at_once()))


def test_threads_and_tasks_together_do_not_cross() -> None:
    checker = AccessChecker(graph())

    async def ask(number: int) -> bool:
        subject = user(number % 5)
        if number % 2:
            return await checker.aallowed(subject, OBJECTS) == may_read(subject)
        return await asyncio.to_thread(checker.allowed, subject, OBJECTS) == may_read(subject)

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask(number) for number in range(200)))

    assert all(asyncio.run(all_at_once()))


def test_500_tasks_with_an_equal_question_send_one_request() -> None:
    client = async_graph()
    checker = AccessChecker(client)

    async def all_at_once() -> list[set[str]]:
        return await asyncio.gather(*(checker.aallowed(user(1), OBJECTS) for _ in range(500)))

    assert asyncio.run(all_at_once()) == [may_read(user(1))] * 500
    assert len(client.service.requests) == 1


def test_equal_questions_have_equal_objects_in_any_order() -> None:
    client = async_graph()
    checker = AccessChecker(client)

    async def all_at_once() -> tuple[tuple[Decision, ...], ...]:
        return await asyncio.gather(
            checker.adecide(user(1), OBJECTS),
            checker.adecide(user(1), OBJECTS[::-1]),
            checker.adecide(user(1), OBJECTS[:5]),
        )

    forward, backward, few = asyncio.run(all_at_once())

    assert [each.object_id for each in forward] == OBJECTS
    assert backward == forward[::-1]
    assert few == forward[:5]
    assert len(client.service.requests) == 2


class Door(FakePermissionService):
    """Answers by the grants at the time of asking, and then waits until it is opened."""

    def __init__(self) -> None:
        super().__init__("file:1")
        self.is_asked, self.is_open = threading.Event(), threading.Event()
        self.after = self.wait

    def wait(self, _: str) -> None:
        self.is_asked.set()
        assert self.is_open.wait(10)


def test_who_asks_after_a_revocation_does_not_get_the_answer_to_an_earlier_request() -> None:
    door = Door()
    checker = AccessChecker(door)
    with ThreadPoolExecutor(9) as pool:
        early = pool.submit(checker.allowed, user(1), ["file:1"])
        assert door.is_asked.wait(10)
        door.everybody.clear()
        late = [pool.submit(checker.allowed, user(1), ["file:1"]) for _ in range(8)]
        time.sleep(0.02)
        door.is_open.set()

        assert [each.result(10) for each in late] == [set()] * 8
        assert early.result(10) == {"file:1"}


def test_500_tasks_that_ask_while_a_request_is_under_way_share_the_next_one() -> None:
    door = Door()
    checker = AccessChecker(door)

    async def story() -> None:
        early = asyncio.ensure_future(checker.aallowed(user(1), ["file:1"]))
        assert await asyncio.to_thread(door.is_asked.wait, 10)
        door.everybody.clear()
        late = [asyncio.ensure_future(checker.aallowed(user(1), ["file:1"])) for _ in range(500)]
        await asyncio.sleep(0)
        door.is_open.set()

        assert await asyncio.gather(early, *late) == [{"file:1"}] + [set()] * 500

    asyncio.run(story())
    assert len(door.requests) == 2


def test_with_a_lifetime_those_who_waited_use_the_answer_that_was_kept() -> None:
    door = Door()
    seen: list[Decision] = []
    checker = AccessChecker(door, allow_ttl=60, on_decision=seen.append)
    with ThreadPoolExecutor(9) as pool:
        early = pool.submit(checker.allowed, user(1), ["file:1"])
        assert door.is_asked.wait(10)
        late = [pool.submit(checker.allowed, user(1), ["file:1"]) for _ in range(8)]
        time.sleep(0.02)
        door.is_open.set()

        assert all(each.result(10) == {"file:1"} for each in [early, *late])
    assert len(door.requests) == 1
    assert sorted(each.from_cache for each in seen) == [False] + [True] * 8


@pytest.mark.parametrize(("scope_ttl", "requests"), [(0, 2), (60, 1)])
def test_lists_are_shared_and_kept_alike(scope_ttl: int, requests: int) -> None:
    door = Door()
    checker = AccessChecker(door, scope_ttl=scope_ttl)

    async def story() -> None:
        early = asyncio.ensure_future(checker.alist_objects(user(1)))
        assert await asyncio.to_thread(door.is_asked.wait, 10)
        late = [asyncio.ensure_future(checker.alist_objects(user(1))) for _ in range(50)]
        await asyncio.sleep(0)
        door.is_open.set()
        assert {each.object_ids for each in await asyncio.gather(early, *late)} == {
            frozenset({"file:1"})
        }

    asyncio.run(story())
    assert len(door.requests) == requests


def test_each_of_those_who_share_a_failure_gets_an_error_of_its_own() -> None:
    client = AsyncPermissionService(CheckingService(error=TimeoutError("slow")))
    checker = AccessChecker(client)

    async def all_at_once() -> list[BaseException | set[str]]:
        return await asyncio.gather(
            *(checker.aallowed(user(1), ["file:1"]) for _ in range(10)), return_exceptions=True
        )

    errors = asyncio.run(all_at_once())

    assert all(isinstance(error, AccessCheckError) for error in errors)
    assert len({id(error) for error in errors}) == 10
    assert len(client.service.requests) == 1
