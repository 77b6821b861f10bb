"""Requests to this machine go there directly, whatever proxy the environment names."""

from __future__ import annotations

import httpx
import pytest

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.client.transport.proxies import is_this_machine
from managed_sync.errors import ConfigurationError
from tests.client.raw_server import Connection, RawServer, json_answer
from tests.support.clients import ClientOf

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def answering(body: bytes) -> RawServer:
    def serve(server: RawServer, connection: Connection) -> None:
        while server.take(connection):
            connection.send(json_answer(body))

    return RawServer(serve)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "app.localhost", "127.0.0.2"])
def test_no_token_for_this_machine_goes_to_a_proxy(
    client_of: ClientOf, variable: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, proxy = answering(b'{"objects": ["file:1"]}'), answering(b"{}")
    with api.running() as url, proxy.running() as proxy_url:
        monkeypatch.setenv(variable, proxy_url)
        client = client_of(
            lambda _: httpx.Response(500),
            base_url=url.replace("127.0.0.1", host),
            transport=None,
            retry_budget=0,
        )
        try:
            assert client.list_objects("a@x.example", "viewer") == ["file:1"]
        except Exception:  # noqa: BLE001 - some machines do not listen on these names
            assert host in {"app.localhost", "127.0.0.2"}

    assert proxy.requests == []


def test_another_host_is_reached_through_the_proxy(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = answering(b'{"objects": ["file:1"]}')
    with proxy.running() as proxy_url:
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        client = client_of(
            lambda _: httpx.Response(500), base_url="http://api.example", transport=None
        )
        assert client.list_objects("a@x.example", "viewer") == ["file:1"]

    assert proxy.requests[0].startswith(b"POST http://api.example/")


def test_content_on_another_port_of_this_machine_is_fetched_directly(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, proxy = answering(b"a file"), answering(b"not the file")

    def redirect(server: RawServer, connection: Connection) -> None:
        while server.take(connection):
            connection.send(
                b"HTTP/1.1 302 Found\r\nLocation: %s/f?secret=1\r\nContent-Length: 0\r\n\r\n"
                % files_url.encode()
            )

    with (
        files.running() as files_url,
        proxy.running() as proxy_url,
        RawServer(redirect).running() as url,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        client = client_of(lambda _: httpx.Response(500), base_url=url, transport=None)
        assert client.download_content("r1").data == b"a file"

    assert proxy.requests == []


@pytest.mark.parametrize("kind", [ManagedSyncClient, AsyncManagedSyncClient])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NO_PROXY", "localhost,::1/128"),
        ("HTTP_PROXY", "ftp://proxy.example"),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(
    kind: type[ManagedSyncClient | AsyncManagedSyncClient],
    variable: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable == "NO_PROXY":
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=f"(?s)cannot be used.*{variable}"):
        kind("p1", "t", base_url="https://api.example")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("app.localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 - nothing listens there
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example", False),
        ("api.example", False),
    ],
)
def test_only_this_machine_is_this_machine(host: str, expected: bool) -> None:
    assert is_this_machine(host) is expected
