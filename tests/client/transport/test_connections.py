"""A connection that the API closes as a request goes out does not fail the call."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path

import certifi
import httpx
import pytest

from managed_sync import AccessCheck, ManagedSyncClient
from managed_sync.client.transport import connections
from managed_sync.errors import ApiConnectionError
from tests.client.raw_server import Connection, RawServer, json_answer
from tests.support.clients import ClientOf, Driven

CHECKS = [AccessCheck(subject="a@x.example", relation="viewer", object="file:1")]
STATUS = json_answer(
    json.dumps({"integration": "box", "syncType": "files", "status": "IDLE"}).encode()
)
RESULTS = json_answer(b'{"results": [{"allowed": true}]}')


def client_to(client_of: ClientOf, url: str) -> Driven:
    return client_of(
        lambda _: httpx.Response(500), base_url=url, transport=None, retry_budget=0, timeout=5
    )


def closing_at_the_second_request(server: RawServer, connection: Connection) -> None:
    """Answers one request of each connection, and closes it when another one has come."""
    answer = RESULTS if b"batch-check" in server.take(connection) else STATUS
    connection.send(answer)
    server.take(connection)


def test_a_check_on_a_connection_that_was_closed_is_sent_again_at_once(
    client_of: ClientOf,
) -> None:
    server = RawServer(closing_at_the_second_request)
    with server.running() as url:
        client = client_to(client_of, url)
        assert client.batch_check_access(CHECKS) == [True]
        assert client.batch_check_access(CHECKS) == [True]
        assert client.get_sync_status("box", "files").status == "IDLE"

    assert client.clock.waits in ([], [0.0, 0.0]), "nothing is waited for"
    assert client.retry_count == 2
    assert len(server.requests) == 5


def test_what_must_not_be_sent_twice_is_not(client_of: ClientOf) -> None:
    server = RawServer(closing_at_the_second_request)
    with server.running() as url:
        client = client_to(client_of, url)
        client.get_sync_status("box", "files")
        with pytest.raises(ApiConnectionError):
            client.enable_sync("box", "files")

    assert [b"/sync/enable" in request for request in server.requests] == [False, True]


def test_a_new_connection_that_brings_no_answer_is_an_error_at_once(client_of: ClientOf) -> None:
    def serve(server: RawServer, connection: Connection) -> None:
        server.take(connection)

    server = RawServer(serve)
    with server.running() as url, pytest.raises(ApiConnectionError):
        client_to(client_of, url).get_sync_status("box", "files")

    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_not_taken_for_a_closed_connection(
    client_of: ClientOf,
) -> None:
    def serve(server: RawServer, connection: Connection) -> None:
        server.take(connection)
        connection.send(STATUS)
        server.take(connection)
        connection.send(STATUS[:-5])

    server = RawServer(serve)
    with server.running() as url:
        client = client_to(client_of, url)
        client.get_sync_status("box", "files")
        with pytest.raises(ApiConnectionError):
            client.get_sync_status("box", "files")

    assert len(server.requests) == 2


def test_clients_read_the_certificates_again_only_when_those_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str | None] = []
    create = httpx.create_ssl_context
    connections._tls.cache_clear()
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    def count() -> ssl.SSLContext:
        read.append(os.environ.get("SSL_CERT_FILE"))
        return create()

    monkeypatch.setattr(httpx, "create_ssl_context", count)

    def make_two_clients() -> None:
        for _ in range(2):
            ManagedSyncClient("p1", "t", base_url="https://api.example").close()

    make_two_clients()
    certificates = tmp_path / "certificates.pem"
    certificates.write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    make_two_clients()
    os.utime(certificates, ns=(1, 1))
    make_two_clients()
    monkeypatch.delenv("SSL_CERT_FILE")
    make_two_clients()

    assert read == [None, str(certificates), str(certificates)]
