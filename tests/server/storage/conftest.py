"""The storage tests run on both databases that the server knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from managed_sync.server.storage.database import Database
from tests.stores.postgres import running_postgres

NewDatabase = Callable[[], Path | str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new database is: a file, or a URL."""
    if request.param == "sqlite":
        return tmp_path / "server.db"
    address = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    admin = f"postgresql://postgres@{address}/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@{address}/{name}"


@pytest.fixture
def database(place: Path | str) -> Iterator[Database]:
    opened = Database(place)
    yield opened
    opened.close()
