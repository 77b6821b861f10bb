"""An office of two, served over HTTP and indexed: Ada may read the vault's note, Ben may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from langchain_core.vectorstores import VectorStore

from managed_sync import AccessCheck, AccessChecker, ManagedSyncClient
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.server import EmbeddedServer

ADA, BEN = "ada@x.example", "ben@x.example"
SECRET = "violet-heron-42"
VAULT = f"The password of the kettle is {SECRET}, and nobody else may know it."
KITCHEN = "The kettle of the kitchen is blue and holds two liters."
PERMISSIONS = """
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
    """The setup of an example, with a way to change who may read the vault's note."""

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
        text = PERMISSIONS % ", ".join(users)
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
