"""Content as a stream: how much is read, when it is whole, and where it may come from."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from managed_sync.errors import (
    ApiConnectionError,
    ApiStatusError,
    ApiTimeoutError,
    ConfigurationError,
    ContentTooLargeError,
    IncompleteResponseError,
    NotFoundError,
    ResponseFormatError,
)
from tests.support.clients import TOKEN, ClientOf, Driven, FakeClock

OWN = "/base/projects/p1/sync/records/r1/content"


@pytest.fixture(params=["projects", "hosted"])
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Parts, then perhaps an error; remembers what was read, and that it was closed."""

    def __init__(self, *parts: bytes, error: type[httpx.TransportError] | None = None) -> None:
        self.parts = parts
        self.error = error
        self.read = 0
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self.read += 1
            yield part
        if self.error is not None:
            raise self.error("broke off")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


def streaming(client_of: ClientOf, *bodies: Body, **headers: str) -> Driven:
    remaining = list(bodies)

    def handler(_: httpx.Request) -> httpx.Response:
        body = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(200, headers=named, stream=body)

    return client_of(handler)


class TestStreaming:
    def test_parts_come_as_they_arrive_with_type_name_and_size(self, client_of: ClientOf) -> None:
        body = Body(b"ab", b"cd", b"ef")
        client = streaming(
            client_of,
            body,
            Content_Length="6",
            Content_Type="text/plain; charset=utf-8",
            Content_Disposition='attachment; filename="a.txt"',
        )

        with client.stream_content("s1/r1") as content:
            assert (content.content_type, content.filename, content.size) == (
                "text/plain",
                "a.txt",
                6,
            )
            parts = iter(content)
            assert next(parts) == b"ab"
            assert body.read == 1
            assert list(parts) == [b"cd", b"ef"]

        assert body.is_closed

    def test_it_is_closed_when_the_caller_stops_early(self, client_of: ClientOf) -> None:
        body = Body(b"ab", b"cd")

        with streaming(client_of, body).stream_content("s1/r1") as content:
            next(iter(content))

        assert body.is_closed
        assert body.read == 1

    def test_opening_is_tried_again_like_any_request(self, client_of: ClientOf) -> None:
        statuses = iter([503, 429, 200])
        client = client_of(lambda _: httpx.Response(next(statuses), content=b"whole"))

        with client.stream_content("s1/r1") as content:
            assert b"".join(content) == b"whole"
        assert client.retry_count == 2

    @pytest.mark.parametrize(
        ("error", "raised"),
        [(httpx.ReadError, ApiConnectionError), (httpx.ReadTimeout, ApiTimeoutError)],
    )
    def test_what_breaks_off_after_parts_were_handed_out_raises(
        self, client_of: ClientOf, error: type[httpx.TransportError], raised: type[Exception]
    ) -> None:
        client = streaming(client_of, Body(b"ab", error=error))

        with client.stream_content("s1/r1") as content, pytest.raises(raised):
            list(content)

        assert client.retry_count == 0

    def test_a_body_shorter_than_its_length_is_not_taken_for_whole(
        self, client_of: ClientOf
    ) -> None:
        client = streaming(client_of, Body(b"ab"), Content_Length="3")

        with (
            client.stream_content("s1/r1") as content,
            pytest.raises(IncompleteResponseError, match="2 of 3 bytes"),
        ):
            list(content)


class TestTheLimit:
    def test_an_announced_size_over_the_limit_is_refused_unread(self, client_of: ClientOf) -> None:
        body = Body(b"x" * 11)
        client = streaming(client_of, body, Content_Length="11", X_Request_Id="r-7")

        with (
            pytest.raises(ContentTooLargeError, match="10 bytes") as caught,
            client.stream_content("s1/r1", max_bytes=10),
        ):
            pass

        assert (caught.value.status, caught.value.request_id) == (200, "r-7")
        assert body.read == 0
        assert body.is_closed

    @pytest.mark.parametrize(
        "length", [{}, {"Content_Length": "11", "Transfer_Encoding": "chunked"}]
    )
    def test_an_unannounced_one_is_refused_at_the_limit(
        self, client_of: ClientOf, length: dict[str, str]
    ) -> None:
        body = Body(*[b"x"] * 1000)
        client = streaming(client_of, body, **length)

        with pytest.raises(ContentTooLargeError):
            client.download_content("s1/r1", max_bytes=10)

        assert body.read == 11
        assert body.is_closed
        assert client.retry_count == 0

    def test_it_counts_the_bytes_after_decompression(self, client_of: ClientOf) -> None:
        packed = gzip.compress(b"0" * 1_000_000)
        client = streaming(
            client_of, Body(packed), Content_Encoding="gzip", Content_Length=str(len(packed))
        )

        with pytest.raises(ContentTooLargeError):
            client.download_content("s1/r1", max_bytes=10_000)

    def test_exactly_the_limit_is_read(self, client_of: ClientOf) -> None:
        assert streaming(client_of, Body(b"0123")).download_content("s1/r1", max_bytes=4).data

    @pytest.mark.parametrize("limit", [-1, True, 1.5])
    def test_a_limit_that_makes_no_sense_is_refused(self, client_of: ClientOf, limit: Any) -> None:
        with pytest.raises(ConfigurationError, match="max_bytes"):
            streaming(client_of, Body()).download_content("s1/r1", max_bytes=limit)


