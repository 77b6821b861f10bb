"""Between this package's documents and chunks and LangChain's ``Document``."""

from __future__ import annotations

from langchain_core.documents import Document

from managed_sync.documents import Chunk, SourceDocument

__all__ = ["from_langchain", "to_langchain"]


def to_langchain(source: SourceDocument | Chunk) -> Document:
    """A document or a chunk as LangChain's; a chunk keeps its id."""
    return Document(
        page_content=source.text,
        metadata=dict(source.metadata),
        id=source.chunk_id if isinstance(source, Chunk) else None,
    )


def from_langchain(document: Document) -> SourceDocument:
    """A LangChain document as this package's.

    Raises:
        InvalidIdentifierError: The metadata has no ``object_id``, so that nobody could ever check
            who may read it.
    """
    return SourceDocument(text=document.page_content, metadata=document.metadata)
