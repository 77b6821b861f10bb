"""Converts this package's documents and chunks to LangChain's ``Document``, and back."""

from __future__ import annotations

from langchain_core.documents import Document

from managed_sync.documents import Chunk, SourceDocument

__all__ = ["from_langchain", "to_langchain"]


def to_langchain(source: SourceDocument | Chunk, *, heading_prefix: bool = False) -> Document:
    """Returns a document or a chunk as LangChain's; a chunk keeps its id.

    Args:
        source: The document or chunk.
        heading_prefix: Whether to put its heading first in ``page_content``; ``prefix_chars`` in
            the metadata is the length of the addition.
    """
    metadata = dict(source.metadata)
    prefix = f"{metadata['heading']}\n\n" if heading_prefix and "heading" in metadata else ""
    if heading_prefix:
        metadata["prefix_chars"] = len(prefix)
    return Document(
        page_content=prefix + source.text,
        metadata=metadata,
        id=source.chunk_id if isinstance(source, Chunk) else None,
    )


def from_langchain(document: Document) -> SourceDocument:
    """Returns a LangChain document as one of this package's.

    Raises:
        InvalidIdentifierError: The metadata has no ``object_id``, so nobody could check who may
            read it.
    """
    return SourceDocument(text=document.page_content, metadata=document.metadata)
