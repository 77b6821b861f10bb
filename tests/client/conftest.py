"""Every test of a client runs with both; of what they have to do in either format, in both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from tests.support.clients import ClientOf


@pytest.fixture
def api() -> str:
    """The wire format; modules whose tests run in both have a fixture of their own in its place."""
    return "projects"


@pytest.fixture(params=[ManagedSyncClient, AsyncManagedSyncClient], ids=["sync", "async"])
def client_of(request: pytest.FixtureRequest, api: str) -> Iterator[ClientOf]:
    made = ClientOf(request.param, api)
    yield made
    made.close()
