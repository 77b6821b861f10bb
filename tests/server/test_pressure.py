"""The server under pressure: unverified connections, slow clients and waiting writers."""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from managed_sync.server.runtime import connection
from managed_sync.server.runtime import unverified_connections as module
from managed_sync.server.runtime.unverified_connections import UnverifiedConnections
from managed_sync.server.storage import database
from tests.server.company import FILES, Caller, Company

Configured = Callable[..., Caller]
NewUrl = Callable[[], str]

UNKNOWN = b"POST /x HTTP/1.1\r\nHost: x\r\n"
PROTECTED = b"POST /projects/demo/permissions/check-access HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_LINGER_SECONDS", 0.3)


def connect(caller: Caller) -> socket.socket:
    address = urlsplit(str(caller.http.base_url))
    opened = socket.create_connection((address.hostname, address.port), timeout=10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def is_cut_off(drip: socket.socket, byte: bytes = b"x") -> bool:
    """Sends a byte now and then, for far longer than the server should listen."""
    for _ in range(200):
        try:
            drip.sendall(byte)
        except OSError:
            return True
        time.sleep(0.02)
    return False


class TestWithoutAToken:
    @pytest.mark.parametrize("request_head", [UNKNOWN, PROTECTED])
    @pytest.mark.parametrize(
        ("framing", "byte"),
        [
            (b"Content-Length: 100000000\r\n\r\n", b"x"),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ],
    )
    def test_a_body_that_drips_after_the_answer_is_cut_off(
        self, configured: Configured, request_head: bytes, framing: bytes, byte: bytes
    ) -> None:
        with closing(connect(configured())) as drip:
            drip.sendall(request_head + framing)
            assert drip.recv(65536).startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 401 "))
            assert is_cut_off(drip, byte)

    def test_a_body_that_nobody_reads_is_not_kept(self, configured: Configured) -> None:
        with closing(connect(configured())) as flood:
            flood.sendall(PROTECTED + b"Content-Length: 10000000000\r\n\r\n")
            assert is_cut_off(flood, b"x" * 65536)

    def test_the_answer_can_be_read_although_the_body_was_not(self, configured: Configured) -> None:
        caller = configured(limits={"body_bytes": 100})
        response = httpx.post(
            f"{caller.http.base_url}/projects/demo/permissions/check-access",
            content=b"x" * 3_000_000,
            trust_env=False,
        )
        assert response.status_code == 401

    def test_whoever_opens_too_many_connections_loses_the_oldest(
        self, configured: Configured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_GRACE_SECONDS", 0)
        caller = configured(limits={"connections_per_address": 8, "head_seconds": 60})
        with ExitStack() as opened:
            drips = [opened.enter_context(closing(connect(caller))) for _ in range(30)]
            for drip in drips:
                drip.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            assert httpx.get(f"{caller.http.base_url}/healthz", trust_env=False).is_success
            assert caller.get("sync/status", **FILES).is_success
            assert is_cut_off(drips[0])
            drips[-1].sendall(b"x")

    def test_a_connection_that_bore_a_good_token_is_not_pushed_out(
        self, configured: Configured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_GRACE_SECONDS", 0)
        caller = configured(limits={"connections_per_address": 4, "head_seconds": 60})
        head = (
            b"GET /projects/demo/sync/status?integration=googleDrive&syncType=files HTTP/1.1\r\n"
            b"Host: x\r\nAuthorization: "
            + caller.http.headers["authorization"].encode()
            + b"\r\n\r\n"
        )
        with ExitStack() as opened:
            own = opened.enter_context(closing(connect(caller)))
            for _ in range(3):
                own.sendall(head)
                answer = b""
                while not answer.endswith(b"}"):
                    answer += own.recv(65536) or pytest.fail("pushed out")
                assert answer.startswith(b"HTTP/1.1 200 ")
                for _ in range(10):
                    opened.enter_context(closing(connect(caller)))


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def abort(self) -> None:
        self.closed = True


class TestUnverifiedConnections:
    @pytest.fixture(autouse=True)
    def no_grace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_GRACE_SECONDS", 0)

    def test_many_may_come_at_once_and_none_of_them_may_stay(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_GRACE_SECONDS", 1)
        now = [0.0]
        unverified = UnverifiedConnections(per_address=2, total=6, clock=lambda: now[0])
        early = [Connection() for _ in range(5)]
        for one in early:
            unverified.add(one, "10.0.0.1")
        assert not any(one.closed for one in early)
        now[0] += 1
        for _ in range(5):
            unverified.add(Connection(), "10.0.0.1")
        assert all(one.closed for one in early)

    def test_a_crowd_from_one_address_pushes_out_nobody_else(self) -> None:
        unverified = UnverifiedConnections(per_address=2, total=4)
        other = Connection()
        unverified.add(other, "10.0.0.2")
        for _ in range(20):
            unverified.add(Connection(), "10.0.0.1")
        assert not other.closed

    def test_each_address_has_its_own_limit(self) -> None:
        unverified = UnverifiedConnections(per_address=2, total=100)
        other, *flood = (Connection() for _ in range(5))
        unverified.add(other, "10.0.0.2")
        for one in flood:
            unverified.add(one, "10.0.0.1")
        assert [one.closed for one in flood] == [True, True, False, False]
        assert not other.closed

    def test_there_is_a_limit_for_all_addresses_together(self) -> None:
        unverified = UnverifiedConnections(per_address=2, total=3)
        flood = [Connection() for _ in range(5)]
        for number, one in enumerate(flood):
            unverified.add(one, f"10.0.0.{number}")
        assert [one.closed for one in flood] == [True, True, False, False, False]
        assert len(unverified) == 3

    def test_whoever_brought_a_token_or_left_does_not_count(self) -> None:
        unverified = UnverifiedConnections(per_address=1, total=1)
        first, second = Connection(), Connection()
        unverified.add(first, "10.0.0.1")
        unverified.discard(first)
        unverified.discard(first)
        unverified.add(second, "10.0.0.1")
        assert not first.closed
        assert not second.closed

    def test_the_addresses_of_one_ipv6_network_count_together(self) -> None:
        unverified = UnverifiedConnections(per_address=1, total=100)
        first, second, other = Connection(), Connection(), Connection()
        unverified.add(first, "2001:db8:1:2::1")
        unverified.add(second, "2001:db8:1:2:ffff::9")
        unverified.add(other, "2001:db8:1:3::1")
        assert [one.closed for one in (first, second, other)] == [True, False, False]
        mapped, plain = Connection(), Connection()
        unverified.add(mapped, "::ffff:10.0.0.1")
        unverified.add(plain, "10.0.0.1")
        assert mapped.closed


def test_an_answer_that_nobody_reads_is_given_up(configured: Configured, company: Company) -> None:
    size = 30_000_000
    company.write_file("large.bin", b"x" * size)
    caller = configured(limits={"answer_seconds": 0.3})
    caller.enable(FILES)
    record = caller.records(FILES)["/large.bin"]["id"]
    head = (
        f"GET /projects/demo/sync/records/{record}/content HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {caller.http.headers['authorization']}\r\n\r\n"
    ).encode()
    with closing(connect(caller)) as lazy:
        lazy.sendall(head)
        ended = re.compile(r'managed_sync_requests_total.*/content",status="200"\} 1\.0')
        for _ in range(2000):
            if ended.search(caller.http.get("/metrics").text):
                break
        received = 0
        with suppress(ConnectionError):
            while block := lazy.recv(1 << 20):
                received += len(block)
        assert received < size
    assert caller.get(f"sync/records/{record}/content").content == b"x" * size


class TestFraming:
    def test_a_length_that_is_stated_twice_is_refused(self, configured: Configured) -> None:
        with closing(connect(configured())) as smuggler:
            smuggler.sendall(
                b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            received = b""
            while block := smuggler.recv(65536):
                received += block
        assert received.startswith(b"HTTP/1.1 400 ")
        assert received.count(b"HTTP/1.1 ") == 1


class TestHost:
    @pytest.mark.parametrize("path", ["/healthz/", "/projects/demo/sync/status/", "//healthz", "/"])
    def test_neither_host_nor_forwarded_headers_come_back(
        self, harbor_caller: Caller, path: str
    ) -> None:
        spoofed = {
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "evil",
            "X-Forwarded-For": "evil.example",
            "Forwarded": "host=evil.example",
        }
        for method in ("GET", "HEAD", "POST"):
            response = harbor_caller.http.request(method, path, headers=spoofed)
            assert response.status_code in {404, 405}
            assert "evil" not in response.text + str(response.headers)

    def test_records_do_not_name_the_host_that_was_asked(self, harbor_caller: Caller) -> None:
        parameters = {"params": FILES, "headers": {"Host": "evil.example"}}
        listed = harbor_caller.http.get("/projects/demo/sync/records", **parameters)  # type: ignore[arg-type]
        assert listed.is_success
        assert "evil" not in listed.text

    @pytest.mark.parametrize("host", ["[::", "a b", "x:port", "", "[" * 50])
    def test_a_malformed_host_is_no_failure_of_the_server(
        self, harbor_caller: Caller, host: str
    ) -> None:
        for path in ("/healthz", "/nothing", "/projects/demo/sync/status"):
            response = harbor_caller.http.get(path, params=FILES, headers={"Host": host})
            assert response.status_code < 500


class TestHead:
    def test_head_is_answered_wherever_get_is(self, harbor_caller: Caller) -> None:
        record = harbor_caller.records(FILES)["/handbook.md"]["id"]
        (sync, *_) = harbor_caller.http.get("/api/syncs").json()["data"]
        paths = {
            template: template.format(projectId="demo", recordId=record, syncId=sync["id"])
            for template, operations in harbor_caller.http.get("/openapi.json")
            .json()["paths"]
            .items()
            if "get" in operations
        }
        assert len(paths) > 10
        for path in paths.values():
            got = harbor_caller.http.get(path, params=FILES)
            asked = harbor_caller.http.head(path, params=FILES)
            assert (asked.status_code, asked.content) == (got.status_code, b"")
            for name in ("content-type", "content-length", "etag"):
                if path != "/metrics":
                    assert asked.headers.get(name) == got.headers.get(name), (path, name)

    def test_a_path_without_get_says_what_it_supports(self, harbor_caller: Caller) -> None:
        path = "/projects/demo/sync/enable"
        assert harbor_caller.http.head(path).headers["allow"] == "POST"
        refused = harbor_caller.http.delete("/healthz")
        assert refused.headers["allow"] == "GET, HEAD"

    def test_a_large_content_is_not_read_for_nothing(
        self, caller: Caller, company: Company
    ) -> None:
        company.write_file("large.bin", b"x" * 5_000_000)
        caller.enable(FILES)
        record = caller.records(FILES)["/large.bin"]["id"]
        path = f"/projects/demo/sync/records/{record}/content"
        for _ in range(3):
            asked = caller.http.head(path)
            assert (asked.headers["content-length"], asked.content) == ("5000000", b"")
        part = caller.http.head(path, headers={"Range": "bytes=0-9"})
        assert (part.status_code, part.headers["content-length"]) == (206, "10")


@contextmanager
def writing_sqlite(place: Path) -> Iterator[None]:
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def writing_postgresql(url: str) -> Iterator[None]:
    with psycopg.connect(url) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({database._WRITERS})")
        yield
        other.rollback()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_checks_and_readiness_are_answered_while_writers_wait_and_their_wait_has_a_bound(
    configured: Configured, state: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    settings = {"limits": {"write_seconds": 1.5}}
    if kind == "postgresql":
        url = request.getfixturevalue("postgres")()
        writing = writing_postgresql(url)
        caller = configured(database=url, **settings)
    else:
        writing = writing_sqlite(state / "server.db")
        caller = configured(**settings)
    caller.enable(FILES)
    handbook = caller.object_id(FILES, "/handbook.md")
    caller.http.timeout = httpx.Timeout(30)
    with ThreadPoolExecutor(60) as threads, writing:
        waiting = [threads.submit(caller.post, "sync/enable", FILES) for _ in range(60)]
        # More writers than FastAPI has threads; nobody who reads waits until they are done.
        for _ in range(10):
            assert caller.allowed("maria@harbor.example", handbook)
            assert caller.http.get("/readyz").is_success
        answers = [one.result(timeout=60) for one in waiting]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
    assert caller.enable(FILES)["status"] == "IDLE"


def test_while_postgresql_is_away_answers_say_so_and_afterwards_all_is_well(
    configured: Configured, postgres: NewUrl
) -> None:
    url = postgres()
    name = url.rpartition("/")[2]
    caller = configured(database=url)
    caller.enable(FILES)
    handbook = caller.object_id(FILES, "/handbook.md")
    check = {"subject": "maria@harbor.example", "relation": "viewer", "object": handbook}
    with psycopg.connect(url.replace(name, "postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        answers = [
            caller.post("permissions/check-access", check),
            caller.post("permissions/batch-check-access", {"checks": [check]}),
            caller.get("sync/records", **FILES),
            caller.get("sync/status", **FILES),
            caller.post("sync/enable", FILES),
            caller.http.get("/api/syncs"),
            caller.http.get("/readyz"),
        ]
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert "does not answer" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) > 0
        assert caller.http.get("/healthz").is_success
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert caller.http.get("/readyz").is_success
    assert caller.allowed("maria@harbor.example", handbook)
    assert caller.enable(FILES)["status"] == "IDLE"