class TestDownloading:
    @pytest.mark.parametrize(
        "broken", [Body(b"01"), Body(b"0", error=httpx.RemoteProtocolError)], ids=["short", "cut"]
    )
    def test_a_body_that_broke_off_is_read_again_from_the_start(
        self, client_of: ClientOf, broken: Body
    ) -> None:
        client = streaming(client_of, broken, Body(b"01", b"23"), Content_Length="4")

        assert client.download_content("s1/r1").data == b"0123"
        assert client.retry_count == 1
        assert broken.is_closed

    def test_compressed_content_is_compared_with_its_compressed_length(
        self, client_of: ClientOf
    ) -> None:
        packed = gzip.compress(b"hello" * 100)
        client = streaming(
            client_of, Body(packed), Content_Encoding="gzip", Content_Length=str(len(packed))
        )

        assert client.download_content("s1/r1").data == b"hello" * 100

    def test_only_the_start_of_an_error_is_read(self, client_of: ClientOf) -> None:
        body = Body(*[b"gone " * 1000] * 1000)
        client = client_of(lambda _: httpx.Response(404, stream=body))

        with pytest.raises(NotFoundError, match="gone gone"):
            client.download_content("s1/r1")

        assert body.read < 20
        assert body.is_closed


class Storage:
    """An API that keeps its content elsewhere."""

    def __init__(self, *locations: str) -> None:
        self.locations = list(locations)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.locations:
            return httpx.Response(302, headers={"Location": self.locations.pop(0)})
        return httpx.Response(200, content=b"content")

    @property
    def tokens(self) -> list[tuple[str, bool]]:
        return [(each.url.host, "Authorization" in each.headers) for each in self.requests]


@pytest.mark.parametrize("encoding", ["undefined", "idna", "punycode", "base64", "no-such"])
def test_a_name_in_an_encoding_that_decodes_nothing_leaves_the_content_alone(
    client_of: ClientOf, encoding: str
) -> None:
    named = f"attachment; filename*={encoding}''a%FF"
    client = streaming(client_of, Body(b"content"), Content_Disposition=named)

    assert client.download_content("s1/r1").data == b"content"


def test_a_part_of_the_content_that_nobody_asked_for_is_not_taken_for_all_of_it(
    client_of: ClientOf,
) -> None:
    client = client_of(
        lambda _: httpx.Response(206, content=b"The con", headers={"Content-Range": "bytes 0-6/90"})
    )

    with pytest.raises(IncompleteResponseError, match="206"):
        client.download_content("s1/r1")


class Dripping(Body):
    """Parts that take their time."""

    def __init__(self, clock: FakeClock, seconds: float, *parts: bytes) -> None:
        super().__init__(*parts)
        self.clock = clock
        self.seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        for part in super().__iter__():
            self.clock.now += self.seconds
            yield part


def test_content_that_comes_drop_by_drop_is_given_up(client_of: ClientOf) -> None:
    body = Dripping(client_of.clock, 25, *[b"a"] * 1000)

    with pytest.raises(ApiTimeoutError, match="too slowly") as caught:
        streaming(client_of, body).download_content("s1/r1")

    assert body.read == 13
    assert caught.value.is_of_one_record


def test_large_content_may_take_long(client_of: ClientOf) -> None:
    body = Dripping(client_of.clock, 25, *[b"a" * 50_000] * 100)

    assert len(streaming(client_of, body).download_content("s1/r1").data) == 5_000_000


def test_a_caller_may_read_a_stream_slowly(client_of: ClientOf) -> None:
    with streaming(client_of, Body(*[b"a"] * 20)).stream_content("s1/r1") as content:
        for _ in content:
            client_of.clock.now += 100


