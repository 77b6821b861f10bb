from __future__ import annotations

import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from managed_sync.errors import (
    ConfigurationError,
    MissingExtraError,
    PermissionsFileError,
    PortInUseError,
    SourceError,
)
from managed_sync.models import SyncStatus
from managed_sync.server import EmbeddedServer
from managed_sync.server.auth.signing_key import load_or_create_signing_key
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.sync.runner import Pipelines
from tests.server.company import FILES, Caller, Company, token

Connect = Callable[..., Caller]


def _port(server: EmbeddedServer) -> int:
    return int(server.base_url.rpartition(":")[2])


def test_it_listens_on_a_free_loopback_port(server: EmbeddedServer) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.base_url)
    assert server.project_id == "demo"


def test_it_starts_and_stops_quickly(company: Company, state: Path) -> None:
    # The time of this process, since other programs may keep the machine busy.
    begin = time.process_time()
    with EmbeddedServer(company.folder, state) as server:
        assert time.process_time() - begin < 1
        port = _port(server)
    assert time.process_time() - begin < 3
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_no_thread_is_left_behind(company: Company, state: Path, connect: Connect) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with EmbeddedServer(company.folder, state) as server:
        connect(server).enable(FILES, frequency="1m")
    after = {thread.name for thread in threading.enumerate() if not thread.daemon}
    assert not {name for name in after - before if "managed-sync" in name or "APS" in name}


def test_a_request_under_way_is_answered_before_the_server_stops(
    server: EmbeddedServer, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = threading.Event(), list[int]()
    status = Pipelines.status

    def slowly(work: Pipelines, scope: Scope, name: PipelineName) -> SyncStatus:
        asked.set()
        time.sleep(0.5)
        return status(work, scope, name)

    monkeypatch.setattr(Pipelines, "status", slowly)
    asking = threading.Thread(
        target=lambda: answers.append(caller.get("sync/status", **FILES).status_code)
    )
    asking.start()
    assert asked.wait(10)
    server.stop()
    asking.join(10)
    assert answers == [200]


def test_starting_twice_and_stopping_twice_does_no_harm(company: Company, state: Path) -> None:
    server = EmbeddedServer(company.folder, state)
    server.stop()
    server.start()
    address = server.base_url
    server.start()
    assert server.base_url == address
    server.stop()
    server.stop()
    with pytest.raises(ConfigurationError, match="not running"):
        _ = server.base_url


def test_a_stopped_server_can_be_started_again_on_its_port(
    company: Company, state: Path, connect: Connect
) -> None:
    with EmbeddedServer(company.folder, state) as server:
        connect(server).enable(FILES)
        port = _port(server)
    with EmbeddedServer(company.folder, state, port=port) as server:
        assert _port(server) == port
        assert connect(server).get("sync/status", **FILES).json()["status"] == "IDLE"


def test_a_port_in_use_is_named_with_a_remedy(
    server: EmbeddedServer, company: Company, tmp_path: Path
) -> None:
    port = _port(server)
    with pytest.raises(PortInUseError, match=rf"{port}.*another port, or 0"):
        EmbeddedServer(company.folder, tmp_path / "other", port=port).start()


def test_a_port_that_is_none_is_refused(company: Company, state: Path) -> None:
    with pytest.raises(ConfigurationError, match="70000"):
        EmbeddedServer(company.folder, state, port=70_000).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])  # noqa: S104
def test_an_address_that_others_reach_must_be_meant(
    company: Company, state: Path, host: str
) -> None:
    with pytest.raises(ConfigurationError, match="allow_remote"):
        EmbeddedServer(company.folder, state, host=host)


def test_an_address_that_others_reach_can_be_meant(company: Company, state: Path) -> None:
    server = EmbeddedServer(company.folder, state, host="0.0.0.0", allow_remote=True)  # noqa: S104
    with server:
        assert server.base_url.startswith("http://0.0.0.0:")


