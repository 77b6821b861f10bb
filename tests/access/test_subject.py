"""For whom: said by code, never guessed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from managed_sync.access.subject import (
    UNSET,
    acting_as,
    resolve_bound_subject,
    resolve_subject,
)
from managed_sync.errors import ConfigurationError, InvalidIdentifierError, MissingSubjectError


def test_nobody_said_raises() -> None:
    with pytest.raises(MissingSubjectError, match="may drop subject= and config: bind its parts"):
        resolve_subject(UNSET)


@pytest.mark.parametrize("lost", [None, "", "  "])
def test_a_lost_identity_raises_even_where_another_one_is_around(lost: Any) -> None:
    with acting_as("alice@x.example"), pytest.raises(MissingSubjectError):
        resolve_subject(lost)


@pytest.mark.parametrize("wrong", [7, ["a@x.example"], "a@x\n.example", "a\x00@x", "a b@x.example"])
def test_what_is_not_a_subject_raises(wrong: Any) -> None:
    with pytest.raises(InvalidIdentifierError):
        resolve_subject(wrong)


def test_an_argument_goes_before_the_surrounding_subject() -> None:
    with acting_as("alice@x.example"):
        assert resolve_subject("bob@x.example") == "bob@x.example"
        assert resolve_subject(UNSET) == "alice@x.example"


def test_acting_as_ends_where_its_block_ends_also_by_an_error() -> None:
    with pytest.raises(RuntimeError), acting_as("alice@x.example"):
        raise RuntimeError

    with pytest.raises(MissingSubjectError):
        resolve_subject(UNSET)


def test_acting_as_nests() -> None:
    with acting_as("alice@x.example"):
        with acting_as("bob@x.example"):
            assert resolve_subject(UNSET) == "bob@x.example"
        assert resolve_subject(UNSET) == "alice@x.example"


def test_tasks_do_not_see_each_others_subjects() -> None:
    async def retrieve(name: str) -> str:
        with acting_as(name):
            await asyncio.sleep(0)
            return resolve_subject(UNSET)

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(retrieve(f"user{n}@x.example") for n in range(500)))

    assert asyncio.run(all_at_once()) == [f"user{n}@x.example" for n in range(500)]


def test_a_thread_sees_the_subject_only_where_the_context_is_carried_along() -> None:
    with ThreadPoolExecutor() as pool, acting_as("alice@x.example"):
        assert pool.submit(copy_context().run, resolve_subject, UNSET).result() == "alice@x.example"
        with pytest.raises(MissingSubjectError):
            pool.submit(resolve_subject, UNSET).result()


def test_a_bound_subject_cannot_be_talked_over() -> None:
    assert resolve_bound_subject("alice@x.example") == "alice@x.example"
    assert resolve_bound_subject("alice@x.example", "alice@x.example") == "alice@x.example"
    with pytest.raises(ConfigurationError, match="bound"):
        resolve_bound_subject("alice@x.example", "bob@x.example")
    with pytest.raises(MissingSubjectError):
        resolve_bound_subject("alice@x.example", None)
