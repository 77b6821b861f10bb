"""A stand-in for a chat model that needs no key: it searches once and quotes the passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from examples.shared.answers import extractive_answer

__all__ = ["ExtractiveModel"]


class ExtractiveModel(BaseChatModel):
    """Calls its first tool with the question; then answers with the passages' own sentences."""

    tool_name: str = ""

    @property
    def _llm_type(self) -> str:
        return "extractive"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> ExtractiveModel:
        """Takes the first tool, and does without the others."""
        return self.model_copy(update={"tool_name": tools[0].name})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        question = next(m.text for m in reversed(messages) if isinstance(m, HumanMessage))
        last = messages[-1]
        if isinstance(last, ToolMessage):
            passages = [(d.page_content, d.metadata) for d in last.artifact or []]
            reply = AIMessage(extractive_answer(question, passages))
        else:
            call = {"name": self.tool_name, "args": {"query": question}, "id": uuid4().hex}
            reply = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=reply)])
