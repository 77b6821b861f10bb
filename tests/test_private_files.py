"""Files on disk are closed to other users, whatever the umask is, even if they were open before."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import IndexSync, ManagedSyncClient
from managed_sync.cli.vector_index import open_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.langchain import BundledEmbeddings, LangChainTarget
from managed_sync.private_files import private_database, private_file, private_folder, write_private
from managed_sync.server import EmbeddedServer, Server, ServerConfig
from managed_sync.server.config import ProjectConfig

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[Path]:
    """Returns the files below a folder that others can reach; a closed folder hides its content."""
    reached = []
    for path in folder.iterdir():
        if mode(path) & 0o077:
            reached.append(path)
            if path.is_dir():
                reached += open_to_others(path)
    return reached


def open_folder(path: Path) -> Path:
    path.mkdir(mode=0o777)
    return path


def test_a_new_folder_and_its_parents_are_private(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")

    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_a_folder_of_our_own_is_closed_and_a_chosen_one_is_left_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = open_folder(tmp_path / "folder")

    private_folder(folder, is_ours=False)
    assert mode(folder) == 0o777
    assert f"chmod o-w {folder}" in caplog.text
    private_folder(folder)
    assert mode(folder) == 0o700


def test_files_are_private_from_their_first_moment_or_made_so(tmp_path: Path) -> None:
    (tmp_path / "open").touch(0o666)

    private_file(tmp_path / "open")
    private_file(tmp_path / "new")
    write_private(tmp_path / "text", "é")
    write_private(tmp_path / "text", "ü")

    assert open_to_others(tmp_path) == []
    assert (tmp_path / "text").read_text(encoding="utf-8") == "ü"


def test_a_database_that_was_open_is_closed_with_what_lies_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"ledger.db{suffix}").touch(0o666)

    private_database(place)

    assert open_to_others(tmp_path) == []


def test_a_lock_on_a_database_outlives_another_look_at_its_file(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    private_database(place)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    private_database(place)

    write = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('CREATE TABLE t(a)')"
    )
    other = subprocess.run(
        [sys.executable, "-c", write, str(place)], capture_output=True, text=True, check=False
    )
    holder.close()
    assert "database is locked" in other.stderr


def test_what_cannot_be_closed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    place = tmp_path / "others"
    place.touch(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    with caplog.at_level(logging.WARNING):
        private_file(place)

    assert f"chmod go= {place}" in caplog.text


def company(folder: Path) -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "plan.md").write_text("# Plan\n\nTen.\n")
    (folder / "permissions.yaml").write_text(
        "users: [ann@x.example]\nfiles: {/: {viewer: [organization]}}\n"
    )
    return folder


def sync(server: Server, project_id: str, signing_key: str) -> ManagedSyncClient:
    client = ManagedSyncClient(
        project_id,
        signing_key=signing_key,
        user_id="me",
        base_url=server.base_url,
        retry_budget=0,
    )
    client.enable_sync("googleDrive", "files")
    client.wait_until_idle("googleDrive", "files")
    return client


def test_database_index_and_ledger_are_private_in_folders_that_were_open(tmp_path: Path) -> None:
    source, state = company(tmp_path / "company"), open_folder(tmp_path / "state")
    here = Workspace(open_folder(tmp_path / "work"))
    open_folder(here.index_folder)
    here.serve_from(source)
    here.remember(PipelineRef("googleDrive", "files"))
    with EmbeddedServer(source, state) as server:
        client = sync(server, server.project_id, server.signing_key)
        with here.announce(server.base_url), open_index(here) as store:
            IndexSync(client, LangChainTarget(store), here.ledger).run(
                integration="googleDrive", sync_type="files"
            )
            assert open_to_others(here.root) == open_to_others(state) == []
    assert open_to_others(here.root) == open_to_others(state) == []


def test_keys_and_copies_of_a_configured_server_are_private(tmp_path: Path) -> None:
    config = ServerConfig(
        projects={"p": ProjectConfig(folder=company(tmp_path / "company"))},
        state=open_folder(tmp_path / "state"),
        content="blobs",
        port=0,
    )
    with Server(config) as server:
        key = config.keys_of("p") / "signing-key.pem"
        client = sync(server, "p", key.read_text())
        assert client.list_records("googleDrive", "files").records
        assert open_to_others(config.state) == []


def test_a_ledger_of_before_is_closed_when_it_is_used_again(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    sqlite3.connect(ledger).close()
    ledger.touch()
    ledger.chmod(0o644)
    store = InMemoryVectorStore(BundledEmbeddings())
    source = company(tmp_path / "company")
    with EmbeddedServer(source, tmp_path / "state") as server:
        client = sync(server, server.project_id, server.signing_key)
        IndexSync(client, LangChainTarget(store), ledger).run(
            integration="googleDrive", sync_type="files"
        )

    assert [path for path in open_to_others(tmp_path) if path.name.startswith("ledger")] == []
