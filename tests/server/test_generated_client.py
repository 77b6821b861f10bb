"""A client that is generated from the specification works against the server."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from managed_sync.server import EmbeddedServer
from tests.server.company import FILES, Caller, token
from tests.server.openapi_documents import SPECIFICATION

PROGRAM = Path(sys.executable).parent / "openapi-python-client"
PACKAGE = "generated_managed_sync"
# As it is generated: nothing formats it, and no tool beside the generator is needed.
CONFIG = f"package_name_override: {PACKAGE}\npost_hooks: []\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Gives modules of the generated package by name."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yaml").write_text(CONFIG)
    subprocess.run(
        [
            *(PROGRAM, "generate", "--path", SPECIFICATION, "--config", "config.yaml"),
            *("--meta", "none", "--output-path", folder / PACKAGE, "--fail-on-warning"),
        ],
        cwd=folder,
        check=True,
        timeout=120,
    )
    sys.path.insert(0, str(folder))
    try:
        yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
            del sys.modules[name]


@pytest.fixture
def client(api: Any, server: EmbeddedServer) -> Any:
    return api("client").AuthenticatedClient(
        base_url=server.base_url,
        token=token(server.signing_key),
        raise_on_unexpected_status=True,
        httpx_args={"trust_env": False},
    )


def test_it_syncs_and_reads(api: Any, client: Any, caller: Caller) -> None:
    body = api("models").EnableSyncBody(integration="googleDrive", sync_type="files")
    enabled = api("api.sync.enable_sync").sync("demo", client=client, body=body)
    assert enabled.status.value == "SYNCING"
    caller.wait(FILES)

    names = {"integration": "googleDrive", "sync_type": "files"}
    status = api("api.sync.get_sync_status").sync("demo", client=client, **names)
    assert (status.status.value, status.record_count) == ("IDLE", 6)
    page = api("api.sync.pull_synced_records").sync("demo", client=client, **names)
    handbook = next(one for one in page.records if one.source_id == "/handbook.md")
    assert handbook.data["name"] == "handbook.md"
    record = api("api.sync.get_synced_record").sync("demo", handbook.id, client=client)
    assert record == handbook
    content = api("api.sync.download_content").sync("demo", handbook.id, client=client)
    assert content.payload.read() == b"# Handbook\n\nBe kind.\n"


def test_it_asks_about_permissions(api: Any, client: Any, caller: Caller) -> None:
    caller.enable(FILES)
    budget = caller.object_id(FILES, "/Finance/budget.txt")
    models = api("models")
    carol, maria = (
        models.AccessCheck(subject=f"{name}@harbor.example", relation="viewer", object_=budget)
        for name in ("carol", "maria")
    )

    def ask(operation: str, body: Any) -> Any:
        return api(f"api.permissions.{operation}").sync_detailed("demo", client=client, body=body)

    assert ask("check_access", carol).parsed.allowed is True
    batch = ask("batch_check_access", models.BatchCheckAccessBody(checks=[carol, maria]))
    assert [one.allowed for one in batch.parsed.results] == [True, False]
    users = models.ListUsersBody(object_=budget, relation="viewer")
    objects = models.ListObjectsBody(subject="carol@harbor.example", relation="viewer")
    for operation, body in (
        ("list_users", users),
        ("list_objects", objects),
        ("expand_relationships", carol),
    ):
        assert ask(operation, body).status_code == 200
