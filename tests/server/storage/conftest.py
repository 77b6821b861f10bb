"""The storage tests run on both databases that the server knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from managed_sync.server.storage.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Returns the location of a new database: a file, or a URL."""
    if request.param == "sqlite":
        return tmp_path / "server.db"
    new_url: Callable[[], str] = request.getfixturevalue("postgres")
    return new_url()


@pytest.fixture
def database(place: Path | str) -> Iterator[Database]:
    opened = Database(place)
    yield opened
    opened.close()