class TestOfOneRecord:
    """Errors say whether other records are concerned."""

    @pytest.mark.parametrize("status", [401, 403, 429, 500])
    def test_what_the_host_of_the_content_answers(self, client_of: ClientOf, status: int) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.host == "api.test":
                return httpx.Response(302, headers={"Location": "https://files.test/r1"})
            return httpx.Response(status)

        with pytest.raises(ApiStatusError) as caught:
            client_of(handler, retry_budget=0).download_content("s1/r1")

        assert caught.value.is_of_one_record

    def test_a_host_of_content_that_is_dead_is_given_up_soon(self, client_of: ClientOf) -> None:
        requests = []

        def handler(request: httpx.Request) -> httpx.Response:
            requests.append(request.url.host)
            if request.url.host == "api.test":
                return httpx.Response(302, headers={"Location": "https://dead.test/r1"})
            raise httpx.ConnectError("name or service not known")

        with pytest.raises(ApiConnectionError, match="host to which the API sends") as caught:
            client_of(handler, retry_budget=600).download_content("s1/r1")

        assert caught.value.is_of_one_record
        assert requests.count("dead.test") == 5

    def test_content_that_breaks_off(self, client_of: ClientOf) -> None:
        client = streaming(client_of, Body(b"ab", error=httpx.ReadError))

        with pytest.raises(ApiConnectionError) as caught:
            client.download_content("s1/r1")

        assert caught.value.is_of_one_record

    @pytest.mark.parametrize("status", [401, 429])
    def test_what_the_api_itself_answers_concerns_all(
        self, client_of: ClientOf, status: int
    ) -> None:
        with pytest.raises(ApiStatusError) as caught:
            client_of.answering(status, retry_budget=0).download_content("s1/r1")

        assert not caught.value.is_of_one_record


class TestRedirects:
    def test_to_https_they_are_followed_without_the_token(self, client_of: ClientOf) -> None:
        storage = Storage("https://files.test/r1?signature=s")

        assert client_of(storage).download_content("s1/r1").data == b"content"
        assert storage.tokens == [("api.test", True), ("files.test", False)]
        assert TOKEN not in repr(storage.requests[1].headers.raw)

    def test_on_the_same_host_they_are_followed_with_it(self, client_of: ClientOf) -> None:
        storage = Storage("/other/path", "http://api.test/third")

        client_of(storage).download_content("s1/r1")

        assert storage.tokens == [("api.test", True)] * 3

    def test_another_port_of_the_same_host_does_not_get_it(self, client_of: ClientOf) -> None:
        storage = Storage("http://api.test:8081/r1")

        client_of(storage).download_content("s1/r1")

        assert storage.tokens == [("api.test", True), ("api.test", False)]

    def test_another_host_cannot_send_the_token_back(self, client_of: ClientOf) -> None:
        storage = Storage("https://files.test/r1", "http://api.test/base/projects/p1/other")

        client_of(storage).download_content("s1/r1")

        assert storage.tokens == [
            ("api.test", True),
            ("files.test", False),
            ("api.test", False),
        ]

    def test_headers_and_cookies_of_the_callers_own_client_do_not_leave_the_host(
        self, client_of: ClientOf
    ) -> None:
        storage = Storage("https://files.test/r1")
        kind = httpx.AsyncClient if client_of.is_asynchronous else httpx.Client
        http = kind(
            transport=httpx.MockTransport(storage),
            headers={"X-Api-Key": "k"},
            cookies={"session": "c"},
        )

        client_of(storage, http_client=http, transport=None).download_content("s1/r1")

        assert storage.requests[0].headers["X-Api-Key"] == "k"
        assert not {"x-api-key", "cookie"} & set(storage.requests[1].headers)

    @pytest.mark.parametrize(
        "location",
        [
            "http://files.test/r1",
            "ftp://files.test/r1",
            "file:///etc/passwd",
            "https://",
            "https://[zz]/r1",
            "https://files.test:99999/r1",
            "https://files.test/\tr1",
            "http://[",
            "",
        ],
    )
    def test_elsewhere_they_are_refused(self, client_of: ClientOf, location: str) -> None:
        storage = Storage(location)

        with pytest.raises(ResponseFormatError, match="redirect"):
            client_of(storage).download_content("s1/r1")

        assert len(storage.requests) == 1

    def test_from_https_to_http_they_are_refused_on_the_same_host_too(
        self, client_of: ClientOf
    ) -> None:
        storage = Storage("http://api.test/r1")

        with pytest.raises(ResponseFormatError, match="not followed"):
            client_of(storage, base_url="https://api.test").download_content("s1/r1")

    def test_a_circle_ends(self, client_of: ClientOf) -> None:
        storage = Storage(*["https://files.test/r1"] * 100)

        with pytest.raises(ResponseFormatError, match="more than 5 times"):
            client_of(storage).download_content("s1/r1")

    def test_the_address_of_a_file_is_in_no_message(self, client_of: ClientOf) -> None:
        storage = Storage("http://files.test/r1?signature=s3cret")

        with pytest.raises(ResponseFormatError) as caught:
            client_of(storage).download_content("s1/r1")

        assert "s3cret" not in str(caught.value)
