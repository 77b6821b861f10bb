"""A permission-aware retriever as a LangChain tool that a model can call but not steer.

Guarantees:

- The tool's schema has the question and nothing else. Whatever else a model writes into its
  arguments, a subject or a config among it, changes nothing.
- The subject comes from the retriever, the call's ``RunnableConfig``, or ``acting_as``.
- A missing subject or a failed check raises; it never becomes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from managed_sync.retrieval.citations import numbered

if TYPE_CHECKING:
    from managed_sync.langchain.retriever import PermissionAwareRetriever

__all__ = ["as_tool"]

_NAME = "search_documents"
_DESCRIPTION = (
    "Searches the documents that the user may read and returns numbered passages. "
    "Cite a passage by its number in brackets, such as [1]."
)


class SearchInput(BaseModel):
    """All that a model may say."""

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
        retriever: What to search with.
        name: The name by which a model calls the tool.
        description: When and how a model should use the tool.

    Examples:
        ```python
        model = chat_model.bind_tools([as_tool(retriever)])
        agent.invoke(question, config={"configurable": {"subject": "alice@example.com"}})
        ```
    """

    # The tool runs these under its own config, which the retriever takes up as its caller's: with
    # no parameter for it, there is nothing that a model's arguments could be mistaken for.
    def search(query: str) -> tuple[str, list[Document]]:
        return _answer(retriever.invoke(query))

    async def asearch(query: str) -> tuple[str, list[Document]]:
        return _answer(await retriever.ainvoke(query))

    return StructuredTool(
        name=name or _NAME,
        description=description or _DESCRIPTION,
        func=search,
        coroutine=asearch,
        args_schema=SearchInput,
        response_format="content_and_artifact",
    )


def _answer(documents: list[Document]) -> tuple[str, list[Document]]:
    passages = [(document.page_content, document.metadata) for document in documents]
    return numbered(passages) or "No passages found.", documents
