"""The connection to SpiceDB."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from managed_sync.server.graph.engine import PermissionEngineError
from managed_sync.server.graph.spicedb.client import connect


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "dns:///127.0.0.1"])
def test_no_token_for_this_machine_goes_to_a_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
        for name in ("http_proxy", "HTTP_PROXY", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        reached: list[bytes] = []
        Thread(target=_take, args=[proxy, reached], daemon=True).start()
        client = connect(f"{host}:9", "secret", tls=False)
        try:
            with pytest.raises(PermissionEngineError):
                client.read_schema(seconds=5)
        finally:
            client.close()
            proxy.shutdown(socket.SHUT_RDWR)

    assert reached == []


def _take(proxy: socket.socket, reached: list[bytes]) -> None:
    try:
        connection, _ = proxy.accept()
    except OSError:
        return
    with connection:
        reached.append(connection.recv(1_000))
