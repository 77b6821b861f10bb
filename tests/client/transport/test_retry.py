"""Tests which requests are retried, after which wait, and how often."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from managed_sync.backoff import retry_after_seconds
from managed_sync.client.transport.retry import RetryPolicy
from managed_sync.client.wire.request import Request
from managed_sync.errors import (
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    BadRequestError,
    IncompleteResponseError,
    RateLimitError,
    ServerError,
)
from tests.support.clients import TOKEN, ClientOf, Driven

IDLE = {"integration": "box", "syncType": "files", "status": "IDLE"}


class Script:
    """Answers one thing after another; the last one again and again."""

    def __init__(self, *answers: httpx.Response | type[httpx.RequestError]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.Response):
            # A copy: a response can be read only once.
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=answer.content
            )
        raise answer("it failed", request=request)


def status(code: int, **headers: str) -> httpx.Response:
    return httpx.Response(code, headers={k.replace("_", "-"): v for k, v in headers.items()})


def idle() -> httpx.Response:
    return httpx.Response(200, json=IDLE)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING, logger="managed_sync"):
        yield


class TestWhatPasses:
    @pytest.fixture(params=["projects", "hosted"])
    def api(self, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    @pytest.mark.parametrize(
        "failure",
        [
            *[status(code) for code in (408, 425, 429, 500, 502, 503, 504)],
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.ReadTimeout,
            httpx.ReadError,
            httpx.RemoteProtocolError,
            httpx.Response(200, content=b'{"integ', headers={"Content-Type": "application/json"}),
        ],
        ids=lambda failure: str(getattr(failure, "status_code", failure)),
    )
    def test_what_may_pass_by_itself_is_tried_again(
        self, client_of: ClientOf, failure: httpx.Response | type[httpx.RequestError]
    ) -> None:
        script = Script(failure, failure, idle())
        client = client_of(script)

        assert client.get_sync_status("box", "files").status == "IDLE"
        assert len(script.requests) == 3
        assert client.retry_count == 2

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 422, 501, 505])
    def test_what_stays_is_not(self, client_of: ClientOf, code: int) -> None:
        script = Script(status(code))

        with pytest.raises(ApiError):
            client_of(script).get_sync_status("box", "files")

        assert len(script.requests) == 1

    def test_an_answer_of_the_wrong_shape_is_not(self, client_of: ClientOf) -> None:
        script = Script(httpx.Response(200, json={}))

        with pytest.raises(ApiError):
            client_of(script).get_sync_status("box", "files")

        assert len(script.requests) == 1

    def test_access_checks_are_tried_again_and_decide_nothing_meanwhile(
        self, client_of: ClientOf
    ) -> None:
        script = Script(status(503), httpx.Response(200, json={"allowed": False}))

        assert client_of(script).check_access("a@x.example", "viewer", "file:s1/r1") is False


class TestEnabling:
    @pytest.mark.parametrize(
        "failure",
        [
            httpx.ConnectError,
            httpx.ConnectTimeout,
            status(429),
            status(503, Retry_After="1"),
        ],
    )
    def test_it_is_sent_again_where_it_had_no_effect(
        self, client_of: ClientOf, failure: Any
    ) -> None:
        script = Script(failure, idle())

        client_of(script).enable_sync("box", "files")

        assert len(script.requests) == 2

    @pytest.mark.parametrize(
        "failure",
        [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, status(500), status(503)],
    )
    def test_it_is_not_where_it_may_have_had_one(self, client_of: ClientOf, failure: Any) -> None:
        script = Script(failure, idle())

        with pytest.raises(ApiError):
            client_of(script).enable_sync("box", "files")

        assert len(script.requests) == 1


class TestEnablingHosted:
    """A retried ``enable_sync`` must not create a second sync."""

    @staticmethod
    def answering(creation: httpx.Response | type[httpx.RequestError]) -> Script:
        return Script(httpx.Response(200, json={"data": []}), creation, status(500))

    @pytest.mark.parametrize(
        "failure",
        [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, status(500), status(503)],
    )
    def test_it_is_not_created_again_where_it_may_have_been(
        self, client_of: ClientOf, failure: Any
    ) -> None:
        script = self.answering(failure)

        with pytest.raises(ApiError):
            client_of(script, api="hosted").enable_sync("box", "files")

        assert [request.method for request in script.requests] == ["GET", "POST"]

    @pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout, status(429)])
    def test_it_is_where_it_had_no_effect(self, client_of: ClientOf, failure: Any) -> None:
        script = self.answering(failure)

        with pytest.raises(ServerError):
            client_of(script, api="hosted").enable_sync("box", "files")

        assert [request.method for request in script.requests] == ["GET", "POST", "POST"]


class TestTime:
    @pytest.fixture(params=["projects", "hosted"])
    def api(self, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    def test_waits_grow_and_end_with_the_budget(self, client_of: ClientOf) -> None:
        client = client_of(Script(status(503)), retry_budget=60)

        with pytest.raises(ServerError) as caught:
            client.get_sync_status("box", "files")

        waits = client.clock.waits
        assert sum(waits) < 60
        assert 0.25 <= waits[0] <= 0.5 < waits[5] <= 8
        assert len(waits) >= 8
        assert f"{len(waits) + 1} times" in caught.value.__notes__[0]

    def test_no_budget_means_no_retries(self, client_of: ClientOf) -> None:
        script = Script(httpx.ConnectError)

        with pytest.raises(ApiConnectionError):
            client_of(script, retry_budget=0).get_sync_status("box", "files")

        assert len(script.requests) == 1

    def test_the_api_says_when_to_come_back(self, client_of: ClientOf) -> None:
        client = client_of(Script(status(429, Retry_After="17"), idle()))

        client.get_sync_status("box", "files")

        assert client.clock.waits == [17]

    def test_a_date_is_compared_with_the_servers_own_clock(self, client_of: ClientOf) -> None:
        answer = status(
            503,
            Date="Wed, 21 Oct 2015 07:28:00 GMT",
            Retry_After="Wed, 21 Oct 2015 07:28:30 GMT",
        )
        client = client_of(Script(answer, idle()))

        client.get_sync_status("box", "files")

        assert client.clock.waits == [30]

    def test_whoever_is_told_to_come_back_after_the_budget_gives_up_at_once(
        self, client_of: ClientOf
    ) -> None:
        client = client_of(Script(status(429, Retry_After="3600")))

        with pytest.raises(RateLimitError) as caught:
            client.get_sync_status("box", "files")

        assert client.clock.waits == []
        assert caught.value.retry_after == 3600

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            (" 5 ", 5),
            ("-1", None),
            ("soon", None),
            ("", None),
            (None, None),
            ("9" * 400, 999999999),
            ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
            ("Wed, 99 Oct 2015 07:27:00 GMT", None),
        ],
    )
    def test_what_cannot_be_read_is_ignored(self, value: str | None, seconds: float | None) -> None:
        assert retry_after_seconds(value, "Wed, 21 Oct 2015 07:28:00 GMT") == seconds

    def test_jitter_only_shortens_a_wait(self) -> None:
        error = ServerError("", status=500)
        waits = [
            RetryPolicy(jitter=lambda at=at: at).next_wait(  # type: ignore[misc]
                Request("GET", "/"), error, retries=2, spent=0
            )
            for at in (0.0, 0.5, 1.0)
        ]

        assert waits == [2.0, 1.5, 1.0]


class TestWhatIsSeen:
    def test_each_retry_is_a_warning_without_secrets(
        self, client_of: ClientOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        said = httpx.Response(503, text=f"the token {TOKEN} is fine, but I am not")

        client_of(Script(said, httpx.ReadError, idle())).get_sync_status("box", "files")

        messages = [record.getMessage() for record in caplog.records]
        assert [message.split(";")[0] for message in messages] == [
            "GET /projects/p1/sync/status failed (503)",
            "GET /projects/p1/sync/status failed (ApiConnectionError)",
        ]
        assert all(record.levelno == logging.WARNING for record in caplog.records)
        assert TOKEN not in caplog.text

    def test_a_timeout_is_told_from_a_broken_connection_at_the_end(
        self, client_of: ClientOf
    ) -> None:
        with pytest.raises(ApiTimeoutError):
            client_of(Script(httpx.ReadTimeout), retry_budget=1).get_record("r1")

    def test_json_that_breaks_off_is_said_to_be_incomplete(self, client_of: ClientOf) -> None:
        half = httpx.Response(200, content=b"{", headers={"Content-Type": "application/json"})

        with pytest.raises(IncompleteResponseError):
            client_of(Script(half), retry_budget=0).get_record("r1")


def refused(client: Driven) -> ApiError:
    with pytest.raises(BadRequestError) as caught:
        client.get_record("r1")
    return caught.value


def test_an_error_carries_status_request_id_and_excerpt(client_of: ClientOf) -> None:
    answer = httpx.Response(400, headers={"X-Request-Id": "req-7"}, json={"detail": "not so"})

    error = refused(client_of(Script(answer)))

    assert (error.status, error.request_id) == (400, "req-7")
    assert "not so" in error.excerpt
