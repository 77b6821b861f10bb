"""Batches of access checks: each check decided by the API, or none of them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.errors import AccessCheckError
from tests.support.clients import ClientOf


@pytest.fixture(params=["projects", "hosted"])
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def checks(count: int) -> list[AccessCheck]:
    return [
        AccessCheck(subject="a@x.example", relation="viewer", object=f"file:s1/{number}")
        for number in range(count)
    ]


def asked_in(request: httpx.Request) -> list[int]:
    return [
        int(check["object"].rpartition("/")[2]) for check in json.loads(request.content)["checks"]
    ]


def decisions(numbers: list[int]) -> httpx.Response:
    return httpx.Response(200, json={"results": [{"allowed": n % 3 == 0} for n in numbers]})


class Limited:
    """Refuses more than so many checks."""

    def __init__(self, limit: int, refusal: Callable[[], httpx.Response]) -> None:
        self.limit = limit
        self.refusal = refusal
        self.sizes: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        numbers = asked_in(request)
        self.sizes.append(len(numbers))
        return decisions(numbers) if len(numbers) <= self.limit else self.refusal()


@pytest.mark.parametrize("count", [1, 2, 100, 250])
def test_each_check_of_an_iterator_is_decided(client_of: ClientOf, count: int) -> None:
    client = client_of(lambda request: decisions(asked_in(request)))
    once: Any = iter(checks(count))

    assert client.batch_check_access(once) == [n % 3 == 0 for n in range(count)]


def test_a_change_of_the_list_in_flight_changes_nothing(client_of: ClientOf) -> None:
    asked = checks(2)

    def echo(request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)["checks"]
        asked.clear()
        return httpx.Response(
            200, json={"results": [{"allowed": True, "request": each} for each in sent]}
        )

    assert client_of(echo).batch_check_access(asked) == [True, True]


def test_an_error_names_no_object_that_the_api_mentioned(client_of: ClientOf) -> None:
    client = client_of(
        lambda request: httpx.Response(200, json={"results": {"file:secret-plan": True}})
    )

    with pytest.raises(AccessCheckError, match="got an object") as failure:
        client.batch_check_access(checks(1))
    assert "secret-plan" not in str(failure.value)


class TestSize:
    @pytest.mark.parametrize(
        "refusal",
        [
            lambda: httpx.Response(413),
            lambda: httpx.Response(400, json={"detail": "At most 30 checks in one call"}),
            lambda: httpx.Response(422, json={"error": {"message": "too many items"}}),
        ],
    )
    def test_what_is_too_much_is_halved_until_it_is_not(
        self, client_of: ClientOf, refusal: Callable[[], httpx.Response]
    ) -> None:
        api = Limited(30, refusal)

        assert client_of(api).batch_check_access(checks(100)) == [n % 3 == 0 for n in range(100)]
        assert sorted(api.sizes) == [25, 25, 25, 25, 50, 50, 100]

    def test_a_refusal_for_another_reason_is_not(self, client_of: ClientOf) -> None:
        api = Limited(0, lambda: httpx.Response(400, json={"detail": "unknown relation"}))

        with pytest.raises(AccessCheckError, match="unknown relation"):
            client_of(api).batch_check_access(checks(10))

        assert api.sizes == [10]

    def test_where_one_check_is_too_much_nothing_is_decided(self, client_of: ClientOf) -> None:
        api = Limited(0, lambda: httpx.Response(413))

        with pytest.raises(AccessCheckError, match="1 access check has no decision") as caught:
            client_of(api).batch_check_access(checks(8))

        assert api.sizes == [8, 4, 2, 1]
        assert caught.value.undecided == ("file:s1/0",)

    def test_a_half_that_fails_takes_the_other_with_it(self, client_of: ClientOf) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            numbers = asked_in(request)
            if len(numbers) > 5:
                return httpx.Response(413)
            return httpx.Response(403) if 7 in numbers else decisions(numbers)

        with pytest.raises(AccessCheckError) as caught:
            client_of(handler).batch_check_access(checks(10))

        assert caught.value.undecided == tuple(f"file:s1/{n}" for n in range(5, 10))

    def test_the_size_is_a_setting(self, client_of: ClientOf) -> None:
        api = Limited(100, lambda: httpx.Response(413))

        client_of(api, check_batch_size=3).batch_check_access(checks(7))

        assert sorted(api.sizes) == [1, 3, 3]

    def test_no_checks_need_no_request(self, client_of: ClientOf) -> None:
        assert client_of.answering(500).batch_check_access([]) == []


class TestConcurrency:
    def test_threads_of_all_callers_together_keep_to_the_limit(self) -> None:
        lock = threading.Lock()
        under_way, most = 0, 0

        def handler(request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.005)
            with lock:
                under_way -= 1
            return decisions(asked_in(request))

        client = ManagedSyncClient(
            "p1",
            "t",
            transport=httpx.MockTransport(handler),
            check_batch_size=1,
            max_concurrent_checks=3,
        )
        callers = [
            threading.Thread(target=client.batch_check_access, args=[checks(10)]) for _ in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

        assert most == 3

    def test_tasks_keep_to_it_too(self) -> None:
        under_way, most = 0, 0

        async def handler(request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1
            return decisions(asked_in(request))

        async def ask() -> list[list[bool]]:
            async with AsyncManagedSyncClient(
                "p1",
                "t",
                transport=httpx.MockTransport(handler),
                check_batch_size=1,
                max_concurrent_checks=3,
            ) as client:
                return await asyncio.gather(*(client.batch_check_access(checks(9)) for _ in "ab"))

        assert asyncio.run(ask()) == [[n % 3 == 0 for n in range(9)]] * 2
        assert most == 3

    def test_a_failure_does_not_wait_for_the_retries_of_the_others(self) -> None:
        slept = threading.Event()

        class Clock:
            def time(self) -> float:
                return time.time()

            def monotonic(self) -> float:
                return time.monotonic()

            def sleep(self, seconds: float) -> None:
                slept.wait(30)

            async def asleep(self, seconds: float) -> None:
                raise NotImplementedError

        def handler(request: httpx.Request) -> httpx.Response:
            return httpx.Response(403 if 0 in asked_in(request) else 503)

        client = ManagedSyncClient(
            "p1", "t", transport=httpx.MockTransport(handler), check_batch_size=1, clock=Clock()
        )
        began = time.monotonic()
        try:
            with pytest.raises(AccessCheckError) as caught:
                client.batch_check_access(checks(4))
            assert time.monotonic() - began < 5
        finally:
            slept.set()

        assert caught.value.undecided == ("file:s1/0",)
