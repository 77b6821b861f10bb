"""Many users on one retriever at the same time: each gets their own passages, all of them."""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from managed_sync import AccessChecker, acting_as
from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import QUESTION, Found, LangChain, LlamaIndex, Way
from tests.support.passages import Ranking, files, passages_of
from tests.support.permission_service import FakePermissionService, http_client

PASSAGES = passages_of(*files(*range(60)))
# Users who may read much, little, and nothing; some names differ in case or form only.
USERS = [
    f"{name}{number}@x.example"
    for number in range(16)
    for name in ("user", "User", "us\u00e9r", "use\u0301r")
]
K = 4
# Each user is there twice.
TASKS = 128

lifetimes = pytest.mark.parametrize("ttl", [0, 60])
# Each strategy and each lifetime; all combinations of them are slow.
strategies_and_lifetimes = pytest.mark.parametrize(
    ("strategy", "ttl"),
    [
        ("auto", 0),
        ("post_filter", 60),
        ("pre_filter", 60),
        *[
            pytest.param(*others, marks=pytest.mark.slow)
            for others in [("auto", 60), ("post_filter", 0), ("pre_filter", 0)]
        ],
    ],
)
frameworks = pytest.mark.parametrize("framework", [LangChain, LlamaIndex])


def readable_by(user: str) -> set[str]:
    chance = random.Random(user)
    return set(chance.sample(files(*range(60)), chance.choice([0, 1, 3, 10, 30, 60])))


def best_of(user: str) -> list[str]:
    readable = readable_by(user)
    return [each.object_id for each in PASSAGES if each.object_id in readable][:K]


BEST = {user: best_of(user) for user in USERS}


@pytest.fixture
def service() -> FakePermissionService:
    service = FakePermissionService()
    service.grants = {user: readable_by(user) for user in USERS}
    service.before = lambda _: time.sleep(random.random() / 2000)
    return service


def shared_retriever(
    way: Way, service: Any, strategy: Strategy, ttl: int, *, store: Any = None
) -> Any:
    checker = AccessChecker(service, allow_ttl=ttl, deny_ttl=ttl, scope_ttl=ttl, list_limit=None)
    store = way.store_over(Ranking(PASSAGES)) if store is None else store
    return way.retriever(store, checker, k=K, strategy=strategy)


def is_own(found: Found, user: str) -> bool:
    return found.object_ids == BEST[user] and found.report.subject == user


@strategies_and_lifetimes
@frameworks
def test_64_threads_do_not_cross(
    framework: type[Way], service: FakePermissionService, strategy: Strategy, ttl: int
) -> None:
    way = framework(asynchronous=False)
    retriever = shared_retriever(way, service, strategy, ttl)
    start = Barrier(64)

    def ask(number: int) -> list[bool]:
        start.wait(30)
        # Two in a row, so that whatever a thread keeps would show.
        asking = USERS[number], USERS[-number]
        return [is_own(way.ask(retriever, user), user) for user in asking]

    with ThreadPoolExecutor(64) as pool:
        assert all(all(own) for own in pool.map(ask, range(64)))


@strategies_and_lifetimes
@frameworks
def test_hundreds_of_tasks_do_not_cross(
    framework: type[Way], service: FakePermissionService, strategy: Strategy, ttl: int
) -> None:
    way = framework(asynchronous=True)
    retriever = shared_retriever(way, service, strategy, ttl)

    async def ask(number: int) -> bool:
        user = USERS[number % len(USERS)]
        return is_own(await way.ask_in_task(retriever, user), user)

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask(number) for number in range(TASKS)))

    assert all(asyncio.run(all_at_once()))


@lifetimes
@frameworks
def test_acting_as_and_bound_copies_do_not_cross(
    framework: type[Way], service: FakePermissionService, ttl: int
) -> None:
    way = framework(asynchronous=True)
    retriever = shared_retriever(way, service, "auto", ttl)

    async def ask(number: int) -> bool:
        user = USERS[number % len(USERS)]
        if number % 2:
            bound = retriever.for_subject(user)
            found, report = await bound.aretrieve_with_report(QUESTION)
        else:
            with acting_as(user):
                await asyncio.sleep(0)
                found, report = await retriever.aretrieve_with_report(QUESTION)
        return [way.read(each)[1] for each in found] == BEST[user] and report.subject == user

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask(number) for number in range(TASKS)))

    assert all(asyncio.run(all_at_once()))


@lifetimes
@frameworks
def test_threads_and_tasks_together_do_not_cross_over_a_real_client_and_store(
    framework: type[Way], service: FakePermissionService, ttl: int
) -> None:
    way = framework(asynchronous=True)
    with http_client(service) as client:
        retriever = shared_retriever(way, client, "auto", ttl, store=way.shared_store(PASSAGES))

        async def ask(number: int) -> bool:
            user = USERS[number % len(USERS)]
            if number % 2:
                in_a_thread = framework(asynchronous=False)
                return is_own(await asyncio.to_thread(in_a_thread.ask, retriever, user), user)
            return is_own(await way.ask_in_task(retriever, user), user)

        async def all_at_once() -> list[bool]:
            return await asyncio.gather(*(ask(number) for number in range(128)))

        assert all(asyncio.run(all_at_once()))


@frameworks
def test_with_revocations_meanwhile_nobody_gets_what_was_never_theirs(
    framework: type[Way], service: FakePermissionService, strategy: Strategy
) -> None:
    way = framework(asynchronous=True)
    retriever = shared_retriever(way, service, strategy, ttl=0)

    async def ask(number: int) -> bool:
        user = USERS[number % len(USERS)]
        found = await way.ask_in_task(retriever, user)
        return set(found.object_ids) <= readable_by(user)

    async def revoke_all() -> bool:
        for user in USERS:
            await asyncio.sleep(0.001)
            service.grants[user] = set()
        return True

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(revoke_all(), *(ask(number) for number in range(TASKS)))

    assert all(asyncio.run(all_at_once()))
    assert all(way.ask(retriever, user).object_ids == [] for user in USERS[:8])
