"""The checker fails closed, lists, and tells an audit log; alike from threads and from tasks."""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from managed_sync import AccessCheck, AccessChecker
from managed_sync.access.checker import Decision, ListedObjects
from managed_sync.errors import (
    AccessCheckError,
    ApiTimeoutError,
    ConfigurationError,
    InvalidIdentifierError,
)
from tests.support.permission_service import CheckingService


class Client:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[list[AccessCheck]] = []
        self.listed: list[tuple[str, str]] = []

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self.asked.append(list(checks))
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: list[bool] = self.answer
        return answer

    def list_objects(self, subject: str, relation: str) -> list[str]:
        self.listed.append((subject, relation))
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: list[str] = self.answer
        return answer


class AsyncClient:
    """The same, awaited."""

    def __init__(self, answer: Any) -> None:
        self.client = Client(answer)

    async def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        await asyncio.sleep(0)
        return self.client.batch_check_access(checks)

    async def list_objects(self, subject: str, relation: str) -> list[str]:
        await asyncio.sleep(0)
        return self.client.list_objects(subject, relation)


def test_only_what_the_api_allows_is_allowed() -> None:
    checker = AccessChecker(Client([True, False, True]))

    assert checker.allowed("a@x.example", ["file:1", "file:2", "file:3"]) == {"file:1", "file:3"}


def test_each_distinct_object_is_asked_about_once_with_the_checkers_relation() -> None:
    client = Client([True, True])

    AccessChecker(client, relation="editor").allowed("a@x.example", ["file:1", "file:2", "file:1"])

    assert [(check.object, check.relation) for check in client.asked[0]] == [
        ("file:1", "editor"),
        ("file:2", "editor"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [True],
        [True] * 3,
        [True, "true"],
        [True, 1],
        [True, None],
        ["no", "no"],
        None,
        True,
        "no",
        {True, False},
        {True: 1, False: 2},
        iter([True, True]),
    ],
)
def test_an_answer_that_is_not_one_boolean_an_object_allows_nothing(answer: Any) -> None:
    with pytest.raises(AccessCheckError) as caught:
        AccessChecker(Client(answer)).allowed("a@x.example", ["file:1", "file:2"])

    assert caught.value.undecided == ("file:1", "file:2")


@pytest.mark.parametrize(
    "error", [ApiTimeoutError("slow"), ValueError("bug"), KeyError("x"), StopIteration()]
)
@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_every_error_is_an_access_check_error(make: Any, error: Exception) -> None:
    with pytest.raises(AccessCheckError) as caught:
        asyncio.run(AccessChecker(make(error)).aallowed("a@x.example", ["file:1"]))

    assert caught.value.undecided == ("file:1",)
    # A coroutine cannot raise StopIteration; Python puts a RuntimeError around it.
    assert error in (caught.value.__cause__, getattr(caught.value.__cause__, "__cause__", None))


def test_an_error_without_a_message_is_named() -> None:
    with pytest.raises(AccessCheckError, match="TimeoutError"):
        AccessChecker(Client(TimeoutError())).allowed("a@x.example", ["file:1"])


def test_what_the_client_says_of_an_error_reaches_the_caller_once() -> None:
    with pytest.raises(AccessCheckError) as caught:
        AccessChecker(Client(AccessCheckError("2 checks failed"))).allowed("a@x", ["file:1"])

    assert str(caught.value) == "2 checks failed"
    assert caught.value.undecided == ("file:1",)


@pytest.mark.parametrize("subject", ["", " ", "a\n@x", None, 3])
def test_without_a_subject_nothing_is_asked(subject: Any) -> None:
    client = Client([True])

    with pytest.raises(InvalidIdentifierError):
        AccessChecker(client).allowed(subject, ["file:1"])

    assert client.asked == []


def test_no_objects_need_no_call() -> None:
    client = Client([])

    assert AccessChecker(client).allowed("a@x.example", []) == set()
    assert client.asked == []


@pytest.mark.parametrize("nothing", [None, "", 7, b"file:1", ("file:1",), "file:\ud800"])
def test_what_is_not_an_object_id_is_neither_asked_about_nor_allowed(nothing: Any) -> None:
    client = Client([True])

    assert AccessChecker(client).allowed("a@x.example", [nothing, "file:1"]) == {"file:1"}
    assert [check.object for check in client.asked[0]] == ["file:1"]


