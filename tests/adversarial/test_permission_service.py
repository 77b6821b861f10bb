"""A permission service that fails or lies: nothing is returned that it did not clearly allow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from managed_sync import AccessChecker, ManagedSyncClient
from managed_sync.errors import AccessCheckError
from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import ALICE, Way
from tests.support.passages import files, passages_of
from tests.support.permission_service import TOKEN, Answer, FakePermissionService, http_client

PASSAGES = passages_of(*files(*range(60)))
FAR_AWAY = files(40, 50, 59)


def raising(error: Exception) -> Answer:
    def answer(_: httpx.Response) -> httpx.Response:
        raise error

    return answer


def instead(status: int = 200, **content: Any) -> Answer:
    return lambda _: httpx.Response(status, **content)


def with_decisions(change: Callable[[list[Any]], Any]) -> Answer:
    """Changes the decisions of an honest answer."""

    def answer(honest: httpx.Response) -> httpx.Response:
        decisions = [result["allowed"] for result in honest.json()["results"]]
        results = [{"allowed": each} for each in change(decisions)]
        return httpx.Response(200, json={"results": results})

    return answer


def half_of_it(honest: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=honest.content[: len(honest.content) // 2])


def to_itself(_: httpx.Response) -> httpx.Response:
    return httpx.Response(307, headers={"location": "/projects/p1/permissions/"})


ON_THE_WIRE: dict[str, Answer] = {
    "times out": raising(httpx.ReadTimeout("slow")),
    "cannot be reached": raising(httpx.ConnectError("no route")),
    "breaks off": raising(httpx.RemoteProtocolError("peer closed connection")),
    "answers 500": instead(500, json={"detail": "boom"}),
    "answers 503 in HTML": instead(503, html="<h1>Sorry</h1>"),
    "answers 401": instead(401),
    "answers 404": instead(404),
    "answers 429": instead(429),
    "redirects for ever": to_itself,
    "gives a page": instead(html="<html><body>allowed: true</body></html>"),
    "gives half a JSON": half_of_it,
    "gives nothing": instead(content=b""),
    "gives 204": instead(204),
    "gives null": instead(content=b"null"),
    "gives true": instead(content=b"true"),
    "gives a text": instead(json="true"),
    "gives invalid UTF-8": instead(content=b'{"results": [{"allowed": \xff}]}'),
    "gives JSON that is nested without end": instead(content=b"[" * 200_000),
    "says gzip of what is none": instead(content=b"true", headers={"content-encoding": "gzip"}),
}

NO_DECISIONS: dict[str, Answer] = {
    **ON_THE_WIRE,
    "answers one too few": with_decisions(lambda decisions: decisions[:-1]),
    "answers one too many": with_decisions(lambda decisions: [*decisions, True]),
    "answers none": with_decisions(lambda _: []),
    "answers each twice": with_decisions(lambda decisions: decisions * 2),
    "says 'true'": with_decisions(lambda decisions: ["true"] * len(decisions)),
    "says 'false'": with_decisions(lambda decisions: ["false"] * len(decisions)),
    "says 1": with_decisions(lambda decisions: [1] * len(decisions)),
    "says 1.0": with_decisions(lambda decisions: [1.0] * len(decisions)),
    "says null": with_decisions(lambda decisions: [None] * len(decisions)),
    "says [true]": with_decisions(lambda decisions: [[True]] * len(decisions)),
    "says 'true' only once": with_decisions(lambda decisions: ["true", *decisions[1:]]),
    "says nothing": instead(json={"results": [{}] * 3}),
    "gives another field": instead(json={"results": [{"allow": True}] * 3}),
    "gives bare booleans": instead(json={"results": [True] * 3}),
    "gives a bare list": instead(json=[{"allowed": True}] * 3),
    "gives a map": instead(json={"results": {"file:0": {"allowed": True}}}),
    "gives results of null": instead(json={"results": None}),
}

# The specification gives a list no body, so an answer without one lists nothing.
EMPTY = {"gives nothing", "gives 204"}
NO_LIST: dict[str, Answer] = {
    **{name: answer for name, answer in ON_THE_WIRE.items() if name not in EMPTY},
    "holds null": instead(json={"objects": [*FAR_AWAY, None]}),
    "holds a number": instead(json={"objects": [40, *FAR_AWAY]}),
    "holds an empty id": instead(json={"objects": ["", *FAR_AWAY]}),
    "holds a list": instead(json={"objects": [FAR_AWAY]}),
    "is a map": instead(json={"objects": dict.fromkeys(FAR_AWAY, True)}),
    "is null": instead(json={"objects": None}),
}


def kinds_of(faults: dict[str, Answer]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults.values(), ids=faults)


def test_an_honest_service_is_believed(way: Way, strategy: Strategy) -> None:
    service = FakePermissionService(alice=FAR_AWAY)
    with http_client(service) as client:
        checker = AccessChecker(client, list_limit=None)
        retriever = way.retriever(way.shared_store(PASSAGES), checker, k=3, strategy=strategy)

        found = way.ask(retriever)

    assert found.object_ids == FAR_AWAY
    assert found.report.complete
    assert ("list_objects" in service.requests) == (strategy != "post_filter")


@pytest.mark.sampled(7)
@kinds_of(NO_DECISIONS)
def test_no_clear_decision_means_no_passage(way: Way, strategy: Strategy, fault: Answer) -> None:
    with http_client(FakePermissionService(alice=FAR_AWAY), checks=fault) as client:
        retriever = way.retriever(
            way.shared_store(PASSAGES), AccessChecker(client), k=3, strategy=strategy
        )

        with pytest.raises(AccessCheckError) as caught:
            way.ask(retriever)

    assert set(caught.value.undecided) <= {passage.object_id for passage in PASSAGES}
    assert TOKEN not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.sampled(3)
@kinds_of(NO_LIST)
def test_no_clear_list_means_no_passage_where_only_a_list_will_do(way: Way, fault: Answer) -> None:
    with http_client(FakePermissionService(alice=FAR_AWAY), lists=fault) as client:
        retriever = way.retriever(
            way.shared_store(PASSAGES), AccessChecker(client), k=3, strategy="pre_filter"
        )

        with pytest.raises(AccessCheckError) as caught:
            way.ask(retriever)

    assert TOKEN not in str(caught.value)


@pytest.mark.sampled(3)
@kinds_of(NO_LIST)
def test_without_a_clear_list_checking_goes_on(
    way: Way, fault: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    service = FakePermissionService(alice=FAR_AWAY)
    with http_client(service, lists=fault) as client:
        checker = AccessChecker(client, list_limit=None)
        found = way.ask(way.retriever(way.shared_store(PASSAGES), checker, k=3))

    assert "list_objects" in service.requests
    assert found.object_ids == FAR_AWAY
    assert found.report.complete
    assert found.report.listed is None
    assert "Listing readable objects failed" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("strategy", ["auto", "pre_filter"])
@kinds_of({name: answer for name, answer in ON_THE_WIRE.items() if name in EMPTY})
def test_an_empty_answer_is_no_list_and_is_logged(
    way: Way, strategy: Strategy, fault: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    with http_client(FakePermissionService(alice=FAR_AWAY), lists=fault) as client:
        checker = AccessChecker(client, list_limit=None)
        found = way.ask(way.retriever(way.shared_store(PASSAGES), checker, k=3, strategy=strategy))

    if strategy == "auto":
        assert found.object_ids == FAR_AWAY, "it goes on by checking"
    else:
        assert found.object_ids == []
        assert not found.report.complete
    assert "The list of objects has no body" in caplog.text


@pytest.mark.parametrize("failing_request", [2, 3])
def test_what_was_allowed_before_a_failure_is_not_handed_out(
    way: Way, failing_request: int
) -> None:
    service = FakePermissionService(alice=files(0, 20, 59))

    def fail_later(honest: httpx.Response) -> httpx.Response:
        return httpx.Response(500) if len(service.requests) >= failing_request else honest

    with http_client(service, checks=fail_later) as client:
        retriever = way.retriever(
            way.shared_store(PASSAGES),
            AccessChecker(client),
            k=3,
            overfetch=1,
            strategy="post_filter",
        )

        with pytest.raises(AccessCheckError):
            way.ask(retriever)

    assert len(service.requests) == failing_request


@pytest.mark.sampled(7)
@kinds_of(NO_DECISIONS)
def test_a_failed_check_is_not_kept(way: Way, fault: Answer) -> None:
    faults = [fault]

    def fail_once(honest: httpx.Response) -> httpx.Response:
        return faults.pop()(honest) if faults else honest

    with http_client(FakePermissionService(alice=files(1, 2)), checks=fail_once) as client:
        checker = AccessChecker(client, allow_ttl=60, deny_ttl=60)
        retriever = way.retriever(way.store(PASSAGES[:6]), checker, k=6)
        with pytest.raises(AccessCheckError):
            way.ask(retriever)

        found = way.ask(retriever)

    assert found.object_ids == files(1, 2)
    assert found.report.cache_hits == 0


def place(object_id: str) -> int:
    return int(object_id.removeprefix("file:"))


class TestTheOrderOfAnswers:
    """The specification gives answers by position and names no object in them."""

    def test_checks_are_sent_in_the_order_in_which_their_answers_are_read(self, way: Way) -> None:
        passages = passages_of(*files(*range(350)))
        readable = files(*range(0, 350, 7))
        lock = threading.Lock()
        sent: list[list[str]] = []

        def handle(request: httpx.Request) -> httpx.Response:
            objects = [check["object"] for check in json.loads(request.content)["checks"]]
            with lock:
                sent.append(objects)
            # The requests of one call are answered in the reverse of their order.
            time.sleep((350 - place(objects[0])) / 10_000)
            results = [{"allowed": each in readable} for each in objects]
            return httpx.Response(200, json={"results": results})

        with ManagedSyncClient(
            "p1",
            TOKEN,
            base_url="http://service.example",
            transport=httpx.MockTransport(handle),
            retry_budget=0,
        ) as client:
            checker = AccessChecker(client)
            retriever = way.retriever(
                way.store(passages), checker, k=50, overfetch=7, strategy="post_filter"
            )
            found = way.ask(retriever)

        assert found.object_ids == readable
        assert sorted(len(part) for part in sent) == [50, 100, 100, 100]
        assert all(part == sorted(part, key=place) for part in sent)

    def test_an_answer_belongs_to_the_check_at_its_place(self, way: Way) -> None:
        answers = [True, False, False, True, False]

        with http_client(
            FakePermissionService(), checks=with_decisions(lambda _: answers)
        ) as client:
            retriever = way.retriever(way.store(PASSAGES[:5]), AccessChecker(client), k=5)

            assert way.ask(retriever).object_ids == files(0, 3)


class TestListsThatLie:
    def found(
        self, way: Way, strategy: Strategy, listed: list[Any], **checker_settings: Any
    ) -> tuple[list[Any], bool]:
        with http_client(
            FakePermissionService(alice=FAR_AWAY), lists=instead(json={"objects": listed})
        ) as client:
            checker = AccessChecker(client, **checker_settings)
            retriever = way.retriever(way.shared_store(PASSAGES), checker, k=3, strategy=strategy)
            found = way.ask(retriever)
        return found.object_ids, found.report.complete

    @pytest.mark.sampled(7)
    @pytest.mark.parametrize(
        "listed",
        [
            [*FAR_AWAY, *files(*range(20))],
            [*files(*range(60))],
            FAR_AWAY * 50,
            [*FAR_AWAY, "folder:40", "user:alice", "file:*", "file:40 "],
            FAR_AWAY[::-1],
        ],
        ids=["unreadable", "everything", "repeated", "other types", "another order"],
    )
    def test_what_is_listed_too_much_is_not_returned(
        self, way: Way, strategy: Strategy, listed: list[Any]
    ) -> None:
        assert self.found(way, strategy, listed, list_limit=None) == (FAR_AWAY, True)

    @pytest.mark.sampled(7)
    @pytest.mark.parametrize(
        "listed",
        [[], files(0, 1, 2), ["folder:1"], files(50), files(50, 1)],
        ids=["nothing", "others'", "another type", "a part", "a part and another's"],
    )
    def test_what_is_not_listed_may_be_missed_and_nothing_else_is_returned(
        self, way: Way, strategy: Strategy, listed: list[Any]
    ) -> None:
        found, _ = self.found(way, strategy, listed)

        assert set(found) <= set(FAR_AWAY)
        assert found == sorted(found)
        if strategy == "post_filter":
            assert found == FAR_AWAY

    def test_a_list_that_ends_at_the_cap_is_not_taken_for_the_whole(
        self, way: Way, strategy: Strategy
    ) -> None:
        found, complete = self.found(way, strategy, files(50, 59), list_limit=2)

        assert set(found) <= set(FAR_AWAY)
        assert complete == (found == FAR_AWAY)
        assert complete == (strategy != "pre_filter")

    def test_repetitions_do_not_hide_that_a_list_ends_at_the_cap(self, way: Way) -> None:
        _, complete = self.found(way, "pre_filter", files(50, 50, 59, 59), list_limit=4)

        assert not complete

    @pytest.mark.parametrize("strategy", ["auto", "pre_filter"])
    def test_a_huge_list_is_used_all_the_same(self, way: Way, strategy: Strategy) -> None:
        listed = [*FAR_AWAY, *files(*range(1_000, 51_001))]

        found, complete = self.found(way, strategy, listed, list_limit=None)

        assert found == FAR_AWAY
        assert complete

    def test_a_list_below_the_cap_may_have_been_cut_at_a_deadline(self, way: Way) -> None:
        assert self.found(way, "pre_filter", FAR_AWAY) == (FAR_AWAY, False)
        # A small store is looked through instead.
        assert self.found(way, "auto", files(59)) == (FAR_AWAY, True)


class Misbehaving(BaseHTTPRequestHandler):
    """Behaves as the project in the path of the request says."""

    protocol_version = "HTTP/1.1"
    is_over = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        match self.path.split("/")[2]:
            case "hangs":
                self.is_over.wait(10)
            case "breaks-off":
                self.answer(200, b'{"results": [{"allowed": true}, ', length=100_000)
            case "redirects":
                self.answer(307, b"", location=self.path)
            case "page":
                self.answer(200, b"<html>allowed</html>")
            case "drips":
                self.answer(200, b"", length=100_000)
                self.is_over.wait(10)
        self.close_connection = True

    def answer(
        self, status: int, body: bytes, *, length: int | None = None, location: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Keeps the output of the tests clean."""


@pytest.fixture(scope="module")
def misbehaving_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Misbehaving.is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("behavior", ["hangs", "breaks-off", "redirects", "page", "drips"])
def test_a_real_server_that_misbehaves_means_no_passage(
    way: Way, misbehaving_server: str, behavior: str
) -> None:
    started = time.monotonic()
    with ManagedSyncClient(
        behavior, TOKEN, base_url=misbehaving_server, timeout=0.2, retry_budget=0
    ) as client:
        retriever = way.retriever(way.shared_store(PASSAGES), AccessChecker(client), k=3)

        with pytest.raises(AccessCheckError) as caught:
            way.ask(retriever, ALICE)

    assert time.monotonic() - started < 30
    assert TOKEN not in str(caught.value)
