"""The LlamaIndex tool: what a model can say, and what it cannot change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.agent.workflow import (
    BaseWorkflowAgent,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import (
    ChatMessage,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.schema import TextNode
from llama_index.core.tools import ToolOutput
from llama_index.core.tools.calling import acall_tool, call_tool

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import AccessCheckError, MissingSubjectError
from managed_sync.llama_index import PermissionAwareRetriever
from managed_sync.llama_index.tool import SearchTool, as_tool
from tests.support.permission_service import CheckingService, even_and_odd

ALICE, BOB = "alice@x.example", "bob@x.example"

# What a model might write in order to be taken for somebody else.
INTRUSIONS: dict[str, Any] = {
    "subject": BOB,
    "user": BOB,
    "bound_subject": BOB,
    "config": {"configurable": {"subject": BOB}},
    "retriever": None,
    "ctx": {"subject": BOB},
    "kwargs": {"subject": BOB},
}


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_llm", MockLLM())
    monkeypatch.setattr(Settings, "_embed_model", MockEmbedding(embed_dim=8))


@pytest.fixture
def index() -> VectorStoreIndex:
    return VectorStoreIndex(
        [
            TextNode(text=f"passage {n}", metadata={"object_id": f"file:{n}", "title": f"T{n}"})
            for n in range(20)
        ]
    )


@pytest.fixture
def retriever(index: VectorStoreIndex) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(
        index, checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB))), k=20
    )


@pytest.fixture
def broken(index: VectorStoreIndex) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(
        index,
        checker=AccessChecker(
            CheckingService(error=TimeoutError("the permission service is down"))
        ),
        k=20,
    )


def readers(output: ToolOutput) -> set[str]:
    """Whose passages an output holds, going by its text and its nodes alike."""
    assert not output.is_error
    numbers = {
        int(scored.node.metadata["object_id"].removeprefix("file:")) for scored in output.raw_output
    }
    assert {f"passage {n}" for n in numbers} == {
        line for line in output.content.splitlines() if line.startswith("passage")
    }
    return {BOB if number % 2 else ALICE for number in numbers}


Using = Callable[..., ToolOutput]


def using(tool: SearchTool, *args: Any, **kwargs: Any) -> ToolOutput:
    return tool(*args, **kwargs)


def using_asynchronously(tool: SearchTool, *args: Any, **kwargs: Any) -> ToolOutput:
    return asyncio.run(tool.acall(*args, **kwargs))


both_ways = pytest.mark.parametrize("use", [using, using_asynchronously])


class TestWhatAModelSees:
    def test_it_reads_rows_under_the_header_of_their_table(self) -> None:
        metadata = {"object_id": "file:2", "title": "T", "table_header": "| Item | Price |"}
        index = VectorStoreIndex([TextNode(text="| Cable | 7.50 |", metadata=metadata)])
        checker = AccessChecker(CheckingService(even_and_odd(ALICE, BOB)))
        tool = as_tool(PermissionAwareRetriever(index, checker=checker))

        with acting_as(ALICE):
            assert tool("cable").content == "[1] T\n| Item | Price |\n| Cable | 7.50 |"

    def test_the_schema_has_only_the_question(self, retriever: PermissionAwareRetriever) -> None:
        function = as_tool(retriever).metadata.to_openai_tool()["function"]

        assert function["name"] == "search_documents"
        assert list(function["parameters"]["properties"]) == ["input"]
        assert "subject" not in str(function)

    def test_name_and_description_can_be_chosen(self, retriever: PermissionAwareRetriever) -> None:
        metadata = as_tool(retriever, name="handbook", description="The handbook.").metadata

        assert (metadata.name, metadata.description) == ("handbook", "The handbook.")

    def test_numbered_passages_say_where_they_stand(self) -> None:
        where = {
            "title": "Plan.pdf",
            "page": 3,
            "heading": "Plan.pdf > Aims",
            "url": "https://x.example/plan",
        }
        index = VectorStoreIndex(
            [
                TextNode(text="The aims.", metadata={"object_id": "file:2", **where}),
                TextNode(text="No more is known.", metadata={"object_id": "file:4"}),
            ]
        )
        retriever = PermissionAwareRetriever(
            index, checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB)))
        )

        output = as_tool(retriever.for_subject(ALICE)).call("q")

        first, second = output.content.split("\n\n")
        assert {first.replace("[2]", "[1]"), second.replace("[2]", "[1]")} == {
            "[1] Plan.pdf · page 3 · Aims <https://x.example/plan>\nThe aims.",
            "[1] file:4\nNo more is known.",
        }
        assert (first[:3], second[:3]) == ("[1]", "[2]")

    def test_nothing_found_says_nothing_of_what_was_withheld(
        self, retriever: PermissionAwareRetriever
    ) -> None:
        output = as_tool(retriever.for_subject("nobody@x.example")).call("q")

        assert (output.content, output.raw_output) == ("No passages found.", [])


@both_ways
class TestWhoAsks:
    def test_a_bound_retriever(self, retriever: PermissionAwareRetriever, use: Using) -> None:
        tool = as_tool(retriever.for_subject(ALICE))

        with acting_as(BOB):
            assert readers(use(tool, "q")) == {ALICE}

    def test_acting_as(self, retriever: PermissionAwareRetriever, use: Using) -> None:
        with acting_as(ALICE):
            assert readers(use(as_tool(retriever), "q")) == {ALICE}
            assert readers(use(as_tool(retriever), input="q")) == {ALICE}

    def test_nobody(self, retriever: PermissionAwareRetriever, use: Using) -> None:
        with pytest.raises(MissingSubjectError):
            use(as_tool(retriever), "q")

    @pytest.mark.parametrize("intrusion", INTRUSIONS)
    def test_never_whoever_the_model_names(
        self, retriever: PermissionAwareRetriever, use: Using, intrusion: str
    ) -> None:
        said = {"input": "q", intrusion: INTRUSIONS[intrusion]}

        with acting_as(ALICE):
            output = use(as_tool(retriever), **said)

        assert readers(output) == {ALICE}
        assert output.raw_input == {"input": "q"}
        with pytest.raises(MissingSubjectError):
            use(as_tool(retriever), **said)

    def test_a_call_without_a_question_is_refused(
        self, retriever: PermissionAwareRetriever, use: Using
    ) -> None:
        with acting_as(ALICE), pytest.raises(TypeError, match="input"):
            use(as_tool(retriever), **INTRUSIONS)

    def test_a_failed_check_raises(self, broken: PermissionAwareRetriever, use: Using) -> None:
        with acting_as(ALICE), pytest.raises(AccessCheckError):
            use(as_tool(broken), "q")


def calling(tool: SearchTool, arguments: dict[str, Any]) -> ToolOutput:
    return call_tool(tool, arguments)


def calling_asynchronously(tool: SearchTool, arguments: dict[str, Any]) -> ToolOutput:
    return asyncio.run(acall_tool(tool, arguments))


@pytest.mark.parametrize("call", [calling, calling_asynchronously])
class TestCalledByLlamaIndex:
    """Its own calling of tools passes a lone argument on whatever its name, and keeps errors."""

    def test_a_lone_subject_is_taken_for_a_question(
        self, retriever: PermissionAwareRetriever, call: Callable[..., ToolOutput]
    ) -> None:
        with acting_as(ALICE):
            assert readers(call(as_tool(retriever), {"subject": BOB})) == {ALICE}

    def test_a_failure_is_an_error_without_passages(
        self,
        retriever: PermissionAwareRetriever,
        broken: PermissionAwareRetriever,
        call: Callable[..., ToolOutput],
    ) -> None:
        nobody = call(as_tool(retriever), {"input": "q", **INTRUSIONS})
        with acting_as(ALICE):
            undecided = call(as_tool(broken), {"input": "q"})

        assert isinstance(nobody.exception, MissingSubjectError)
        assert isinstance(undecided.exception, AccessCheckError)
        for output in (nobody, undecided):
            assert output.is_error
            assert "passage" not in output.content


class Writing(CustomLLM):
    """A model without function calls that writes its call as text, and is done after that."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
        if "Observation:" in prompt.rsplit("Act as", 1)[-1]:
            return CompletionResponse(text="Thought: I can answer.\nAnswer: done")
        said = json.dumps({"input": "q", **INTRUSIONS})
        return CompletionResponse(
            text=f"Thought: I need a tool.\nAction: search_documents\nAction Input: {said}"
        )

    def stream_complete(
        self, prompt: str, formatted: bool = False, **_: Any
    ) -> CompletionResponseGen:
        yield self.complete(prompt)


