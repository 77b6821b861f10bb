"""An office of two, served over HTTP and indexed: Ada may read the vault's note, Ben may not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from langchain_core.vectorstores import VectorStore

from examples.shared.company import update_index
from examples.vector_stores.stores import qdrant
from managed_sync import AccessCheck, AccessChecker, ManagedSyncClient
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever
from managed_sync.server import EmbeddedServer
from tests.examples.models import Sent

ADA, BEN = "ada@x.example", "ben@x.example"
SECRET = "violet-heron-42"
VAULT = f"The password of the kettle is {SECRET}, and nobody else may know it."
KITCHEN = "The kettle of the kitchen is blue and holds two liters."

_PERMISSIONS = """
url_prefix: https://x.example
users: [ada@x.example, ben@x.example]
files:
  /: {viewer: [organization]}
  /vault.txt: {inherit: false, viewer: [%s]}
"""


class Gate:
    """The permission service as the examples' checkers reach it; it can be made to fail."""

    def __init__(self, client: ManagedSyncClient) -> None:
        self._client = client
        self.broken = False

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        if self.broken:
            raise TimeoutError(f"no decision about {checks[0].object}")
        return self._client.batch_check_access(checks)

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        if self.broken:
            raise TimeoutError("no list")
        return self._client.list_objects(subject, relation, object_type)


@dataclass
class Office:
    """What an example needs, and a way to change who may read the vault's note."""

    folder: Path
    server: EmbeddedServer
    client: ManagedSyncClient
    store: VectorStore
    gate: Gate = field(init=False)
    checker: AccessChecker = field(init=False)
    retriever: PermissionAwareRetriever = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.client)
        self.checker = AccessChecker(self.gate)
        self.retriever = PermissionAwareRetriever(vectorstore=self.store, checker=self.checker)

    def let_read_the_vault(self, *users: str) -> None:
        """Changes the source, and lets the server sync it; the index is not touched."""
        text = _PERMISSIONS % ", ".join(users)
        (self.folder / "permissions.yaml").write_text(text, encoding="utf-8")
        self.client.enable_sync("googleDrive", "files")
        self.client.wait_until_idle("googleDrive", "files")

    def environment(self) -> dict[str, str]:
        """The settings with which a program talks to this office's API."""
        return {
            "MANAGED_SYNC_BASE_URL": self.server.base_url,
            "MANAGED_SYNC_PROJECT_ID": self.server.project_id,
            "MANAGED_SYNC_SIGNING_KEY": self.server.signing_key,
            "MANAGED_SYNC_USER_ID": "test",
        }


@pytest.fixture(scope="module")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    files = folder / "company" / "files"
    files.mkdir(parents=True)
    (files / "kitchen.txt").write_text(KITCHEN, encoding="utf-8")
    (files / "vault.txt").write_text(VAULT, encoding="utf-8")
    (folder / "company" / "permissions.yaml").write_text(_PERMISSIONS % ADA, encoding="utf-8")
    with (
        EmbeddedServer(folder / "company", folder / "state") as server,
        ManagedSyncClient(
            server.project_id,
            signing_key=server.signing_key,
            user_id="test",
            base_url=server.base_url,
        ) as client,
        qdrant() as store,
    ):
        office = Office(folder / "company", server, client, store)
        office.let_read_the_vault(ADA)
        update_index(client, LangChainTarget(store))
        yield office


@pytest.fixture
def office(_office: Office) -> Iterator[Office]:
    """The office as it was at first, whatever the test before has changed."""
    yield _office
    _office.gate.broken = False
    _office.let_read_the_vault(ADA)


@pytest.fixture
def sent() -> Sent:
    """What models were sent in each call: pairs of role and text."""
    return []
