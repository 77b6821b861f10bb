"""What tests of several folders share: a server over the sample company, and its index."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from managed_sync import IndexSync, ManagedSyncClient
from managed_sync.server import EmbeddedServer

# A shell that starts the tests in the background makes them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PIPELINES = [
    ("googleDrive", "files"),
    ("salesforce", "contacts"),
    ("salesforce", "deals"),
    ("zendesk", "tickets"),
]


@dataclass(frozen=True)
class Company:
    """A running server over a copy of the sample company, and a client of it."""

    folder: Path
    client: ManagedSyncClient
    server: EmbeddedServer | None = None

    @property
    def users(self) -> list[str]:
        text = (self.folder / "permissions.yaml").read_text(encoding="utf-8")
        users: list[str] = yaml.safe_load(text)["users"]
        return users

    def sync(self) -> None:
        """Syncs every pipeline, and waits for it."""
        for pipeline in PIPELINES:
            self.client.enable_sync(*pipeline)
        for pipeline in PIPELINES:
            self.client.wait_until_idle(*pipeline)

    def references(self) -> dict[str, str]:
        """What the oracle calls each object, by object id."""
        kinds = {"files": "file", "contacts": "contact", "deals": "deal", "tickets": "ticket"}
        return {
            f"{kinds[sync_type]}:{record.id}": f"{sync_type}:{record.source_id}"
            for integration, sync_type in PIPELINES
            for record in self.client.iter_records(integration, sync_type)
        }

    def index(self, sync: IndexSync) -> None:
        """Brings an index up to date with every pipeline."""
        for integration, sync_type in PIPELINES:
            report = sync.run(integration=integration, sync_type=sync_type)
            assert report.failed == ()


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BASE_URL", "PROJECT_ID", "TOKEN", "SIGNING_KEY", "USER_ID", "API"):
            patch.delenv(f"MANAGED_SYNC_{name}", raising=False)
            patch.delenv(f"PARAGON_{name}", raising=False)
        patch.delenv("MANAGED_SYNC_WORKSPACE", raising=False)
        yield


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The sample company, served and synced; tests may change the copy and sync again."""
    from managed_sync.sample_company import copy_company

    folder = tmp_path_factory.mktemp("sample")
    copy = copy_company(folder / "company")
    with (
        EmbeddedServer(copy, folder / "state") as server,
        ManagedSyncClient(
            server.project_id,
            signing_key=server.signing_key,
            user_id="u1",
            base_url=server.base_url,
        ) as client,
    ):
        running = Company(copy, client, server)
        running.sync()
        yield running
