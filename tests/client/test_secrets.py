"""No token and no key in anything that is shown: messages, representations, logs, traces."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import httpx
import pytest

from managed_sync.errors import ManagedSyncError, NotFoundError
from tests.support.clients import ClientOf, Driven

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
SIGNATURE = TOKEN.rpartition(".")[2]


@pytest.fixture(params=["projects", "hosted"])
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


def quoting(status: int) -> Callable[[httpx.Request], httpx.Response]:
    def handler(request: httpx.Request) -> httpx.Response:
        said = request.headers["Authorization"]
        return httpx.Response(
            status, headers={"X-Request-Id": said}, json={"detail": f"no good: {said}"}
        )

    return handler


FAILURES = {
    "refused connection": raising(httpx.ConnectError("refused")),
    "timeout": raising(httpx.ReadTimeout("slow")),
    "header that cannot be sent": raising(
        httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'")
    ),
    "401 that quotes the token": quoting(401),
    "400 that quotes the token": quoting(400),
    "500 that quotes the token": quoting(500),
    "text that quotes the signature": lambda _: httpx.Response(
        403, text="x" * 250 + f" bad signature {SIGNATURE} " + "y" * 300
    ),
    "answer that is no JSON": lambda _: httpx.Response(200, text=f"<p>{TOKEN}</p>"),
}

# Here the token is data that the API sent, which is in variables like all other data.
DATA = {
    "JSON of the wrong shape": lambda _: httpx.Response(200, json={"id": "", "data": TOKEN}),
    "redirect to an address with the token": lambda _: httpx.Response(
        302, headers={"Location": f"http://elsewhere.test/?token={TOKEN}"}
    ),
}

CALLS: dict[str, Callable[[Driven], object]] = {
    "get_record": lambda client: client.get_record("s1/r1"),
    "download_content": lambda client: client.download_content("s1/r1", max_bytes=3),
    "iter_records": lambda client: list(client.iter_records("box", "files")),
    "check_access": lambda client: client.check_access("a@x.example", "viewer", "file:s1/1"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("failure", [*FAILURES.values(), *DATA.values()], ids=[*FAILURES, *DATA])
def test_no_error_shows_the_token(
    client_of: ClientOf,
    caplog: pytest.LogCaptureFixture,
    failure: Callable[[httpx.Request], httpx.Response],
    call: Callable[[Driven], object],
) -> None:
    client = client_of(failure, token=TOKEN, retry_budget=2)

    with (
        caplog.at_level(logging.DEBUG, logger="managed_sync"),
        pytest.raises(ManagedSyncError) as caught,
    ):
        call(client)

    assert SIGNATURE not in str(caught.value)
    assert SIGNATURE not in repr(vars(caught.value))
    assert SIGNATURE not in caplog.text
    if failure in FAILURES.values():
        assert SIGNATURE not in own_frames_of(caught.value)


def own_frames_of(error: BaseException) -> str:
    """Returns the shown frames of this package; the test's own frames hold the token on purpose."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown: list[str] = []
    current: traceback.TracebackException | None = trace
    while current is not None:
        for frame in current.stack:
            if "managed_sync" in frame.filename and "tests" not in frame.filename:
                shown += [f"{name}={value}" for name, value in (frame.locals or {}).items()]
        current = current.__cause__ or current.__context__
    return "\n".join(shown)


def test_no_error_of_httpx_with_its_request_hangs_on_one_of_ours(client_of: ClientOf) -> None:
    client = client_of(raising(httpx.ConnectError("refused")), retry_budget=2)

    with pytest.raises(ManagedSyncError) as caught:
        client.get_record("s1/r1")

    chain: list[BaseException] = []
    error: BaseException | None = caught.value
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__
    assert not [each for each in chain if isinstance(each, httpx.HTTPError)]


def test_no_attribute_of_a_client_shows_the_token(client_of: ClientOf) -> None:
    client = client_of(lambda _: httpx.Response(200), token=TOKEN).client

    shown = [repr(client), repr(vars(client))]
    shown += [repr(vars(value)) for value in vars(client).values() if hasattr(value, "__dict__")]

    assert not [text for text in shown if SIGNATURE in text]


def test_what_stands_in_place_of_a_token_is_not_searched_for_it_again(
    client_of: ClientOf,
) -> None:
    client = client_of(lambda _: httpx.Response(404, text="An open door."), token="o")

    with pytest.raises(NotFoundError) as caught:
        client.get_record("s1/r1")

    assert caught.value.excerpt == "An [token]pen d[token][token]r."