def test_one_id_in_place_of_a_list_raises() -> None:
    with pytest.raises(InvalidIdentifierError, match=r"\['file:1'\]"):
        AccessChecker(Client([True])).allowed("a@x.example", "file:1")


def test_decide_says_of_each_distinct_object_whether_it_is_allowed() -> None:
    checker = AccessChecker(Client([True, False]), relation="editor")

    assert checker.decide(" a@x.example ", ["file:2", "file:1", "file:2"]) == (
        Decision("a@x.example", "editor", "file:2", allowed=True, from_cache=False),
        Decision("a@x.example", "editor", "file:1", allowed=False, from_cache=False),
    )


def test_the_asynchronous_way_decides_alike() -> None:
    checker = AccessChecker(Client([True, False]))

    assert asyncio.run(checker.aallowed("a@x.example", ["file:1", "file:2"])) == {"file:1"}


def test_an_asynchronous_client_is_awaited() -> None:
    checker = AccessChecker(AsyncClient([True, False]))

    assert asyncio.run(checker.aallowed("a@x.example", ["file:1", "file:2"])) == {"file:1"}
    checker = AccessChecker(AsyncClient(["file:1"]))
    assert asyncio.run(checker.alist_objects("a@x.example")).object_ids == {"file:1"}


def test_a_client_is_not_called_in_the_thread_of_the_event_loop() -> None:
    class Witness(Client):
        def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
            self.thread = threading.current_thread()
            return super().batch_check_access(checks)

    client = Witness([True])
    asyncio.run(AccessChecker(client).aallowed("a@x.example", ["file:1"]))

    assert client.thread is not threading.current_thread()


def test_the_synchronous_way_refuses_an_asynchronous_client_and_says_what_to_use() -> None:
    client = AsyncClient([True])
    checker = AccessChecker(client)

    with pytest.raises(ConfigurationError, match="aallowed"):
        checker.allowed("a@x.example", ["file:1"])
    with pytest.raises(ConfigurationError, match="alist_objects"):
        checker.list_objects("a@x.example")
    assert (client.client.asked, client.client.listed) == ([], [])


def test_a_coroutine_where_an_answer_belongs_allows_nothing() -> None:
    class Disguised(Client):
        def batch_check_access(self, checks: Sequence[AccessCheck]) -> Any:
            return (each for each in [True])

    with pytest.raises(AccessCheckError, match="generator"):
        AccessChecker(Disguised(None)).allowed("a@x.example", ["file:1"])


class TestListing:
    """``list_objects`` brings a list that is known to be whole, or known not to be."""

    def test_the_objects_of_the_checkers_relation(self) -> None:
        client = Client(["file:1", "file:2", "file:1"])

        listed = AccessChecker(client, "editor").list_objects(" a@x.example ")

        assert listed == ListedObjects(frozenset({"file:1", "file:2"}), whole=True)
        assert client.listed == [("a@x.example", "editor")]

    @pytest.mark.parametrize(
        ("length", "whole"), [(0, True), (2, True), (3, False), (4, True), (6, False), (9, False)]
    )
    def test_a_list_as_long_as_a_server_would_cut_it_is_not_whole(
        self, length: int, whole: bool
    ) -> None:
        client = Client([f"file:{number}" for number in range(length)])

        assert AccessChecker(client, list_limit=3).list_objects("a@x.example").whole is whole

    def test_repetitions_do_not_hide_that_a_list_was_cut(self) -> None:
        client = Client(["file:1", "file:1", "file:2"])

        assert not AccessChecker(client, list_limit=3).list_objects("a@x.example").whole

    def test_the_usual_limit_is_known(self) -> None:
        client = Client([f"file:{number}" for number in range(1000)])

        assert not AccessChecker(client).list_objects("a@x.example").whole
        assert AccessChecker(client, list_limit=None).list_objects("a@x.example").whole

    @pytest.mark.parametrize(
        "answer",
        [None, "file:1", {"file:1"}, {"file:1": True}, ["file:1", None], ["file:1", ""], [7], 3],
    )
    def test_an_answer_that_is_not_a_list_of_ids_raises(self, answer: Any) -> None:
        with pytest.raises(AccessCheckError):
            AccessChecker(Client(answer)).list_objects("a@x.example")

    @pytest.mark.parametrize("error", [ApiTimeoutError("slow"), ValueError("bug")])
    @pytest.mark.parametrize("make", [Client, AsyncClient])
    def test_every_error_is_an_access_check_error(self, make: Any, error: Exception) -> None:
        with pytest.raises(AccessCheckError, match=str(error)) as caught:
            asyncio.run(AccessChecker(make(error)).alist_objects("a@x.example"))

        assert caught.value.__cause__ is error

    def test_a_client_without_the_method_raises(self) -> None:
        with pytest.raises(AccessCheckError, match="list_objects"):
            AccessChecker(CheckingService()).list_objects("a@x.example")

    @pytest.mark.parametrize("subject", ["", None, "a\n@x"])
    def test_without_a_subject_nothing_is_asked(self, subject: Any) -> None:
        client = Client(["file:1"])

        with pytest.raises(InvalidIdentifierError):
            AccessChecker(client).list_objects(subject)

        assert client.listed == []


