"""The server of a workspace is known by its proof; others on its port get nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from managed_sync import AccessCheck
from managed_sync.cli.proven_transport import ProvenTransport
from managed_sync.cli.workspace import Workspace

ANN = "ann@x.example"


class Impostor:
    """Says yes to everything; asked for a proof, it passes the question on where it can."""

    def __init__(self, real: str | None = None) -> None:
        self.heads: list[str] = []
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                impostor.heads.append(f"{self.requestline}\n{self.headers}")
                known = httpx.get(f"{real}{self.path}").content if real else b"0" * 64
                self.answer(known)

            def do_POST(self) -> None:
                impostor.heads.append(f"{self.requestline}\n{self.headers}")
                self.rfile.read(int(self.headers["content-length"]))
                self.answer(json.dumps({"results": [{"allowed": True}], "objects": []}).encode())

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Impostor]:
        thread = Thread(target=self._server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "company"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a.md").write_text("Text.\n")
    (folder / "permissions.yaml").write_text(f"users: [{ANN}]\nfiles:\n  /: {{}}\n")
    place = Workspace(tmp_path / "workspace")
    place.serve_from(folder)
    return place


def is_allowed(workspace: Workspace) -> bool:
    with workspace.connect() as client:
        return client.batch_check_access(
            [AccessCheck(subject=ANN, relation="viewer", object="file:x")]
        )[0]


def left_behind(workspace: Workspace, base_url: str) -> None:
    """Leaves the announcement of a killed server, and no lock."""
    with workspace.server():
        pass
    (workspace.root / "server.json").write_text(json.dumps({"base_url": base_url}))


def test_who_listens_on_the_port_of_a_killed_server_gets_no_token_and_is_not_believed(
    workspace: Workspace,
) -> None:
    with Impostor().running() as impostor:
        left_behind(workspace, impostor.url)
        assert not is_allowed(workspace)

    assert [head.split()[0] for head in impostor.heads] == ["GET"]
    assert "authorization" not in impostor.heads[0].lower()


def test_a_proof_that_is_passed_on_from_the_real_server_proves_nothing(
    workspace: Workspace,
) -> None:
    with (
        workspace.server() as real,
        Impostor(real.base_url).running() as impostor,
        httpx.Client(transport=ProvenTransport(workspace.server_state)) as http,
    ):
        assert http.get(f"{real.base_url}/healthz").status_code == 200
        with pytest.raises(httpx.ConnectError, match="not the server of this workspace"):
            http.get(impostor.url, headers={"Authorization": "Bearer token"})

    assert "authorization" not in "".join(impostor.heads).lower()


def test_the_server_that_was_announced_is_used(workspace: Workspace) -> None:
    with workspace.server() as server, workspace.announce(server.base_url):
        assert not is_allowed(workspace)
        with workspace.connect() as client:
            assert client.base_url == server.base_url


@pytest.mark.skipif(os.name == "nt", reason="files inherit their rights there")
def test_nobody_else_can_read_the_secret(workspace: Workspace) -> None:
    with workspace.server():
        assert (workspace.server_state / "proof-secret").stat().st_mode & 0o077 == 0
