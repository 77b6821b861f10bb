"""The passages that a subject may read, as the filters of both frameworks keep them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from managed_sync import AccessCheck, AccessChecker
from managed_sync.access.object_ids import OWN_FIELD
from managed_sync.access.passages import areadable_passages, readable_passages
from managed_sync.errors import AccessCheckError

Passages = list[tuple[dict[str, Any], str]]

PASSAGES: Passages = [
    ({"object_id": "file:1"}, "1a"),
    ({"object_id": "file:2"}, "2a"),
    ({"object_id": "file:1"}, "1b"),
    ({}, "without an object"),
    ({"object_id": ["file:1"]}, "with a list"),
    ({"object_id": ""}, "with an empty id"),
    ({"object_id": "file:1", "project_id": "south"}, "of another project"),
]


class Service:
    project_id = "north"

    def __init__(self, *readable: str) -> None:
        self.readable = readable
        self.checked: list[str] = []

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self.checked += [check.object for check in checks]
        return [check.object in self.readable for check in checks]


def readable(checker: AccessChecker, *, asynchronously: bool) -> list[str]:
    if asynchronously:
        return asyncio.run(areadable_passages(checker, "alice@x.example", PASSAGES))
    return readable_passages(checker, "alice@x.example", PASSAGES)


@pytest.mark.parametrize("asynchronously", [False, True])
def test_all_passages_of_allowed_objects_are_kept_in_order_and_no_others(
    asynchronously: bool,
) -> None:
    service = Service("file:1")
    assert readable(AccessChecker(service), asynchronously=asynchronously) == ["1a", "1b"]
    assert service.checked == ["file:1", "file:2"]


@pytest.mark.parametrize("asynchronously", [False, True])
def test_without_a_trustworthy_decision_nothing_is_returned(asynchronously: bool) -> None:
    class Broken(Service):
        def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
            raise TimeoutError

    with pytest.raises(AccessCheckError):
        readable(AccessChecker(Broken("file:1")), asynchronously=asynchronously)


@pytest.mark.parametrize("object_id", [None, "", 7, ["file:1"], {"file:1": 1}, "file:\ud800"])
def test_a_value_that_cannot_be_checked_is_no_object_id(object_id: object) -> None:
    assert OWN_FIELD.of({"object_id": object_id}) is None


def test_an_object_id_is_read_as_it_is() -> None:
    assert OWN_FIELD.of({"object_id": "file:a b"}) == "file:a b"
    assert OWN_FIELD.of({}) is None