class TestAudit:
    """``on_decision`` sees each decision before the caller does."""

    def test_it_sees_each_decision_once(self) -> None:
        seen: list[Decision] = []
        checker = AccessChecker(Client([True, False]), on_decision=seen.append)

        checker.allowed("a@x.example", ["file:1", "file:2", "file:1"])

        assert seen == [
            Decision("a@x.example", "viewer", "file:1", allowed=True, from_cache=False),
            Decision("a@x.example", "viewer", "file:2", allowed=False, from_cache=False),
        ]

    @pytest.mark.parametrize("make", [Client, AsyncClient])
    def test_an_error_in_it_reaches_the_caller_who_gets_no_decision(self, make: Any) -> None:
        def full(decision: Decision) -> None:
            if not decision.allowed:
                raise OSError("disk full")

        checker = AccessChecker(make([True, False]), on_decision=full)

        with pytest.raises(OSError, match="disk full"):
            asyncio.run(checker.aallowed("a@x.example", ["file:1", "file:2"]))

    def test_what_it_refused_is_refused_from_the_cache_too(self) -> None:
        def refuse(decision: Decision) -> None:
            raise OSError(f"from_cache={decision.from_cache}")

        client = Client([True])
        checker = AccessChecker(client, allow_ttl=60, on_decision=refuse)

        for from_cache in (False, True):
            with pytest.raises(OSError, match=f"from_cache={from_cache}"):
                checker.allowed("a@x.example", ["file:1"])
        assert len(client.asked) == 1

    def test_it_is_not_called_when_the_check_fails(self) -> None:
        seen: list[Decision] = []
        checker = AccessChecker(Client([True]), on_decision=seen.append)

        with pytest.raises(AccessCheckError):
            checker.allowed("a@x.example", ["file:1", "file:2"])

        assert seen == []

    def test_a_decision_cannot_be_changed(self) -> None:
        def change(decision: Decision) -> None:
            decision.allowed = True  # type: ignore[misc]

        checker = AccessChecker(Client([False]), on_decision=change)

        with pytest.raises(FrozenInstanceError):
            checker.allowed("a@x.example", ["file:1"])

    def test_a_coroutine_function_that_nobody_would_await_is_refused(self) -> None:
        async def audit(decision: Decision) -> None:
            raise AssertionError(decision)

        with pytest.raises(ConfigurationError, match="on_decision"):
            AccessChecker(Client([True]), on_decision=audit)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["allow_ttl", "deny_ttl", "scope_ttl"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, None, "60", True])
def test_a_lifetime_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        AccessChecker(Client([]), **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("cache_size", 0), ("cache_size", None), ("list_limit", 0), ("list_limit", 1.5)],
)
def test_a_size_that_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        AccessChecker(Client([]), **{name: value})


@pytest.mark.parametrize("relation", ["", "  ", None])
def test_a_relation_is_needed(relation: Any) -> None:
    with pytest.raises(ConfigurationError, match="relation"):
        AccessChecker(Client([]), relation)


@pytest.mark.parametrize("name", ["allowed", "decide", "list_objects"])
def test_both_ways_take_and_return_the_same(name: str) -> None:
    synchronous = inspect.signature(getattr(AccessChecker, name))
    asynchronous = inspect.signature(getattr(AccessChecker, f"a{name}"))

    assert synchronous == asynchronous
    assert inspect.iscoroutinefunction(getattr(AccessChecker, f"a{name}"))


class PassingOn:
    """A client that adds nothing to another, such as one that counts calls."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_wrapped_client_can_list() -> None:
    checker = AccessChecker(PassingOn(Client(["file:1"])))

    assert checker.can_list
    assert checker.list_objects("a@x.example").object_ids == {"file:1"}
