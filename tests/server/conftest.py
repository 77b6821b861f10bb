from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from managed_sync.server import EmbeddedServer, Server, ServerConfig
from managed_sync.server.signing_key import load_or_create_signing_key
from tests.server.company import CONTACTS, FILES, Caller, Company, harbor, token

Connect = Callable[..., Caller]
Configured = Callable[..., Caller]


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


@pytest.fixture
def server(company: Company, state: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(company.folder, state) as running:
        yield running


@pytest.fixture(scope="session")
def harbor_server(
    tmp_path_factory: pytest.TempPathFactory, signing_key: str
) -> Iterator[EmbeddedServer]:
    """A server for the tests that change nothing."""
    folder = tmp_path_factory.mktemp("harbor")
    company = harbor(folder / "company")
    with EmbeddedServer(company.folder, _state(folder / "state", signing_key)) as running:
        yield running


@pytest.fixture(scope="session")
def connect() -> Iterator[Connect]:
    """Connects to a server as one of its connected users."""
    with ExitStack() as clients:

        def as_user(server: EmbeddedServer, user: str = "acme") -> Caller:
            bearer = token(server.signing_key, project=server.project_id, user=user)
            http = httpx.Client(
                base_url=server.base_url,
                headers={"Authorization": f"Bearer {bearer}"},
                trust_env=False,
            )
            return Caller(clients.enter_context(http), server.project_id)

        yield as_user


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
            )
            return Caller(running.enter_context(http), "demo")

        yield run


@pytest.fixture
def caller(server: EmbeddedServer, connect: Connect) -> Caller:
    return connect(server)


@pytest.fixture(scope="session")
def harbor_caller(harbor_server: EmbeddedServer, connect: Connect) -> Caller:
    """A connected user of that server, with everything synced."""
    caller = connect(harbor_server)
    caller.enable(FILES)
    caller.enable(CONTACTS)
    return caller