def test_a_missing_folder_is_named(tmp_path: Path, state: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        EmbeddedServer(tmp_path / "nowhere", state).start()


def test_missing_permissions_are_named(company: Company, state: Path) -> None:
    (company.folder / "permissions.yaml").unlink()
    with pytest.raises(PermissionsFileError, match=r"permissions\.yaml"):
        EmbeddedServer(company.folder, state).start()


def test_malformed_permissions_are_named_and_the_port_is_free_again(
    company: Company, state: Path
) -> None:
    good = (company.folder / "permissions.yaml").read_text(encoding="utf-8")
    company.write_permissions("users: [\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = EmbeddedServer(company.folder, state, port=port)
    with pytest.raises(PermissionsFileError, match="line"):
        server.start()
    company.write_permissions(good)
    with server:
        assert _port(server) == port


@pytest.mark.parametrize("damage", ["users: [\n", None])
def test_a_later_start_with_unreadable_permissions_keeps_what_was_synced(
    company: Company, state: Path, connect: Connect, damage: str | None
) -> None:
    with EmbeddedServer(company.folder, state) as server:
        connect(server).enable(FILES)
    if damage is None:
        (company.folder / "permissions.yaml").unlink()
    else:
        company.write_permissions(damage)

    with EmbeddedServer(company.folder, state) as server:
        assert "/handbook.md" in connect(server).records(FILES)


def test_a_state_folder_that_cannot_be_used_is_named(company: Company, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(ConfigurationError, match="occupied"):
        EmbeddedServer(company.folder, tmp_path / "occupied").start()


def test_a_damaged_database_is_named(company: Company, state: Path) -> None:
    (state / "server.db").write_bytes(b"not a database, by no means " * 100)
    with pytest.raises(ConfigurationError, match=r"server\.db.*delete"):
        EmbeddedServer(company.folder, state).start()


@pytest.mark.parametrize("project", ["", "  ", "a/b", "..", "a\nb"])
def test_a_project_id_must_fit_into_a_path(company: Company, state: Path, project: str) -> None:
    with pytest.raises(ConfigurationError, match="project id"):
        EmbeddedServer(company.folder, state, project_id=project)


class TestSigningKey:
    def test_it_is_made_once_and_readable_by_its_owner_only(
        self, company: Company, tmp_path: Path, connect: Connect
    ) -> None:
        folder = tmp_path / "new" / "state"
        with EmbeddedServer(company.folder, folder) as server:
            key = server.signing_key
            assert connect(server).get("sync/status", **FILES).status_code == 200
        assert EmbeddedServer(company.folder, folder).signing_key == key
        if os.name == "posix":
            assert stat.S_IMODE((folder / "signing-key.pem").stat().st_mode) == 0o600
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_a_loosened_mode_is_tightened(self, state: Path) -> None:
        path = state / "signing-key.pem"
        path.chmod(0o644)
        load_or_create_signing_key(state)
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    @pytest.mark.parametrize("content", ["", "no key", "ключ"])
    def test_what_is_not_a_key_is_named(self, state: Path, content: str) -> None:
        (state / "signing-key.pem").write_text(content, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"signing-key\.pem"):
            load_or_create_signing_key(state)

    def test_it_is_in_no_repr(self, state: Path) -> None:
        assert "PRIVATE" not in repr(load_or_create_signing_key(state))


def test_the_log_holds_no_token(
    server: EmbeddedServer, signing_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bearer = token(signing_key)
    for good in (bearer, bearer[:-4]):
        httpx.get(
            f"{server.base_url}/projects/demo/sync/status",
            params=FILES,
            headers={"Authorization": f"Bearer {good}"},
            trust_env=False,
        )
    assert bearer[:40] not in caplog.text
    assert "BEGIN PRIVATE" not in caplog.text


def test_a_failure_inside_is_a_problem_without_particulars(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("the inside of the server")

    caller.enable(FILES)
    monkeypatch.setattr("managed_sync.server.http.routes.sync.record_page", fail)
    response = caller.get("sync/records", **FILES)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "inside" not in response.text


SERVE = """
import logging, sys
from pathlib import Path
from managed_sync.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), Path(sys.argv[2]))
server.start()
print(server.base_url, flush=True)
server.serve_forever()
print("stopped", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_serve_forever_stops_cleanly(company: Company, state: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(company.folder), str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert httpx.get(f"{address}/nothing", trust_env=False).status_code == 404
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert output.strip() == "stopped"
    assert "Traceback" not in errors


def test_a_missing_extra_is_one_sentence_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib

    for name in [name for name in sys.modules if name.startswith("managed_sync.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'managed-sync\[server\]'"):
        importlib.import_module("managed_sync.server")
