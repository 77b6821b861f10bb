"""Chat models for the tests: they keep what they were sent, and repeat it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

# What a model was sent in each call: pairs of role and text.
Sent = list[list[tuple[str, str]]]


class Parrot(BaseChatModel):
    """Answers with all that it was sent, so that whatever leaks into a prompt is in the answer."""

    _sent: Sent = PrivateAttr()
    _tools: list[Any] = PrivateAttr(default_factory=list)

    def __init__(self, sent: Sent) -> None:
        super().__init__()
        self._sent = sent

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Parrot:
        self._tools[:] = tools
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for word in str(self._reply(messages).text).split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        self._sent.append([(message.type, str(message.text)) for message in messages])
        if "fail" in str(messages[-1].text):
            raise PermissionError("key sk-123 is wrong")
        return AIMessage("[1] " + " ".join(text for _, text in self._sent[-1]))


class Scripted(Parrot):
    """Gives one reply after another, tool calls among them."""

    _script: list[AIMessage] = PrivateAttr()

    def __init__(self, sent: Sent, *script: AIMessage) -> None:
        super().__init__(sent)
        self._script = list(script)

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        self._sent.append([(message.type, str(message.text)) for message in messages])
        return self._script.pop(0)


def call(**arguments: Any) -> AIMessage:
    """A reply that calls the search tool with these arguments."""
    tool_call = {"name": "search_documents", "args": arguments, "id": f"call-{arguments}"}
    return AIMessage("", tool_calls=[tool_call])
