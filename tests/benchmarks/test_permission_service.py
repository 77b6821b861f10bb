"""The permission service decides, lists, and counts what is asked of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from benchmarks.retrieval.permission_service import PermissionService, Usage


@pytest.fixture
def service() -> PermissionService:
    return PermissionService({"alice": ["file:1", "file:2"]})


def test_it_allows_what_it_was_told_and_nothing_else(service: PermissionService) -> None:
    assert service.check("alice", ["file:3", "file:1"]) == [False, True]
    assert service.list_objects("alice") == ["file:1", "file:2"]
    assert service.check("mallory", ["file:1"]) == [False]
    assert service.list_objects("mallory") == []


def test_every_id_that_moves_is_counted_once(service: PermissionService) -> None:
    service.check("alice", ["file:1", "file:3", "file:1"])
    service.list_objects("alice")
    assert service.take_usage() == Usage(calls=2, rounds=2, checked=3, listed=2, first_check=3)
    assert service.take_usage() == Usage()


def test_what_comes_after_a_list_is_not_the_first_check(service: PermissionService) -> None:
    service.list_objects("alice")
    service.check("alice", ["file:1"])
    assert service.take_usage().first_check == 0


def test_requests_at_the_same_time_are_one_round(service: PermissionService) -> None:
    service.latency = 0.02

    async def both() -> None:
        await asyncio.gather(service.acheck("alice", ["file:1"]), service.alist_objects("alice"))
        await service.acheck("alice", ["file:2"])

    asyncio.run(both())
    assert service.take_usage() == Usage(calls=3, rounds=2, checked=2, listed=2, first_check=1)


def test_each_request_takes_its_time(service: PermissionService) -> None:
    service.latency = 0.02
    started = time.perf_counter()
    service.check("alice", ["file:1"])
    service.list_objects("alice")
    assert time.perf_counter() - started >= 0.04
