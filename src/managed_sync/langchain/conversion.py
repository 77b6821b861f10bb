"""Converts this package's documents and chunks to LangChain's ``Document``, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.documents.chunking.chunk_metadata import with_table_header

if TYPE_CHECKING:
    from managed_sync.indexing.targets.base import StoredChunk

__all__ = ["from_langchain", "to_langchain", "without_prefix"]

_PREFIX = "prefix_chars"


def to_langchain(source: SourceDocument | Chunk, *, heading_prefix: bool = False) -> Document:
    """Returns a document or a chunk as LangChain's; a chunk keeps its id.

    LangChain embeds and shows ``page_content`` alone. So a chunk that begins inside a table has the
    table's header before it there. ``prefix_chars`` in the metadata is the length of all additions.

    Args:
        source: The document or chunk.
        heading_prefix: Whether to put its heading first in ``page_content``.
    """
    metadata = dict(source.metadata)
    text = with_table_header(source.text, metadata)
    if heading_prefix and "heading" in metadata:
        text = f"{metadata['heading']}\n\n{text}"
    metadata.pop(_PREFIX, None)
    if heading_prefix or text != source.text:
        metadata[_PREFIX] = len(text) - len(source.text)
    return Document(
        page_content=text,
        metadata=metadata,
        id=source.chunk_id if isinstance(source, Chunk) else None,
    )


def without_prefix(stored: StoredChunk) -> StoredChunk:
    """Returns a stored chunk as it was before ``to_langchain``.

    A text that does not begin with the header in its metadata is returned as it is, so that whoever
    compares it with the chunk sees the difference.
    """
    metadata = {key: value for key, value in (stored.metadata or {}).items() if key != _PREFIX}
    header = with_table_header("", metadata)
    if not header or not stored.text.startswith(header):
        return stored
    return stored._replace(text=stored.text[len(header) :], metadata=metadata)


def from_langchain(document: Document) -> SourceDocument:
    """Returns a LangChain document as one of this package's.

    Raises:
        InvalidIdentifierError: The metadata has no ``object_id``, so nobody could check who may
            read it.
    """
    return SourceDocument(text=document.page_content, metadata=document.metadata)
