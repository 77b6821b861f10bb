"""The checker fails closed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from managed_sync import AccessCheck, AccessChecker
from managed_sync.errors import (
    AccessCheckError,
    ApiTimeoutError,
    InvalidIdentifierError,
)


class Client:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[list[AccessCheck]] = []

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self.asked.append(list(checks))
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: list[bool] = self.answer
        return answer


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
    [[], [True], [True] * 3, [True, "true"], [True, 1], [True, None], ["no", "no"]],
)
def test_an_answer_that_is_not_one_boolean_an_object_allows_nothing(answer: Any) -> None:
    with pytest.raises(AccessCheckError) as caught:
        AccessChecker(Client(answer)).allowed("a@x.example", ["file:1", "file:2"])

    assert caught.value.undecided == ("file:1", "file:2")


@pytest.mark.parametrize("error", [ApiTimeoutError("slow"), ValueError("bug"), KeyError("x")])
def test_every_error_is_an_access_check_error(error: Exception) -> None:
    with pytest.raises(AccessCheckError) as caught:
        AccessChecker(Client(error)).allowed("a@x.example", ["file:1"])

    assert caught.value.undecided == ("file:1",)
    assert caught.value.__cause__ is error


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


def test_the_asynchronous_way_decides_alike() -> None:
    checker = AccessChecker(Client([True, False]))

    assert asyncio.run(checker.aallowed("a@x.example", ["file:1", "file:2"])) == {"file:1"}
