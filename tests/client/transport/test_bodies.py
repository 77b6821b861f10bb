"""An answer that is too large, endless, or larger than it looks ends in one clear error."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

from managed_sync.client.transport.bodies import Body, Decoder
from managed_sync.client.wire.request import Request
from managed_sync.errors import (
    ApiTimeoutError,
    ConfigurationError,
    ContentTooLargeError,
    IncompleteResponseError,
    ResponseFormatError,
)
from tests.client.raw_server import Connection, RawServer, json_answer
from tests.support.clients import ClientOf

LIMIT = 1_000_000
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
OBJECTS = json.dumps({"objects": ["file:1"]}).encode()


def listed(client_of: ClientOf, answer: bytes, **arguments: Any) -> list[str]:
    """Returns a client's result for a response to ``list_objects`` from a real server."""

    def serve(server: RawServer, connection: Connection) -> None:
        while server.take(connection):
            connection.send(answer)

    with RawServer(serve).running() as url:
        client = client_of(
            lambda _: httpx.Response(500), base_url=url, transport=None, retry_budget=0, **arguments
        )
        names: list[str] = client.list_objects("a@x.example", "viewer")
        return names


def test_a_large_answer_is_read_up_to_the_limit(client_of: ClientOf) -> None:
    names = [f"file:{number}" for number in range(10_000)]
    body = json.dumps({"objects": names}).encode()

    assert listed(client_of, json_answer(body)) == names
    assert listed(client_of, json_answer(body), max_answer_bytes=len(body)) == names
    with pytest.raises(ResponseFormatError, match=r"more than .* bytes.*max_answer_bytes"):
        listed(client_of, json_answer(body), max_answer_bytes=len(body) - 1)


def test_an_endless_answer_ends_at_the_limit(client_of: ClientOf) -> None:
    def serve(server: RawServer, connection: Connection) -> None:
        server.take(connection)
        block = b'1000\r\n"' + b"a" * 4095 + b"\r\n"
        connection.send(CHUNKED)
        while connection.send(block):
            pass

    with RawServer(serve).running() as url:
        client = client_of(
            lambda _: httpx.Response(500), base_url=url, transport=None, max_answer_bytes=LIMIT
        )
        with pytest.raises(ResponseFormatError, match="more than 1,000,000 bytes"):
            client.check_access("a@x.example", "viewer", "file:1")
        assert client.retry_count == 0, "it would end in the same way"


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_compressed_bomb_ends_at_the_limit(client_of: ClientOf, encoding: bytes) -> None:
    pack = gzip.compress if encoding == b"gzip" else zlib.compress
    bomb = pack(b" " * 50_000_000)
    answer = json_answer(bomb, b"Content-Encoding: " + encoding)

    with pytest.raises(ResponseFormatError, match="more than 1,000,000 bytes"):
        listed(client_of, answer, max_answer_bytes=LIMIT)


def test_of_a_bomb_no_more_than_the_limit_is_unpacked() -> None:
    decoder = Decoder(Request("GET", "/x"), "gzip")

    assert len(decoder.decode(gzip.compress(b"0" * 50_000_000), 100)) == 101


def test_content_that_is_a_bomb_ends_at_its_limit(client_of: ClientOf) -> None:
    bomb = json_answer(gzip.compress(b"0" * 50_000_000), b"Content-Encoding: gzip")

    def serve(server: RawServer, connection: Connection) -> None:
        server.take(connection)
        connection.send(bomb)

    with RawServer(serve).running() as url:
        client = client_of(lambda _: httpx.Response(500), base_url=url, transport=None)
        with pytest.raises(ContentTooLargeError, match="the limit of 1,000 bytes"):
            client.download_content("r1", max_bytes=1_000)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", gzip.compress(OBJECTS)),
        (b"x-gzip", gzip.compress(OBJECTS)),
        (b"deflate", zlib.compress(OBJECTS)),
        (b"deflate", zlib.compress(OBJECTS, wbits=-15)),
        (b"identity", OBJECTS),
    ],
    ids=["gzip", "x-gzip", "deflate", "deflate-without-header", "identity"],
)
def test_encodings_that_were_asked_for_are_undone(
    client_of: ClientOf, encoding: bytes, packed: bytes
) -> None:
    answer = json_answer(packed, b"Content-Encoding: " + encoding)

    assert listed(client_of, answer) == ["file:1"]


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"other"])
def test_an_encoding_that_nobody_asked_for_is_refused(client_of: ClientOf, encoding: bytes) -> None:
    with pytest.raises(ResponseFormatError, match="one of those that the request accepts"):
        listed(client_of, json_answer(OBJECTS, b"Content-Encoding: " + encoding))


def test_a_packed_body_that_breaks_off_is_not_whole(client_of: ClientOf) -> None:
    packed = gzip.compress(OBJECTS)[:-4]

    with pytest.raises(IncompleteResponseError, match="breaks off"):
        listed(client_of, json_answer(packed, b"Content-Encoding: gzip"))


def test_an_answer_that_comes_drop_by_drop_ends_in_time() -> None:
    request = Request("GET", "/x")
    body = Body(request, None, max_bytes=LIMIT, began=0.0)
    body.take(b"[", now=299.0)

    with pytest.raises(ApiTimeoutError, match="within 300 s"):
        body.take(b"1", now=301.0)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_a_limit_that_makes_no_sense_is_refused(client_of: ClientOf, limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_answer_bytes"):
        client_of.answering().client.__class__("p1", "t", max_answer_bytes=limit)
