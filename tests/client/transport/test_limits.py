"""Concurrent requests stay within the limit, and no caller waits forever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.client.transport.limits import FairSemaphore
from managed_sync.effects import Program, arun, run
from managed_sync.errors import ApiError, ConfigurationError
from tests.client.operations import CHECKS, OPERATIONS, answer
from tests.support.clients import ClientOf
from tests.support.draws import draws


class UnderWay:
    """Takes its time to answer, and counts the requests that it has at once."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.seconds = seconds
        self.most = 0
        self.paths: list[str] = []
        self._now = 0
        self._lock = threading.Lock()

    def _count(self, change: int) -> None:
        with self._lock:
            self._now += change
            self.most = max(self.most, self._now)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        self._count(1)
        time.sleep(self.seconds)
        self._count(-1)
        return answer(request)

    async def asynchronously(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        self._count(1)
        await asyncio.sleep(self.seconds)
        self._count(-1)
        return answer(request)


def asynchronous_client(api: UnderWay, **arguments: Any) -> AsyncManagedSyncClient:
    return AsyncManagedSyncClient(
        "p1", "t", transport=httpx.MockTransport(api.asynchronously), **arguments
    )


async def all_at_once(client: AsyncManagedSyncClient) -> None:
    listings = [_listed(client) for _ in range(2)]
    await asyncio.gather(*(call(client) for call in OPERATIONS * 2), *listings)


async def _listed(client: AsyncManagedSyncClient) -> list[str]:
    return [record.id async for record in client.iter_records("box", "files")]


class TestAtOnce:
    def test_threads_keep_to_the_limit_whatever_they_ask_for(self) -> None:
        api = UnderWay()
        with (
            ManagedSyncClient(
                "p1",
                "t",
                transport=httpx.MockTransport(api),
                check_batch_size=1,
                max_concurrent_requests=3,
            ) as client,
            ThreadPoolExecutor(12) as pool,
        ):
            calls = [pool.submit(call, client) for call in OPERATIONS * 2]
            calls += [pool.submit(lambda: list(client.iter_records("box", "files")))] * 2
            for each in calls:
                each.result(30)

        assert api.most == 3
        assert len({path.rsplit("/", 1)[1] for path in api.paths}) == len(OPERATIONS)

    def test_tasks_do_too(self) -> None:
        api = UnderWay()
        client = asynchronous_client(api, check_batch_size=1, max_concurrent_requests=3)

        asyncio.run(all_at_once(client))

        assert api.most == 3
        assert len({path.rsplit("/", 1)[1] for path in api.paths}) == len(OPERATIONS)

    def test_several_event_loops_share_the_limit(self) -> None:
        api = UnderWay()
        client = asynchronous_client(api, check_batch_size=1, max_concurrent_requests=2)

        with ThreadPoolExecutor(3) as pool:
            loops = [pool.submit(asyncio.run, all_at_once(client)) for _ in range(3)]
            for each in loops:
                each.result(30)

        assert api.most == 2

    def test_whoever_came_first_is_served_first(self) -> None:
        api = UnderWay(seconds=0.001)

        async def ask() -> None:
            client = asynchronous_client(api, max_concurrent_requests=1)
            await asyncio.gather(*(client.get_record(f"{n}/r1") for n in range(20)))

        asyncio.run(ask())

        assert [path.split("/")[5] for path in api.paths] == [str(n) for n in range(20)]

    @pytest.mark.parametrize("call", OPERATIONS)
    def test_one_slot_is_enough_for_everything(
        self, client_of: ClientOf, call: Callable[[Any], Any]
    ) -> None:
        client = client_of(answer, max_concurrent_requests=1, check_batch_size=1)

        for record in client.iter_records("box", "files"):
            call(client)
            with client.stream_content(record.id) as content:
                call(client)
                assert b"".join(content) == b"data"

    def test_what_is_done_together_inside_of_something_together_waits_for_nobody(
        self, client_of: ClientOf
    ) -> None:
        client = client_of(
            answer, max_concurrent_requests=1, max_concurrent_checks=1, check_batch_size=1
        )
        operations, sender = client.client._operations, client.client._sender

        def batches() -> Program[list[list[bool]]]:
            return sender.gather([operations.batch_check_access(CHECKS) for _ in range(3)])

        def batches_of_batches() -> Program[list[list[list[bool]]]]:
            return sender.gather([batches() for _ in range(3)])

        result = client._called(arun if client_of.is_asynchronous else run)(batches_of_batches())

        assert result == [[[True] * len(CHECKS)] * 3] * 3

    def test_a_redirect_needs_no_second_slot(self, client_of: ClientOf) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.host == "api.test":
                return httpx.Response(302, headers={"Location": "https://files.test/1"})
            return httpx.Response(200, content=b"data")

        client = client_of(handler, max_concurrent_requests=1)

        assert client.download_content("r1").data == b"data"

    def test_a_request_that_waits_for_its_retry_holds_no_slot(self) -> None:
        api = UnderWay(seconds=0)
        waiting, over = threading.Event(), threading.Event()

        class Clock:
            time = monotonic = staticmethod(time.monotonic)

            def sleep(self, seconds: float) -> None:
                waiting.set()
                assert over.wait(30)

            async def asleep(self, seconds: float) -> None:
                raise NotImplementedError

        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/status") and not over.is_set():
                return httpx.Response(503)
            return api(request)

        client = ManagedSyncClient(
            "p1",
            "t",
            transport=httpx.MockTransport(handler),
            max_concurrent_requests=1,
            clock=Clock(),
        )
        with ThreadPoolExecutor(1) as pool:
            trying = pool.submit(client.get_sync_status, "box", "files")
            assert waiting.wait(30)
            try:
                assert client.get_record("r1").id == "r1"
            finally:
                over.set()
            assert trying.result(30).status == "IDLE"

    def test_time_in_the_queue_is_not_taken_from_the_time_for_retries(self) -> None:
        failures = iter([503])
        api = UnderWay(seconds=0)

        async def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/status"):
                await asyncio.sleep(0.5)
            elif next(failures, None):
                return httpx.Response(503, headers={"Retry-After": "0"})
            return await api.asynchronously(request)

        async def ask() -> None:
            client = AsyncManagedSyncClient(
                "p1",
                "t",
                transport=httpx.MockTransport(handler),
                max_concurrent_requests=1,
                retry_budget=0.7,
            )
            first = asyncio.create_task(client.get_sync_status("box", "files"))
            await asyncio.sleep(0)
            assert (await client.get_record("r1")).id == "r1"
            await first
            assert client.retry_count == 1

        asyncio.run(ask())


class TestCancellation:
    def test_a_task_that_is_cancelled_leaves_the_queue_or_its_slot(self) -> None:
        stalled: list[str] = []
        began = asyncio.Event()

        async def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/stall"):
                stalled.append(request.url.path)
                began.set()
                await asyncio.sleep(60)
            return answer(request)

        async def ask() -> None:
            client = AsyncManagedSyncClient(
                "p1", "t", transport=httpx.MockTransport(handler), max_concurrent_requests=1
            )
            under_way = asyncio.create_task(client.get_record("stall"))
            queued = [asyncio.create_task(client.get_record("stall")) for _ in range(3)]
            last = asyncio.create_task(client.get_record("r1"))
            await began.wait()
            for task in [queued[1], under_way, queued[0], queued[2]]:
                task.cancel()

            assert (await asyncio.wait_for(last, 10)).id == "r1"
            assert len(stalled) == 1
            assert all(each.cancelled() for each in [under_way, *queued])

        asyncio.run(ask())

    def test_an_event_loop_that_ends_takes_no_slot_with_it(self) -> None:
        async def stall(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/stall"):
                await asyncio.sleep(60)
            return answer(request)

        client = AsyncManagedSyncClient(
            "p1", "t", transport=httpx.MockTransport(stall), max_concurrent_requests=1
        )

        async def leave_behind() -> list[asyncio.Task[Any]]:
            tasks = [asyncio.create_task(client.get_record("stall")) for _ in range(3)]
            await asyncio.sleep(0.01)
            return tasks

        assert all(task.cancelled() for task in asyncio.run(leave_behind()))
        assert asyncio.run(client.get_record("r1")).id == "r1"

    def test_a_listing_that_is_left_early_gives_its_slot_back(self) -> None:
        async def ask() -> None:
            client = asynchronous_client(UnderWay(), max_concurrent_requests=1)
            for _ in range(5):
                records: Any = client.iter_records("box", "files")
                async with aclosing(records):
                    await anext(records)
            assert (await client.get_record("r1")).id == "r1"

        asyncio.run(ask())

    def test_a_failure_gives_its_slot_back(self, client_of: ClientOf) -> None:
        answers = iter([401, 404, 503, 302])
        client = client_of(
            lambda request: (
                httpx.Response(status) if (status := next(answers, 0)) else answer(request)
            ),
            max_concurrent_requests=1,
            retry_budget=0,
        )
        for call in OPERATIONS[1:5]:
            with pytest.raises(ApiError):
                call(client)

        assert client.get_record("r1").id == "r1"


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, None])
def test_a_limit_that_makes_no_sense_is_refused_by_name(client_of: ClientOf, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_concurrent_requests"):
        client_of(answer, max_concurrent_requests=wrong)


@settings(max_examples=draws(66), deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(0, 5), max_size=40))
def test_permits_are_never_too_many_never_lost_and_given_in_order(
    count: int, moves: list[int]
) -> None:
    semaphore = FairSemaphore(count)
    taken: list[Future[None]] = []
    for move in moves:
        # Half of the moves acquire a permit; the others release one, given or still waited for.
        if move % 2 == 0:
            taken.append(semaphore.acquire())
        elif taken:
            semaphore.release(taken.pop(move % len(taken)))
        held = [permit.done() for permit in taken]
        assert sum(held) == min(count, len(taken))
        assert held == sorted(held, reverse=True)
