"""The client against answers of every kind, the wrong ones above all."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.errors import (
    AccessCheckError,
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContentTooLargeError,
    ForbiddenError,
    InvalidIdentifierError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)
from tests.support.clients import ClientOf


def status_body(state: str, **more: Any) -> dict[str, Any]:
    return {"integration": "box", "syncType": "files", "status": state, **more}


class TestRequests:
    def test_the_token_and_the_project_travel_with_every_request(self, client_of: ClientOf) -> None:
        seen: list[httpx.Request] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200, json=status_body("IDLE"))

        client_of(handler).get_sync_status("box", "files")

        assert str(seen[0].url) == (
            "http://api.test/base/projects/p1/sync/status?integration=box&syncType=files"
        )
        assert seen[0].headers["Authorization"] == "Bearer secret-token-1"

    def test_a_record_id_is_one_segment_of_the_path_whatever_it_holds(
        self, client_of: ClientOf
    ) -> None:
        seen: list[bytes] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request.url.raw_path)
            return httpx.Response(404)

        with pytest.raises(NotFoundError):
            client_of(handler).get_record("../../other?x=ä/b")

        assert seen == [b"/base/projects/p1/sync/records/..%2F..%2Fother%3Fx%3D%C3%A4%2Fb"]

    @pytest.mark.parametrize("record_id", ["", ".", ".."])
    def test_a_record_id_that_would_name_another_path_is_refused(
        self, client_of: ClientOf, record_id: str
    ) -> None:
        with pytest.raises(InvalidIdentifierError):
            client_of.answering().get_record(record_id)

    def test_enabling_sends_the_frequency_only_when_there_is_one(self, client_of: ClientOf) -> None:
        bodies: list[Any] = []

        def handler(request: httpx.Request) -> httpx.Response:
            bodies.append(json.loads(request.content))
            return httpx.Response(201, json=status_body("SYNCING"))

        client = client_of(handler)
        client.enable_sync("box", "files")
        client.enable_sync("box", "files", "15m")

        assert bodies == [
            {"integration": "box", "syncType": "files"},
            {"integration": "box", "syncType": "files", "frequency": "15m"},
        ]


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (302, ResponseFormatError),
            (400, BadRequestError),
            (401, AuthenticationError),
            (403, ForbiddenError),
            (404, NotFoundError),
            (409, BadRequestError),
            (413, BadRequestError),
            (429, RateLimitError),
            (500, ServerError),
            (503, ServerError),
        ],
    )
    def test_each_status_has_its_error_with_what_the_server_said(
        self, client_of: ClientOf, status: int, error: type[ApiError]
    ) -> None:
        client = client_of.answering(status, json={"title": "No", "detail": "the reason"})

        with pytest.raises(error, match=str(status)) as caught:
            client.get_sync_status("box", "files")

        assert status == 302 or "the reason" in str(caught.value)
        assert "secret-token-1" not in str(caught.value)

    def test_an_html_answer_says_to_check_the_base_url(self, client_of: ClientOf) -> None:
        with pytest.raises(ResponseFormatError, match="base URL"):
            client_of.answering(text="<html>Welcome</html>").get_sync_status("box", "files")

    def test_a_wrong_field_is_named_without_its_value(self, client_of: ClientOf) -> None:
        client = client_of.answering(json=status_body("IDLE", recordCount="many-secrets"))

        with pytest.raises(ResponseFormatError, match="recordCount") as caught:
            client.get_sync_status("box", "files")

        assert "many-secrets" not in str(caught.value)

    def test_a_timeout_and_a_refused_connection_are_told_apart(self, client_of: ClientOf) -> None:
        def stall(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("slow", request=request)

        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        with pytest.raises(ApiTimeoutError, match="in time"):
            client_of(stall).get_record("r1")
        with pytest.raises(ApiConnectionError, match="MANAGED_SYNC_BASE_URL"):
            client_of(refuse).get_record("r1")


class TestListing:
    def test_pages_are_followed_until_there_is_no_cursor(self, client_of: ClientOf) -> None:
        pages = {
            None: {"records": [record("a"), record("b")], "nextCursor": "2"},
            "2": {"records": [record("x")], "nextCursor": "3"},
            "3": {"records": [record("c")], "nextCursor": ""},
        }
        client = client_of(
            lambda request: httpx.Response(200, json=pages[request.url.params.get("cursor")])
        )

        assert [found.id for found in client.iter_records("box", "files")] == [*"abxc"]

    def test_cursors_in_a_circle_are_an_error_and_not_an_endless_loop(
        self, client_of: ClientOf
    ) -> None:
        client = client_of.answering(json={"records": [record("a")], "nextCursor": "again"})

        with pytest.raises(ResponseFormatError, match="does not end"):
            list(client.iter_records("box", "files"))

    def test_a_page_without_records_is_not_taken_for_an_empty_one(
        self, client_of: ClientOf
    ) -> None:
        with pytest.raises(ResponseFormatError, match="records"):
            list(client_of.answering(json={"nextCursor": None}).iter_records("box", "files"))


class TestContent:
    def test_bytes_come_with_their_type_and_name(self, client_of: ClientOf) -> None:
        client = client_of.answering(
            content=b"%PDF",
            headers={
                "Content-Type": "application/pdf; charset=binary",
                "Content-Disposition": "attachment; filename=\"x\"; filename*=UTF-8''%C3%BC.pdf",
            },
        )

        content = client.download_content("r1")

        assert (content.data, content.content_type) == (b"%PDF", "application/pdf")
        assert content.filename == "ü.pdf"

    def test_a_file_over_the_limit_is_refused(self, client_of: ClientOf) -> None:
        with pytest.raises(ContentTooLargeError, match="1,000"):
            client_of.answering(content=b"x" * 1001).download_content("r1", max_bytes=1000)

    def test_an_error_status_is_an_error_and_not_content(self, client_of: ClientOf) -> None:
        with pytest.raises(NotFoundError, match="gone"):
            client_of.answering(404, json={"detail": "gone"}).download_content("r1")


class TestAccessChecks:
    def checks(self, count: int) -> list[AccessCheck]:
        return [
            AccessCheck(subject="a@x.example", relation="viewer", object=f"file:{number}")
            for number in range(count)
        ]

    def test_any_number_of_checks_is_split_and_answered_in_order(self, client_of: ClientOf) -> None:
        sizes: list[int] = []

        def handler(request: httpx.Request) -> httpx.Response:
            asked = json.loads(request.content)["checks"]
            sizes.append(len(asked))
            even = [int(check["object"].removeprefix("file:")) % 2 == 0 for check in asked]
            return httpx.Response(200, json={"results": [{"allowed": yes} for yes in even]})

        decisions = client_of(handler).batch_check_access(self.checks(250))

        assert sorted(sizes) == [50, 100, 100]
        assert decisions == [number % 2 == 0 for number in range(250)]

    @pytest.mark.parametrize(
        "results",
        [
            [],
            [{"allowed": True}],
            [{"allowed": True}] * 3,
            [{"allowed": True}, {}],
            [{"allowed": True}, {"allowed": None}],
            [{"allowed": True}, {"allowed": "true"}],
            [{"allowed": True}, {"allowed": "false"}],
            [{"allowed": True}, {"allowed": 1}],
            [True, True],
            None,
            {"0": {"allowed": True}, "1": {"allowed": True}},
        ],
    )
    def test_an_answer_that_is_not_one_boolean_a_check_decides_nothing(
        self, client_of: ClientOf, results: Any
    ) -> None:
        with pytest.raises(AccessCheckError) as caught:
            client_of.answering(json={"results": results}).batch_check_access(self.checks(2))

        assert caught.value.undecided == ("file:0", "file:1")

    def test_one_request_that_fails_leaves_no_decision_of_the_others(
        self, client_of: ClientOf
    ) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            asked = json.loads(request.content)["checks"]
            if asked[0]["object"] == "file:100":
                return httpx.Response(503)
            return httpx.Response(200, json={"results": [{"allowed": True}] * len(asked)})

        with pytest.raises(AccessCheckError, match="50 access checks") as caught:
            client_of(handler).batch_check_access(self.checks(150))

        assert caught.value.undecided == tuple(f"file:{n}" for n in range(100, 150))

    @pytest.mark.parametrize("allowed", ["true", 1, None])
    def test_a_single_check_takes_nothing_but_a_boolean(
        self, client_of: ClientOf, allowed: Any
    ) -> None:
        with pytest.raises(ResponseFormatError):
            client_of.answering(json={"allowed": allowed}).check_access(
                "a@x.example", "viewer", "file:1"
            )


class TestLists:
    @pytest.mark.parametrize(
        "body",
        [
            ["file:1", "file:2"],
            {"objects": ["file:1", "file:2"]},
            {"objects": [{"id": "file:1"}, {"object": "file:2"}]},
        ],
    )
    def test_the_usual_shapes_are_read(self, client_of: ClientOf, body: Any) -> None:
        assert client_of.answering(json=body).list_objects("a@x.example", "viewer") == [
            "file:1",
            "file:2",
        ]

    def test_other_object_types_are_left_out_even_if_the_server_sends_them(
        self, client_of: ClientOf
    ) -> None:
        client = client_of.answering(json={"objects": ["file:1", "folder:2"]})

        assert client.list_objects("a@x.example", "viewer", "file") == ["file:1"]

    def test_an_unknown_shape_names_the_keys_that_were_found(self, client_of: ClientOf) -> None:
        with pytest.raises(ResponseFormatError, match="things"):
            client_of.answering(json={"things": []}).list_users("file:1", "viewer")

    def test_an_empty_body_where_json_was_announced_is_no_answer(self, client_of: ClientOf) -> None:
        broken = client_of.answering(headers={"Content-Type": "application/json"})

        with pytest.raises(ResponseFormatError):
            broken.list_users("file:1", "viewer")
        with pytest.raises(ResponseFormatError):
            broken.expand("a@x.example", "viewer", "file:1")


class TestConfiguration:
    @pytest.mark.parametrize("base_url", ["", "api.test", "ftp://api.test", "http://"])
    def test_a_base_url_that_is_none_is_refused(self, client_of: ClientOf, base_url: str) -> None:
        with pytest.raises(ConfigurationError, match="URL"):
            client_of.kind("p1", "t", base_url=base_url)

    def test_a_base_url_with_a_password_is_refused_without_showing_it(
        self, client_of: ClientOf
    ) -> None:
        with pytest.raises(ConfigurationError, match="password") as caught:
            client_of.kind("p1", "t", base_url="https://me:hunter2@api.test")

        assert "hunter2" not in str(caught.value)

    def test_credentials_are_needed(self, client_of: ClientOf) -> None:
        with pytest.raises(ConfigurationError, match="MANAGED_SYNC_TOKEN"):
            client_of.kind("p1", base_url="http://api.test")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("retry_budget", -1),
            ("retry_budget", float("inf")),
            ("check_batch_size", 0),
            ("max_concurrent_checks", True),
        ],
    )
    def test_a_number_that_makes_no_sense_is_refused_by_name(
        self, client_of: ClientOf, name: str, value: Any
    ) -> None:
        with pytest.raises(ConfigurationError, match=name):
            client_of.kind("p1", "t", **{name: value})

    def test_the_environment_is_enough(
        self, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MANAGED_SYNC_BASE_URL", "http://127.0.0.1:9/")
        monkeypatch.setenv("MANAGED_SYNC_PROJECT_ID", "p9")
        monkeypatch.setenv("MANAGED_SYNC_TOKEN", "t")

        client = client_of.kind.from_env()

        assert (client.project_id, client.base_url) == ("p9", "http://127.0.0.1:9")

    def test_what_is_passed_takes_precedence_over_the_environment(
        self, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MANAGED_SYNC_PROJECT_ID", "p9")
        monkeypatch.setenv("MANAGED_SYNC_TOKEN", "t")
        monkeypatch.setenv("MANAGED_SYNC_API", "hosted")

        client = client_of.kind.from_env(
            project_id="p1", api="projects", base_url="http://127.0.0.1:9", check_batch_size=7
        )

        assert (client.project_id, client.base_url) == ("p1", "http://127.0.0.1:9")
        assert client.list_limit == 1000
        with pytest.raises(ConfigurationError, match="check_batch_size"):
            client_of.kind.from_env(check_batch_size=0)

    def test_a_missing_project_is_named(
        self, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MANAGED_SYNC_PROJECT_ID", raising=False)

        with pytest.raises(ConfigurationError, match="MANAGED_SYNC_PROJECT_ID"):
            client_of.kind.from_env()


class TestTheClientOfHttpx:
    def test_one_that_is_passed_in_sends_and_stays_open(self) -> None:
        seen: list[str] = []
        http = httpx.Client(
            transport=httpx.MockTransport(lambda _: httpx.Response(200, json=record("r1"))),
            event_hooks={"request": [lambda request: seen.append(request.url.path)]},
            auth=("user", "password"),
        )

        with ManagedSyncClient("p1", "t", base_url="http://api.test", http_client=http) as client:
            client.get_record("r1")

        assert seen == ["/projects/p1/sync/records/r1"]
        assert not http.is_closed
        http.close()

    def test_its_own_credentials_and_redirects_do_not_take_the_place_of_the_clients(self) -> None:
        seen: list[str] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["Authorization"])
            return httpx.Response(302, headers={"Location": "http://elsewhere.test/"})

        http = httpx.Client(
            transport=httpx.MockTransport(handler), auth=("u", "p"), follow_redirects=True
        )
        client = ManagedSyncClient("p1", "t", base_url="http://api.test", http_client=http)

        with pytest.raises(ResponseFormatError, match="redirect"):
            client.get_record("r1")

        assert seen == ["Bearer t"]

    def test_one_of_the_other_kind_is_refused(self) -> None:
        http: Any = httpx.AsyncClient()
        with pytest.raises(ConfigurationError, match=r"httpx\.Client"):
            ManagedSyncClient("p1", "t", http_client=http)

    def test_a_transport_beside_it_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="not both"):
            AsyncManagedSyncClient(
                "p1",
                "t",
                http_client=httpx.AsyncClient(),
                transport=httpx.AsyncHTTPTransport(),
            )


def record(record_id: str) -> dict[str, Any]:
    return {"id": record_id, "integration": "box", "syncType": "files"}


def test_cookies_of_the_api_are_not_kept(client_of: ClientOf) -> None:
    sent: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Cookie"))
        return httpx.Response(200, headers=[(b"set-cookie", b"a=\xff")], json=record("r1"))

    client = client_of(handler)
    client.get_record("r1")
    client.get_record("r1")

    assert sent == [None, None]