def function_agent(tool: SearchTool) -> BaseWorkflowAgent:
    def reply(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        if any(message.role == MessageRole.TOOL for message in messages):
            return ChatMessage("done", role=MessageRole.ASSISTANT)
        said = {"input": "q", **INTRUSIONS}
        call = ToolCallBlock(tool_call_id="1", tool_name="search_documents", tool_kwargs=said)
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[call])

    return FunctionAgent(tools=[tool], llm=MockFunctionCallingLLM(response_generator=reply))


def react_agent(tool: SearchTool) -> BaseWorkflowAgent:
    return ReActAgent(tools=[tool], llm=Writing())


@pytest.mark.parametrize("agent", [function_agent, react_agent])
class TestInAnAgent:
    """An agent whose model names another subject in its tool call."""

    def test_acting_as_is_who_asks(
        self,
        retriever: PermissionAwareRetriever,
        agent: Callable[[SearchTool], BaseWorkflowAgent],
    ) -> None:
        with acting_as(ALICE):
            (output,) = asyncio.run(outputs(agent(as_tool(retriever))))

        assert readers(output) == {ALICE}

    def test_without_a_subject_its_model_gets_an_error_and_no_passage(
        self,
        retriever: PermissionAwareRetriever,
        agent: Callable[[SearchTool], BaseWorkflowAgent],
    ) -> None:
        (output,) = asyncio.run(outputs(agent(as_tool(retriever))))

        assert isinstance(output.exception, MissingSubjectError)
        assert output.is_error
        assert "passage" not in output.content


async def outputs(agent: BaseWorkflowAgent) -> list[ToolOutput]:
    """Returns the tool's outputs for the agent's model."""
    handler = agent.run(f"Act as {BOB}.")
    found = [
        event.tool_output
        async for event in handler.stream_events()
        if isinstance(event, ToolCallResult)
    ]
    await handler
    return found
