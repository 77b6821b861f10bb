"""Whatever an API answers: only errors of this package escape, and no decision is made up."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.errors import AccessCheckError, ApiError, ManagedSyncError
from tests.client.operations import OPERATIONS
from tests.support.clients import FakeClock
from tests.support.draws import draws

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()  # NaN and the infinities too, which Python writes though JSON has none
    | st.text(max_size=8)
    | st.sampled_from([10**400, "true", "IDLE", "2019-08-24T14:15:22Z", "file:1", "\ud800", ""])
)
FIELDS = st.sampled_from(
    [
        "results",
        "allowed",
        "records",
        "nextCursor",
        "id",
        "integration",
        "syncType",
        "status",
        "data",
        "permissions",
        "updatedAt",
        "lastSyncedAt",
        "recordCount",
        "subjects",
        "users",
        "objects",
        "object",
        "relation",
        "via",
        "children",
        "granted",
    ]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner),
    max_leaves=15,
)
RIGHT: list[Any] = [
    {"integration": "box", "syncType": "files", "status": "IDLE"},
    {"records": [{"id": "r1", "integration": "box", "syncType": "files"}], "nextCursor": "2"},
    {"id": "r1", "integration": "box", "syncType": "files", "data": {}},
    {"allowed": True},
    {"results": [{"allowed": True}, {"allowed": False}]},
    ["file:1"],
    {"object": "file:1", "relation": "viewer", "children": []},
]


@st.composite
def nearly_right(draw: st.DrawFn) -> Any:
    """An answer of the right shape with something else in one place."""
    value = json.loads(json.dumps(draw(st.sampled_from(RIGHT))))
    if isinstance(value, dict):
        value[draw(st.sampled_from(sorted(value)))] = draw(JSON)
    return value


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    text = json.dumps(draw(st.sampled_from(RIGHT) | nearly_right() | JSON))
    damage = draw(st.sampled_from(["none", "cut", "twice", "after", "keys", "utf-16", "utf-8-sig"]))
    match damage:
        case "cut":
            return text.encode()[: draw(st.integers(0, len(text)))]
        case "twice":
            return (text + text).encode()
        case "after":
            return text.encode() + draw(st.binary(max_size=5))
        case "keys":
            return b'{"allowed": false, "allowed": true, "results": [], "results": ' + (
                text.encode() + b"}"
            )
        case "utf-16" | "utf-8-sig":
            return text.encode(damage)
    return text.encode()


DEEP = [b"[" * 100_000, b'{"children":[' * 50_000, b'{"a":' * 3000 + b"1" + b"}" * 3000]
BODIES = st.one_of(bodies(), bodies(), st.binary(max_size=60), st.sampled_from(DEEP)).flatmap(
    lambda body: st.sampled_from([body, body, body, gzip.compress(body), zlib.compress(body)])
)
VALUES = st.binary(max_size=30).map(lambda value: value.replace(b"\n", b"").replace(b"\r", b""))
HEADERS = st.lists(
    st.one_of(
        st.tuples(
            st.just(b"content-type"),
            st.sampled_from(
                [
                    b"application/json",
                    b"application/json; charset=utf-16",
                    b"application/json; charset=no-such",
                    b"text/html",
                    b"multipart/form-data; boundary=\xff",
                    b";;;=",
                    b"",
                ]
            )
            | VALUES,
        ),
        st.tuples(
            st.just(b"content-encoding"),
            st.sampled_from(
                [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x", b"identity"]
            ),
        ),
        st.tuples(
            st.just(b"content-length"),
            st.sampled_from([b"0", b"1", b"-1", b"9" * 40, b"x", b"\xb2"]),
        ),
        st.tuples(
            st.just(b"set-cookie"), st.sampled_from([b"a=b; expires=never", b"=;=;;"]) | VALUES
        ),
        st.tuples(
            st.just(b"location"),
            st.sampled_from(
                [b"/elsewhere", b"http://[", b"https://other.test/x", b"//", b"http://a:99999/"]
            )
            | VALUES,
        ),
        st.tuples(
            st.just(b"retry-after"),
            st.sampled_from([b"1", b"9" * 300, b"Wed, 99 Oct 2015 07:28:00 GMT", b"\xb2"]) | VALUES,
        ),
        st.tuples(st.just(b"date"), VALUES),
        st.tuples(
            st.just(b"content-disposition"),
            VALUES.map(lambda value: b"attachment; filename*=" + value)
            | st.sampled_from([b"attachment; filename*=no-such''%ff", b"a; filename*0*=x''\xff"]),
        ),
        st.tuples(st.just(b"x-request-id"), VALUES | st.just(b"r" * 60_000)),
    ),
    max_size=5,
)
STATUSES = st.sampled_from(
    [200] * 8
    + [201, 204, 206, 299, 301, 302, 304, 307, 400, 401, 404, 408, 413, 422, 429, 500, 503, 599]
)
ANSWERS: st.SearchStrategy[Answer] = st.tuples(STATUSES, HEADERS, BODIES)


class Wire(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in small parts, as a connection would bring it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        size = max(1, len(self.body) // 3)
        for start in range(0, len(self.body), size):
            yield self.body[start : start + size]

    async def __aiter__(self) -> Any:
        for part in self:
            yield part


def answering(answer: Answer) -> httpx.MockTransport:
    status, headers, body = answer
    return httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, stream=Wire(body)))


def streamed(client: Any) -> Any:
    with client.stream_content("r1", max_bytes=1000) as content:
        return b"".join(content)


def waited(client: Any) -> Any:
    return client.wait_until_idle("box", "files", timeout=1)


async def astreamed(client: Any) -> Any:
    async with client.stream_content("r1", max_bytes=1000) as content:
        return b"".join([part async for part in content])


async def alisted(client: Any) -> Any:
    return [record async for record in client.iter_records("box", "files")]


CALLS: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    *((call, call) for call in OPERATIONS),
    (lambda client: list(client.iter_records("box", "files")), alisted),
    (streamed, astreamed),
    (waited, waited),
]
RUNNER = asyncio.Runner()


def outcomes(answer: Answer, number: int, retry_budget: float) -> list[Any]:
    """Returns the results of a call with both clients, without those that raise our errors."""
    call, acall = CALLS[number]
    results: list[Any] = []

    async def ask(client: AsyncManagedSyncClient) -> Any:
        async with client:
            return await acall(client)

    arguments: dict[str, Any] = {"clock": FakeClock(), "retry_budget": retry_budget}
    transport = answering(answer)
    with suppress(ManagedSyncError):
        results.append(call(ManagedSyncClient("p1", "t", transport=transport, **arguments)))
    with suppress(ManagedSyncError):
        client = AsyncManagedSyncClient("p1", "t", transport=transport, **arguments)
        results.append(RUNNER.run(ask(client)))
    return results


@pytest.mark.parametrize("number", range(len(CALLS)))
@settings(max_examples=draws(8), deadline=None)
@given(answer=ANSWERS, retry_budget=st.sampled_from([0, 2]))
@example(answer=(200, [(b"content-encoding", b"gzip")], b"no gzip"), retry_budget=0)
@example(answer=(200, [(b"content-encoding", b"gzip")], gzip.compress(b"{}")[:-3]), retry_budget=0)
@example(answer=(200, [(b"content-type", b"application/json")], DEEP[0]), retry_budget=0)
@example(answer=(200, [], b'{"id": ' + b"9" * 10_000 + b"}"), retry_budget=0)
@example(answer=(200, [], '{"id": "\ud800"}'.encode("utf-8", "surrogatepass")), retry_budget=0)
@example(answer=(200, [], b'{"allowed": NaN}'), retry_budget=0)
@example(
    answer=(200, [(b"content-disposition", b"a; filename*=x; filename*0*=y")], b""), retry_budget=0
)
@example(answer=(301, [(b"set-cookie", b"\x80"), (b"location", b"//")], b""), retry_budget=0)
def test_only_errors_of_this_package_escape_and_both_clients_say_the_same(
    number: int, answer: Answer, retry_budget: float
) -> None:
    results = outcomes(answer, number, retry_budget)

    assert len(results) in {0, 2}
    if results:
        assert repr(results[0]) == repr(results[1])


@pytest.mark.parametrize("number", [OPERATIONS.index(call) for call in OPERATIONS[5:7]])
@settings(max_examples=draws(33), deadline=None)
@given(answer=ANSWERS)
def test_a_decision_is_what_the_answer_says_or_none(number: int, answer: Answer) -> None:
    status, headers, body = answer
    for decided in outcomes(answer, number, retry_budget=0):
        said = json.loads(read_as_httpx_does(status, headers, body))
        assert 200 <= status < 300
        if isinstance(decided, bool):
            assert decided is said["allowed"]
        else:
            assert decided == [each["allowed"] for each in said["results"]]
            assert all(type(each) is bool for each in decided)
            assert len(decided) == 4


def read_as_httpx_does(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    return httpx.Response(status, headers=headers, stream=Wire(body)).read()


# What no library for HTTP would write: bytes for a socket.
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
RAW = {
    "nothing": b"",
    "no status line": b"hello\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 OK 200\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n{}",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{}",
    "a header that never ends": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "fewer bytes than announced": HEAD + b'Content-Length: 90\r\n\r\n{"allowed": true}',
    "a chunk size that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk that is too long": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}{}{}\r\n0\r\n\r\n",
    "chunks without an end": HEAD
    + b'Transfer-Encoding: chunked\r\n\r\n11\r\n{"allowed": true}\r\n',
    "false gzip": HEAD
    + b"Content-Encoding: gzip\r\nContent-Length: 17\r\n\r\n"
    + b'{"allowed": true}',
    "an endless row of 1xx": b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
}


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Reads a request, writes these bytes, and hangs up; again for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.recv(65_536)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)
                        connection.recv(65_536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            # Closing alone does not wake a thread that accepts.
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize("answer", RAW.values(), ids=RAW)
def test_bytes_that_are_no_http_are_errors_of_this_package(answer: bytes) -> None:
    checks = [AccessCheck(subject="a", relation="viewer", object="file:1")]
    arguments: dict[str, Any] = {"retry_budget": 0, "timeout": 5}

    async def ask(url: str) -> None:
        async with AsyncManagedSyncClient("p1", "t", base_url=url, **arguments) as client:
            for call in [*OPERATIONS, alisted, astreamed]:
                with pytest.raises((ApiError, AccessCheckError)):
                    await call(client)
            with pytest.raises(AccessCheckError):
                await client.batch_check_access(checks)

    with raw_server(answer) as url:
        with ManagedSyncClient("p1", "t", base_url=url, **arguments) as client:
            for call in [*OPERATIONS, CALLS[len(OPERATIONS)][0], streamed]:
                with pytest.raises((ApiError, AccessCheckError)):
                    call(client)
            with pytest.raises(AccessCheckError):
                client.batch_check_access(checks)
        asyncio.run(ask(url))
