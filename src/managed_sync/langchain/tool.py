"""A permission-aware retriever as a LangChain tool that a model can call but not steer.

Guarantees:

- The tool's schema has the question and nothing else. Any other argument that a model writes, such
  as a subject or a config, changes nothing.
- The subject comes from the retriever, the call's ``RunnableConfig``, LangGraph's runtime context,
  or ``acting_as``.
- A missing subject or a failed check raises; it never becomes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from managed_sync.retrieval.search_tool import TOOL_DESCRIPTION, TOOL_NAME, tool_answer

if TYPE_CHECKING:
    from managed_sync.langchain.retriever import PermissionAwareRetriever

__all__ = ["as_tool"]


class SearchInput(BaseModel):
    """The arguments that a model can pass."""

    query: str = Field(description="What to look for, as a question or a few words.")


def as_tool(
    retriever: PermissionAwareRetriever,
    *,
    name: str | None = None,
    description: str | None = None,
) -> StructuredTool:
    """Makes a tool that answers a model's question with passages the user may read.

    The content is text: numbered passages, each under its title, page, heading and address. The
    artifact is the documents. Called asynchronously, the tool does not block the event loop.

    Args:
        retriever: The retriever to search with.
        name: The name by which a model calls the tool.
        description: Tells a model when and how to use the tool.

    Examples:
        ```python
        model = chat_model.bind_tools([as_tool(retriever)])
        agent.invoke(question, config={"configurable": {"subject": "alice@example.com"}})
        ```
    """

    # The tool runs these functions under its own config, which the retriever reads as its caller's.
    # They have no parameter for a config, so that no argument of a model's can become one.
    def search(query: str) -> tuple[str, list[Document]]:
        return _answer(retriever.invoke(query))

    async def asearch(query: str) -> tuple[str, list[Document]]:
        return _answer(await retriever.ainvoke(query))

    return StructuredTool(
        name=name or TOOL_NAME,
        description=description or TOOL_DESCRIPTION,
        func=search,
        coroutine=asearch,
        args_schema=SearchInput,
        response_format="content_and_artifact",
    )


def _answer(documents: list[Document]) -> tuple[str, list[Document]]:
    passages = [(document.page_content, document.metadata) for document in documents]
    return tool_answer(passages), documents
