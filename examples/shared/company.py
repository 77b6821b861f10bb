"""The API that the examples talk to, and an index of what it serves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from rich.console import Console
from rich.progress import Progress, TaskID

from managed_sync import IndexSync, ManagedSyncClient
from managed_sync.errors import ConfigurationError, NotFoundError, SyncFailedError
from managed_sync.indexing import IndexProgress, IndexTarget
from managed_sync.sample_company import copy_company
from managed_sync.server import EmbeddedServer

__all__ = ["Company", "open_company", "update_index"]

PIPELINES = [
    ("googleDrive", "files"),
    ("salesforce", "contacts"),
    ("salesforce", "deals"),
    ("zendesk", "tickets"),
]
PREFIXES = ("MANAGED_SYNC_", "PARAGON_")
# Somebody waits for an answer: after these seconds a request that failed is not sent again.
RETRY_BUDGET = 5


@dataclass(frozen=True)
class Company:
    """An API, and the users who may log in."""

    client: ManagedSyncClient
    users: list[str]


@contextmanager
def open_company(user: str | None) -> Iterator[Company]:
    """The API that MANAGED_SYNC_* or PARAGON_* variables name, or the sample company.

    The sample company is a copy, served by an embedded server, and gone afterwards. It syncs every
    minute, so that a change of its permissions can be tried.

    Args:
        user: The only user who may log in. An API of your own does not list its users, so it needs
            one.

    Raises:
        ConfigurationError: The variables do not fit together, or there is no such user.
    """
    if any(name.startswith(PREFIXES) and value for name, value in os.environ.items()):
        if user is None:
            raise ConfigurationError("Say who asks, with --user: this API does not list its users.")
        with ManagedSyncClient.from_env(retry_budget=RETRY_BUDGET) as client:
            yield Company(client, [user])
        return
    with TemporaryDirectory(prefix="managed-sync-", ignore_cleanup_errors=True) as folder:
        company = copy_company(Path(folder) / "company")
        users = _users_of(company)
        if user is not None and user not in users:
            raise ConfigurationError(f"There is no user {user!r}; there are {', '.join(users)}.")
        with (
            EmbeddedServer(company, Path(folder) / "server") as server,
            ManagedSyncClient(
                server.project_id,
                signing_key=server.signing_key,
                user_id="example",
                base_url=server.base_url,
                retry_budget=RETRY_BUDGET,
            ) as client,
        ):
            for integration, sync_type in PIPELINES:
                client.enable_sync(integration, sync_type, frequency="1m")
            print(
                f"Permissions are in {company / 'permissions.yaml'}; "
                "changes take effect within a minute.",
                file=sys.stderr,
            )
            yield Company(client, users if user is None else [user])


def update_index(client: ManagedSyncClient, target: IndexTarget) -> None:
    """Fills a new index from every pipeline that is enabled, behind progress bars.

    In your application, keep the ledger beside the index, and run ``IndexSync`` on a schedule.

    Raises:
        ConfigurationError: No pipeline is enabled.
        ManagedSyncError: The API or the index failed.
    """
    indexed, left_out = [], []
    with (
        TemporaryDirectory() as folder,
        Progress(console=Console(stderr=True)) as progress,
    ):
        sync = IndexSync(client, target, Path(folder) / "ledger.db")
        for integration, sync_type in PIPELINES:
            try:
                client.wait_until_idle(integration, sync_type)
            except (SyncFailedError, NotFoundError) as error:
                left_out.append(f"Left out: {error}")
                continue
            task = progress.add_task(f"Indexing {integration} {sync_type}", total=None)
            report = sync.run(
                integration=integration,
                sync_type=sync_type,
                on_progress=partial(_show, progress, task),
            )
            left_out += [f"Left out: {failure.reason}" for failure in report.failed]
            indexed.append(sync_type)
    for reason in left_out:
        print(reason, file=sys.stderr)
    if not indexed:
        raise ConfigurationError(
            "There is nothing to talk about: enable a pipeline first, such as with "
            "`managed-sync enable googleDrive files`."
        )


def _users_of(company: Path) -> list[str]:
    permissions = yaml.safe_load((company / "permissions.yaml").read_text(encoding="utf-8"))
    return list(permissions["users"])


def _show(progress: Progress, task: TaskID, now: IndexProgress) -> None:
    # A bar without anything to do would never look finished.
    progress.update(task, completed=now.done if now.total else 1, total=now.total or 1)
