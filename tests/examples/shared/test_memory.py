"""The memory of a conversation: what of it may be used again."""

from __future__ import annotations

import asyncio

import pytest

from examples.shared.memory import REMEMBERED_TURNS, Memory
from managed_sync import AccessChecker
from managed_sync.errors import AccessCheckError
from tests.support.permission_service import FakePermissionService


@pytest.fixture
def permissions() -> FakePermissionService:
    return FakePermissionService(*(f"file:{number}" for number in range(100)))


@pytest.fixture
def memory(permissions: FakePermissionService) -> Memory:
    return Memory(AccessChecker(permissions), "ada@x.example")


def questions(memory: Memory) -> list[str]:
    return [turn["question"] for turn in memory.recall()]


def test_a_turn_is_gone_when_one_of_its_sources_may_not_be_read_any_more(
    memory: Memory, permissions: FakePermissionService
) -> None:
    memory.remember("first?", "a", ["file:1", "file:2"])
    memory.remember("second?", "b", ["file:3"])
    permissions.everybody.remove("file:2")
    assert questions(memory) == ["second?"]


def test_what_was_forgotten_does_not_come_back(
    memory: Memory, permissions: FakePermissionService
) -> None:
    memory.remember("first?", "a", ["file:1"])
    permissions.everybody.remove("file:1")
    assert questions(memory) == []
    permissions.everybody.add("file:1")
    assert questions(memory) == []


def test_an_answer_that_repeats_an_earlier_one_is_as_confidential_as_that(
    memory: Memory, permissions: FakePermissionService
) -> None:
    memory.remember("first?", "the secret", ["file:1"])
    memory.remember("say that again?", "the secret", [], memory.recall())
    memory.remember("and again?", "the secret", ["file:2"], memory.recall()[1:])
    permissions.everybody.remove("file:1")
    assert questions(memory) == []


def test_without_a_decision_nothing_is_recalled(
    memory: Memory, permissions: FakePermissionService
) -> None:
    memory.remember("first?", "a", ["file:1"])
    permissions.error = TimeoutError()
    with pytest.raises(AccessCheckError):
        memory.recall()
    with pytest.raises(AccessCheckError):
        asyncio.run(memory.arecall())


def test_it_is_bounded(memory: Memory) -> None:
    for number in range(20):
        memory.remember(f"{number}?", "a", [f"file:{number}"])
    assert questions(memory) == [f"{number}?" for number in range(20)][-REMEMBERED_TURNS:]


def test_recalling_does_not_lose_what_is_remembered_meanwhile(
    memory: Memory, permissions: FakePermissionService
) -> None:
    async def ask_twice_at_once() -> list[str]:
        memory.remember("old?", "a", ["file:1"])
        recalling = asyncio.create_task(memory.arecall())
        await asyncio.sleep(0)
        memory.remember("new?", "b", ["file:2"])
        await recalling
        return [turn["question"] for turn in await memory.arecall()]

    permissions.everybody.remove("file:1")
    assert asyncio.run(ask_twice_at_once()) == ["new?"]
