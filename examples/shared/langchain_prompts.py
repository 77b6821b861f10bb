"""The prompts of the examples that use LangChain."""

from __future__ import annotations

from collections.abc import Iterable

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

from examples.shared.answers import SYSTEM_PROMPT
from examples.shared.memory import Turn

__all__ = ["ANSWER", "STANDALONE", "as_messages"]

ANSWER = ChatPromptTemplate.from_messages(
    [
        ("system", f"{SYSTEM_PROMPT}\n\n{{passages}}"),
        MessagesPlaceholder("history"),
        ("human", "{question}"),
    ]
)

# "And who approves more?" finds nothing by itself. What the model writes here is only searched for:
# it cannot say for whom.
STANDALONE = ChatPromptTemplate.from_messages(
    [
        MessagesPlaceholder("history"),
        (
            "human",
            "Rewrite my next question so that it can be understood without what was said before. "
            "Answer with the question alone: {question}",
        ),
    ]
)


def as_messages(turns: Iterable[Turn]) -> list[HumanMessage | AIMessage]:
    """Remembered turns as a model's messages."""
    return [
        message
        for turn in turns
        for message in (HumanMessage(turn["question"]), AIMessage(turn["answer"]))
    ]
