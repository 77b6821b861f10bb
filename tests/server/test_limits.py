"""Limits what one client costs the others: size, number, rate and slowness."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from managed_sync.server import EmbeddedServer
from managed_sync.server.domain import Scope
from managed_sync.server.http.rate_limit import RateLimit
from tests.server.company import FILES, Caller

Configured = Callable[..., Caller]
CHECK = {"subject": "maria@harbor.example", "relation": "viewer", "object": "file:x"}


def test_a_batch_beyond_the_limit_is_refused_with_the_limit(configured: Configured) -> None:
    caller = configured(limits={"checks": 3})
    assert caller.post("permissions/batch-check-access", {"checks": [CHECK] * 3}).is_success
    response = caller.post("permissions/batch-check-access", {"checks": [CHECK] * 4})
    assert response.status_code == 413
    assert "the limit is 3" in response.json()["detail"]
    caller.enable(FILES)
    (sync,) = caller.http.get("/api/syncs").json()["data"]
    response = caller.http.post(
        f"/api/permissions/{sync['id']}/batch-check", json={"checks": [{}] * 4}
    )
    assert response.status_code == 413


def test_a_body_beyond_the_limit_is_refused_with_the_limit(configured: Configured) -> None:
    caller = configured(limits={"body_bytes": 1000})
    path = f"/projects/{caller.project}/permissions/check-access"
    announced = caller.http.post(path, content=b" " * 1001)
    streamed = caller.http.post(path, content=iter([b" " * 600, b" " * 600]))
    for response in (announced, streamed):
        assert response.status_code == 413
        assert "the limit is 1000 bytes" in response.json()["detail"]
    body = json.dumps(CHECK).encode()
    kind = {"Content-Type": "application/json"}
    assert caller.http.post(path, content=body.ljust(1000), headers=kind).is_success


def test_too_many_requests_are_told_when_to_come_back(configured: Configured) -> None:
    caller = configured(limits={"requests_per_second": 0.5, "burst": 3})
    statuses = [caller.get("sync/status", **FILES).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = caller.get("sync/status", **FILES)
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.headers["content-type"] == "application/problem+json"
    assert caller.http.get("/healthz").is_success


class TestRateLimit:
    def test_a_bucket_fills_again_with_time(self) -> None:
        now = [0.0]
        limit = RateLimit(2, 4, clock=lambda: now[0])
        user = Scope("p", "u")
        assert [limit.wait(user) for _ in range(5)] == [0, 0, 0, 0, 1]
        now[0] += 0.5
        assert [limit.wait(user) for _ in range(2)] == [0, 1]
        now[0] += 1000
        assert [limit.wait(user) for _ in range(5)] == [0, 0, 0, 0, 1]

    def test_one_user_does_not_use_up_what_another_has(self) -> None:
        limit = RateLimit(1, 1, clock=lambda: 0)
        assert limit.wait(Scope("p", "u")) == 0
        assert limit.wait(Scope("p", "u")) == 1
        assert limit.wait(Scope("p", "v")) == 0
        assert limit.wait(Scope("q", "u")) == 0

    def test_it_remembers_ten_thousand_users_and_no_more(self) -> None:
        limit = RateLimit(1, 1, clock=lambda: 0)
        for number in range(20_000):
            limit.wait(Scope("p", str(number)))
        assert len(limit._buckets) == 10_000


class Connection:
    """A connection on which a test sends what it likes."""

    def __init__(self, caller: Caller) -> None:
        address = urlsplit(str(caller.http.base_url))
        assert address.hostname is not None
        self.socket = socket.create_connection((address.hostname, address.port or 80), timeout=10)

    def close(self) -> None:
        self.socket.close()

    def answer(self) -> bytes:
        """All that comes until the other side closes the connection."""
        received = b""
        while block := self.socket.recv(65536):
            received += block
        return received


def test_slow_clients_are_cut_off_and_hold_up_nobody(configured: Configured) -> None:
    caller = configured(limits={"head_seconds": 3, "body_seconds": 3})
    authorization = caller.http.headers["authorization"]
    head = (
        f"POST /projects/demo/permissions/check-access HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {authorization}\r\nContent-Length: 100\r\n\r\n"
    ).encode()
    with ExitStack() as connections:

        def connection(begin: bytes) -> Connection:
            opened = connections.enter_context(closing(Connection(caller)))
            opened.socket.sendall(begin)
            return opened

        silent = [connection(b"") for _ in range(60)]
        half_heads = [connection(b"GET /healthz HTTP/1.1\r\nX-Slow: ") for _ in range(60)]
        half_bodies = [connection(head + b"{") for _ in range(60)]
        assert caller.get("sync/status", **FILES).status_code == 200
        answered = connections.enter_context(selectors.DefaultSelector())
        for one in (*silent, *half_heads, *half_bodies):
            answered.register(one.socket, selectors.EVENT_READ)
        assert answered.select(0) == [], "it was answered before they were cut off"
        for one in half_bodies:
            assert one.answer().startswith(b"HTTP/1.1 408 ")
        for one in (*silent, *half_heads):
            assert one.answer() == b""
    assert caller.get("sync/status", **FILES).status_code == 200


def test_a_head_that_trickles_is_cut_off_too(configured: Configured) -> None:
    caller = configured(limits={"head_seconds": 0.5})

    def trickle(connection: Connection) -> None:
        connection.socket.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        for _ in range(40):
            connection.socket.sendall(b"a")
            time.sleep(0.1)

    with closing(Connection(caller)) as connection, pytest.raises(ConnectionError):
        trickle(connection)


def test_a_connection_may_be_used_again(configured: Configured) -> None:
    caller = configured(limits={"head_seconds": 1})
    with closing(Connection(caller)) as connection:
        for _ in range(2):
            connection.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while b'{"status":"ok"}' not in received:
                block = connection.socket.recv(65536)
                assert block
                received += block
            assert received.startswith(b"HTTP/1.1 200 ")
            time.sleep(1.2)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad\x00Name: y\r\n\r\n",
        b"\x16\x03\x01" * 9,
    ],
)
def test_what_is_not_http_is_a_problem_too(harbor_caller: Caller, request_bytes: bytes) -> None:
    with closing(Connection(harbor_caller)) as connection:
        connection.socket.sendall(request_bytes + b"\r\n\r\n")
        head, _, body = connection.answer().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 400


class TestHeadersAreNotInjected:
    def test_through_a_request_id(
        self, harbor_server: EmbeddedServer, harbor_caller: Caller
    ) -> None:
        for bad in (b"a\tb", b"x" * 129, b"\xff", b"a b", b"<script>"):
            response = harbor_caller.http.get("/healthz", headers={b"X-Request-Id": bad})
            assert response.headers["x-request-id"].isalnum()
            assert "set-cookie" not in response.headers

    def test_through_a_file_name(self, caller: Caller, company: Any) -> None:
        name = 'a"\r\nSet-Cookie: x=1\r\n\r\n.txt'
        company.write_file(name, b"x")
        caller.enable(FILES)
        record = caller.records(FILES)[f"/{name}"]["id"]
        response = caller.get(f"sync/records/{record}/content")
        assert response.content == b"x"
        assert "set-cookie" not in response.headers

    def test_through_a_path_or_a_project(self, harbor_caller: Caller) -> None:
        for path in ("/projects/a%0d%0aX-Bad:%201/sync/status", "/%0d%0aX-Bad:%201"):
            response = harbor_caller.http.get(path)
            assert response.status_code in {403, 404}
            assert "x-bad" not in response.headers
