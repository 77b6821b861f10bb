"""Every row and every answer is tried with both clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from tests.support.clients import ClientOf


@pytest.fixture(params=[ManagedSyncClient, AsyncManagedSyncClient], ids=["sync", "async"])
def client_of(request: pytest.FixtureRequest) -> Iterator[ClientOf]:
    made = ClientOf(request.param)
    yield made
    made.close()
