"""The subject on its way through LlamaIndex's workflows: steps, workers, and resumed runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.workflow import (
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import MissingSubjectError
from managed_sync.llama_index import PermissionAwareRetriever
from tests.support.permission_service import CheckingService, own_numbers

USERS = [f"user{number}@x.example" for number in range(32)]
ALICE, BOB = USERS[:2]


@pytest.fixture(scope="module")
def retriever() -> PermissionAwareRetriever:
    nodes = [
        TextNode(text=f"passage {number}", metadata={"object_id": f"file:{number}"})
        for number in range(len(USERS))
    ]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))
    return PermissionAwareRetriever(
        index, checker=AccessChecker(CheckingService(own_numbers(len(USERS)))), k=4
    )


def owners(nodes: Sequence[NodeWithScore]) -> set[str]:
    return {USERS[int(n.node.metadata["object_id"].removeprefix("file:"))] for n in nodes}


class Question(Event):
    text: str


class Answer(Event):
    found: Any


class Research(Workflow):
    """Asks three questions at once, one of them in a thread, and collects what is found."""

    def __init__(self, retriever: PermissionAwareRetriever) -> None:
        super().__init__(timeout=60)
        self.retriever = retriever

    @step
    async def plan(self, ctx: Context, event: StartEvent) -> Question | None:
        for number in range(3):
            ctx.send_event(Question(text=f"q {number}"))
        return None

    @step(num_workers=3)
    async def search(self, event: Question) -> Answer:
        await asyncio.sleep(0)
        return Answer(found=await self.retriever.aretrieve(event.text))

    @step
    def search_in_a_thread(self, event: StartEvent) -> Answer:
        return Answer(found=self.retriever.retrieve("q"))

    @step
    async def collect(self, ctx: Context, event: Answer) -> StopEvent | None:
        answers = ctx.collect_events(event, [Answer] * 4)
        if answers is None:
            return None
        return StopEvent(result=[node for answer in answers for node in answer.found])


class Conversation(Workflow):
    """Searches for what a person answers."""

    def __init__(self, retriever: PermissionAwareRetriever) -> None:
        super().__init__(timeout=60)
        self.retriever = retriever

    @step
    async def ask(self, event: StartEvent) -> InputRequiredEvent:
        return InputRequiredEvent(prefix="Which one?")

    @step
    async def search(self, event: HumanResponseEvent) -> StopEvent:
        return StopEvent(result=await self.retriever.aretrieve(event.response))


async def result_of(handler: Any) -> list[NodeWithScore]:
    found: list[NodeWithScore] = await handler
    return found


def test_acting_as_reaches_every_step(retriever: PermissionAwareRetriever) -> None:
    async def run() -> list[NodeWithScore]:
        with acting_as(ALICE):
            return await result_of(Research(retriever).run())

    found = asyncio.run(run())

    assert len(found) == 4
    assert owners(found) == {ALICE}


def test_a_run_keeps_the_subject_that_it_was_started_for(
    retriever: PermissionAwareRetriever,
) -> None:
    async def run() -> list[NodeWithScore]:
        with acting_as(ALICE):
            handler = Research(retriever).run()
            with acting_as(BOB):
                return await result_of(handler)

    assert owners(asyncio.run(run())) == {ALICE}


def test_a_run_has_nobody_after_the_block_that_it_was_started_in(
    retriever: PermissionAwareRetriever,
) -> None:
    async def run() -> None:
        with acting_as(ALICE):
            handler = Research(retriever).run()
        await handler

    with pytest.raises(MissingSubjectError, match="has ended"):
        asyncio.run(run())


def test_without_a_subject_a_run_fails(retriever: PermissionAwareRetriever) -> None:
    async def run() -> None:
        await Research(retriever).run()

    with pytest.raises(MissingSubjectError):
        asyncio.run(run())


def test_runs_side_by_side_do_not_cross(retriever: PermissionAwareRetriever) -> None:
    workflow = Research(retriever)

    async def run(user: str) -> set[str]:
        with acting_as(user):
            return owners(await result_of(workflow.run()))

    async def all_at_once() -> list[set[str]]:
        return await asyncio.gather(*(run(user) for user in USERS))

    assert asyncio.run(all_at_once()) == [{user} for user in USERS]


def test_an_answer_from_another_does_not_change_for_whom_a_run_searches(
    retriever: PermissionAwareRetriever,
) -> None:
    async def run() -> list[NodeWithScore]:
        with acting_as(ALICE):
            handler = Conversation(retriever).run()
            async for event in handler.stream_events():
                if isinstance(event, InputRequiredEvent):
                    with acting_as(BOB):
                        assert handler.ctx is not None
                        handler.ctx.send_event(HumanResponseEvent(response="q"))
            return await result_of(handler)

    assert owners(asyncio.run(run())) == {ALICE}


@pytest.mark.parametrize("resumed_by", [None, BOB])
def test_a_run_that_was_stored_is_resumed_for_whoever_resumes_it(
    retriever: PermissionAwareRetriever, resumed_by: str | None
) -> None:
    async def start() -> dict[str, Any]:
        with acting_as(ALICE):
            handler = Conversation(retriever).run()
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                break
        assert handler.ctx is not None
        stored: dict[str, Any] = handler.ctx.to_dict()
        await handler.cancel_run()
        return stored

    async def resume(stored: dict[str, Any]) -> list[NodeWithScore]:
        workflow = Conversation(retriever)
        handler = workflow.run(ctx=Context.from_dict(workflow, stored))
        assert handler.ctx is not None
        handler.ctx.send_event(HumanResponseEvent(response="q"))
        return await result_of(handler)

    stored = asyncio.run(start())
    assert ALICE not in str(stored)
    if resumed_by is None:
        with pytest.raises(MissingSubjectError):
            asyncio.run(resume(stored))
    else:
        with acting_as(resumed_by):
            assert owners(asyncio.run(resume(stored))) == {resumed_by}
