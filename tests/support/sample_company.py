"""A running server over a copy of the sample company."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from managed_sync import IndexSync, ManagedSyncClient
from managed_sync.server import EmbeddedServer

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
        """Returns the oracle's name of each object, by object id."""
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


@contextmanager
def serving_company(folder: Path, *, most_of_a_format: int | None = None) -> Iterator[Company]:
    """Serves and syncs a copy of the sample company, which tests may change and sync again.

    Args:
        folder: The folder of the copy and of the server's state.
        most_of_a_format: The most files of a format in the copy; all of them by default.
    """
    from managed_sync.sample_company import copy_company

    copy = copy_company(folder / "company")
    if most_of_a_format is not None:
        _leave(copy, most_of_a_format)
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


def _leave(company: Path, most_of_a_format: int) -> None:
    # Without a file that the permissions name, the server keeps everything closed.
    named = yaml.safe_load((company / "permissions.yaml").read_text(encoding="utf-8"))["files"]
    formats: Counter[str] = Counter()
    for file in sorted(each for each in (company / "files").rglob("*") if each.is_file()):
        formats[file.suffix] += 1
        path = f"/{file.relative_to(company / 'files').as_posix()}"
        if formats[file.suffix] > most_of_a_format and path not in named:
            file.unlink()
