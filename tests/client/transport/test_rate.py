"""Requests per second stay within the limit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import httpx
import pytest

from managed_sync.client.transport.limits import Rate
from managed_sync.errors import ConfigurationError
from tests.client.operations import answer
from tests.support.clients import ClientOf


def test_requests_are_spread_evenly(client_of: ClientOf) -> None:
    client = client_of(answer, max_requests_per_second=4)

    for _ in range(9):
        client.get_record("r1")

    assert client.clock.waits == pytest.approx([0.25] * 8)


def test_retries_and_pages_and_the_other_token_count_too(client_of: ClientOf) -> None:
    times: list[float] = []
    tokens = iter(["t1", "t2"])

    def handler(request: httpx.Request) -> httpx.Response:
        times.append(client_of.clock.now)
        failures = {1: httpx.Response(401), 3: httpx.Response(503)}
        return failures.get(len(times)) or answer(request)

    client = client_of(handler, token=lambda: next(tokens), max_requests_per_second=1)

    assert len(list(client.iter_records("box", "files"))) == 3
    assert len(times) == 5
    assert all(after - before >= 0.999 for before, after in pairwise(times))


def test_without_a_limit_nothing_waits(client_of: ClientOf) -> None:
    client = client_of(answer)

    for _ in range(50):
        client.get_record("r1")

    assert client.clock.waits == []


def test_time_that_passed_is_not_saved_up() -> None:
    rate = Rate(10)

    assert [rate.next_wait(1000.0) for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    assert [rate.next_wait(2000.0) for _ in range(3)] == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize("wrong", [0, -1, True, "5", float("inf"), float("nan")])
def test_a_rate_that_makes_no_sense_is_refused_by_name(client_of: ClientOf, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_requests_per_second"):
        client_of(answer, max_requests_per_second=wrong)
