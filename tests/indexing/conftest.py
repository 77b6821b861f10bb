"""Ledgers of both kinds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def any_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place of a new ledger, on a disk or in a database."""
    if request.param == "sqlite":
        return str(tmp_path / "state" / "ledger.db")
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def postgres_ledger(postgres: str) -> str:
    """The place of a new ledger in a database."""
    return new_database(postgres)


def new_database(address: str) -> str:
    name = f"ledger_{uuid.uuid4().hex}"
    server = create_engine(f"postgresql+psycopg://postgres@{address}/postgres")
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    return f"postgresql://postgres@{address}/{name}"
