"""Converts this package's documents and chunks to LangChain's ``Document``, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.documents.chunking.chunk_metadata import with_table_header

if TYPE_CHECKING:
    from managed_sync.indexing.targets.base import StoredChunk

__all__ = [
    "as_document",
    "from_langchain",
    "indexed_text",
    "to_langchain",
    "with_text",
    "without_prefix",
]

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


def as_document(text: str, metadata: Mapping[str, Any], chunk_id: str) -> Document:
    """Returns a chunk that an index keeps as LangChain's document, whatever its metadata are."""
    shown = with_table_header(text, metadata)
    own = {key: value for key, value in metadata.items() if key != _PREFIX}
    if shown != text:
        own[_PREFIX] = len(shown) - len(text)
    return Document(page_content=shown, metadata=own, id=chunk_id)


def indexed_text(document: Document) -> str:
    """Returns a document's text without what ``to_langchain`` put before it."""
    return document.page_content[_prefix_length(document) :]


def with_text(document: Document, text: str, metadata: Mapping[str, Any]) -> Document:
    """Returns a document with another text and metadata.

    A heading before the text stays. A table's header is the one in the metadata.
    """
    before = document.page_content[: _prefix_length(document)]
    header = with_table_header("", document.metadata)
    shown = before.removesuffix(header) + with_table_header(text, metadata)
    own = {key: value for key, value in metadata.items() if key != _PREFIX}
    if shown != text:
        own[_PREFIX] = len(shown) - len(text)
    return document.model_copy(update={"page_content": shown, "metadata": own})


def _prefix_length(document: Document) -> int:
    length = document.metadata.get(_PREFIX)
    if not isinstance(length, int) or isinstance(length, bool):
        return 0
    return length if 0 < length <= len(document.page_content) else 0


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

    A chunk of ``to_langchain`` is returned without what was put before its text.

    Raises:
        InvalidIdentifierError: The metadata has no ``object_id``, so nobody could check who may
            read it.
    """
    metadata = dict(document.metadata)
    length = metadata.pop(_PREFIX, 0)
    text, heading = document.page_content, metadata.get("heading", "")
    # A splitter copies metadata to pieces that do not begin with the prefix any more.
    for prefix in (
        with_table_header("", metadata),
        f"{heading}\n\n{with_table_header('', metadata)}",
    ):
        if len(prefix) == length and text.startswith(prefix):
            text = text[length:]
            break
    return SourceDocument(text=text, metadata=metadata)
