"""A client that was used before a fork shares no connection, lock or wait with the child."""

from __future__ import annotations

import json
from threading import Event, Thread

import httpx

from managed_sync import AccessCheck, ManagedSyncClient
from managed_sync.client.credentials import CallableTokens
from tests.client.raw_server import Connection, RawServer, json_answer
from tests.support.clients import ClientOf, Driven
from tests.support.forks import in_child, needs_fork

pytestmark = needs_fork


def asked(subject: str) -> list[AccessCheck]:
    return [AccessCheck(subject=subject, relation="viewer", object="file:1")]


class Doorkeeper:
    """Lets Ann in and nobody else, and remembers on which connection who was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def __call__(self, server: RawServer, connection: Connection) -> None:
        while request := server.take(connection):
            check = json.loads(request.partition(b"\r\n\r\n")[2])["checks"][0]
            subject = check.get("subject") or check["user"]
            self.asked.append((connection.number, subject.removeprefix("user:")))
            allowed = b"true" if "ann@" in subject else b"false"
            connection.send(json_answer(b'{"results": [{"allowed": ' + allowed + b"}]}"))


def client_to(client_of: ClientOf, url: str) -> Driven:
    return client_of(
        lambda _: httpx.Response(500), base_url=url, transport=None, retry_budget=0, timeout=5
    )


def test_a_child_asks_on_a_connection_of_its_own_and_the_parent_keeps_its_own(
    client_of: ClientOf,
) -> None:
    keeper = Doorkeeper()
    with RawServer(keeper).running() as url:
        client = client_to(client_of, url)
        assert client.batch_check_access(asked("ann@x.example")) == [True]
        answers = [
            in_child(lambda: client.batch_check_access(asked("bob@x.example"))) for _ in range(2)
        ]
        assert client.batch_check_access(asked("ann@x.example")) == [True]

    assert answers == [[False], [False]]
    assert keeper.asked == [
        (0, "ann@x.example"),
        (1, "bob@x.example"),
        (2, "bob@x.example"),
        (0, "ann@x.example"),
    ]


def test_closing_in_the_child_leaves_the_parent_its_connection(client_of: ClientOf) -> None:
    keeper = Doorkeeper()
    with RawServer(keeper).running() as url:
        client = client_to(client_of, url)
        client.batch_check_access(asked("ann@x.example"))
        assert in_child(client.close) is None
        client.batch_check_access(asked("ann@x.example"))

    assert [number for number, _ in keeper.asked] == [0, 0]


def test_a_client_of_httpx_that_was_used_before_is_refused_in_the_child() -> None:
    keeper = Doorkeeper()
    with RawServer(keeper).running() as url, httpx.Client() as http:
        client = ManagedSyncClient("p", "t", base_url=url, http_client=http, retry_budget=0)
        client.batch_check_access(asked("ann@x.example"))
        said = in_child(lambda: client.batch_check_access(asked("bob@x.example")))

    assert said.startswith("ConfigurationError: This client was used before")
    assert keeper.asked == [(0, "ann@x.example")], "nothing was sent"


def test_a_client_of_httpx_that_was_not_used_before_serves_the_child() -> None:
    keeper = Doorkeeper()
    with RawServer(keeper).running() as url, httpx.Client() as http:
        client = ManagedSyncClient("p", "t", base_url=url, http_client=http, retry_budget=0)
        assert in_child(lambda: client.batch_check_access(asked("bob@x.example"))) == [False]


def test_a_child_waits_for_no_place_that_a_thread_of_the_parent_has_taken() -> None:
    came, go_on = Event(), Event()

    def serve(server: RawServer, connection: Connection) -> None:
        server.take(connection)
        if connection.number == 0:
            came.set()
            go_on.wait(20)
        connection.send(json_answer(b'{"results": [{"allowed": true}]}'))

    with (
        RawServer(serve).running() as url,
        ManagedSyncClient(
            "p", "t", base_url=url, max_concurrent_requests=1, retry_budget=0
        ) as client,
    ):
        thread = Thread(target=client.batch_check_access, args=(asked("ann@x.example"),))
        thread.start()
        came.wait(20)
        said = in_child(lambda: client.batch_check_access(asked("bob@x.example")))
        go_on.set()
        thread.join()

    assert said == [True]


def test_a_child_waits_for_no_token_that_a_thread_of_the_parent_asks_for() -> None:
    asking, go_on = Event(), Event()

    def ask() -> str:
        if not asking.is_set():
            asking.set()
            go_on.wait(20)
        return "token"

    tokens = CallableTokens(ask)
    thread = Thread(target=tokens.get)
    thread.start()
    asking.wait(20)
    said = in_child(lambda: tokens.get().get_secret_value())
    go_on.set()
    thread.join()

    assert said == "token"
