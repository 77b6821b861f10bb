"""A permission-aware retriever as a LlamaIndex tool that a model can call but not steer.

Guarantees:

- The tool's schema has the question and nothing else. Any other argument that a model writes, such
  as a subject, changes nothing.
- The subject comes from the retriever or from ``acting_as``.
- A missing subject or a failed check raises; it never becomes an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.schema import MetadataMode, NodeWithScore
from llama_index.core.tools import AsyncBaseTool, ToolMetadata, ToolOutput
from pydantic import BaseModel, Field

from managed_sync.documents.chunking.chunk_metadata import with_table_header
from managed_sync.retrieval.search_tool import TOOL_DESCRIPTION, TOOL_NAME, tool_answer

if TYPE_CHECKING:
    from managed_sync.llama_index.retriever import PermissionAwareRetriever

__all__ = ["SearchTool", "as_tool"]


class ToolInput(BaseModel):
    """The arguments that a model can pass."""

    input: str = Field(description="What to look for, as a question or a few words.")


class SearchTool(AsyncBaseTool):
    """Answers a model's question with passages the user may read; ``as_tool`` makes one."""

    def __init__(self, retriever: PermissionAwareRetriever, metadata: ToolMetadata) -> None:
        self._retriever = retriever
        self._metadata = metadata

    @property
    def metadata(self) -> ToolMetadata:
        """The name, description and schema that a model sees."""
        return self._metadata

    def call(self, input: str, **_: Any) -> ToolOutput:
        """Searches for ``input``; other arguments that a model wrote are ignored.

        Raises:
            MissingSubjectError: There is no subject.
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
        """
        return self._answer(input, self._retriever.retrieve(input))

    async def acall(self, input: str, **_: Any) -> ToolOutput:
        """Like ``call``, without blocking the event loop."""
        return self._answer(input, await self._retriever.aretrieve(input))

    def _answer(self, question: str, nodes: list[NodeWithScore]) -> ToolOutput:
        passages = [
            (with_table_header(node.get_content(MetadataMode.NONE), node.metadata), node.metadata)
            for node in (scored.node for scored in nodes)
        ]
        return ToolOutput(
            tool_name=self._metadata.get_name(),
            content=tool_answer(passages),
            raw_input={"input": question},
            raw_output=nodes,
        )


def as_tool(
    retriever: PermissionAwareRetriever,
    *,
    name: str | None = None,
    description: str | None = None,
) -> SearchTool:
    """Makes a tool that answers a model's question with passages the user may read.

    Its content is text: numbered passages, each under its title, page, heading and address; its
    raw output is the nodes.

    Args:
        retriever: The retriever to search with.
        name: The name by which a model calls the tool.
        description: Tells a model when and how to use the tool.

    Examples:
        ```python
        agent = FunctionAgent(tools=[as_tool(retriever)], llm=llm)
        with acting_as("alice@example.com"):
            await agent.run("What did we decide on pricing?")
        ```
    """
    metadata = ToolMetadata(
        name=name or TOOL_NAME, description=description or TOOL_DESCRIPTION, fn_schema=ToolInput
    )
    return SearchTool(retriever, metadata)
