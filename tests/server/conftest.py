from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from managed_sync.server import EmbeddedServer, Server, ServerConfig
from managed_sync.server.auth.signing_key import load_or_create_signing_key
from managed_sync.server.graph.spicedb.engine import SpiceDBEngine
from managed_sync.server.runtime import app
from tests.server.company import CONTACTS, FILES, Caller, Company, harbor, token
from tests.support.postgres import debian_programs, running_postgres
from tests.support.spicedb import running_spicedb

Connect = Callable[..., Caller]
Configured = Callable[..., Caller]
NewUrl = Callable[[], str]


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="session")
def signing_key() -> str:
    return _new_key()


@pytest.fixture(scope="session")
def other_key() -> str:
    return _new_key()


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return harbor(tmp_path / "company")


def _state(folder: Path, signing_key: str) -> Path:
    folder.mkdir()
    (folder / "signing-key.pem").write_text(signing_key)
    return folder


@pytest.fixture
def state(tmp_path: Path, signing_key: str) -> Path:
    return _state(tmp_path / "state", signing_key)


@pytest.fixture(scope="session")
def postgres() -> Iterator[NewUrl]:
    """Makes new databases in a PostgreSQL, and says their URLs."""
    with running_postgres(debian_programs()) as address:

        def new() -> str:
            name = f"test_{uuid4().hex}"
            admin = f"postgresql://postgres@{address}/postgres"
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"postgresql://postgres@{address}/{name}"

        yield new


class _ConfiguredServer(EmbeddedServer):
    """An embedded server with settings that only a file can have."""

    def __init__(self, folder: Path, state: Path, **settings: Any) -> None:
        super().__init__(folder, state)
        self._config = ServerConfig.of_folder(folder, state, self.project_id, port=0, **settings)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def server(
    request: pytest.FixtureRequest, company: Company, state: Path
) -> Iterator[EmbeddedServer]:
    """A server of the test's own. ``harbor_server`` and the tests of storage try both databases."""
    settings = {}
    if request.param == "postgresql":
        settings["database"] = request.getfixturevalue("postgres")()
    with _ConfiguredServer(company.folder, state, **settings) as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql", "spicedb"])
def harbor_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, signing_key: str
) -> Iterator[EmbeddedServer]:
    """A server for the tests that change nothing."""
    folder = tmp_path_factory.mktemp("harbor")
    settings: dict[str, Any] = {}
    with ExitStack() as stack:
        if request.param == "postgresql":
            settings["database"] = request.getfixturevalue("postgres")()
        if request.param == "spicedb":
            client = stack.enter_context(running_spicedb())
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(app, "open_engine", lambda _, database: SpiceDBEngine(database, client))
        company = harbor(folder / "company")
        state = _state(folder / "state", signing_key)
        server = stack.enter_context(_ConfiguredServer(company.folder, state, **settings))
        if request.param == "spicedb":
            patch.undo()
        yield server


@contextmanager
def _connecting() -> Iterator[Connect]:
    with ExitStack() as clients:

        def as_user(server: EmbeddedServer, user: str = "acme") -> Caller:
            bearer = token(server.signing_key, project=server.project_id, user=user)
            http = httpx.Client(
                base_url=server.base_url,
                headers={"Authorization": f"Bearer {bearer}"},
                trust_env=False,
                timeout=60,
            )
            return Caller(clients.enter_context(http), server.project_id)

        yield as_user


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects to a server as one of its connected users."""
    with _connecting() as connect:
        yield connect


@pytest.fixture
def configured(company: Company, state: Path) -> Iterator[Configured]:
    """Runs servers with settings of the test's own, and connects to them."""
    with ExitStack() as running:

        def run(user: str = "acme", **settings: Any) -> Caller:
            config = ServerConfig.of_folder(company.folder, state, "demo", port=0, **settings)
            server = running.enter_context(Server(config))
            bearer = token(load_or_create_signing_key(state).pem, user=user)
            http = httpx.Client(
                base_url=server.base_url,
                headers={"Authorization": f"Bearer {bearer}"},
                trust_env=False,
                timeout=60,
            )
            return Caller(running.enter_context(http), "demo")

        yield run


@pytest.fixture
def caller(server: EmbeddedServer, connect: Connect) -> Caller:
    return connect(server)


@pytest.fixture(scope="session")
def harbor_caller(harbor_server: EmbeddedServer) -> Iterator[Caller]:
    """A connected user of that server, with everything synced."""
    with _connecting() as connect:
        caller = connect(harbor_server)
        caller.enable(FILES)
        caller.enable(CONTACTS)
        yield caller
