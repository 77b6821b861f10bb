"""Each test that takes ``way`` runs for both frameworks, synchronously and asynchronously."""

from __future__ import annotations

import pytest

from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import STRATEGIES, WAYS, Way


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> Strategy:
    strategy: Strategy = request.param
    return strategy
