"""The columns of the keyword index: the parts of a chunk that are searched, and their weights."""

from __future__ import annotations

from managed_sync.documents import Chunk
from managed_sync.documents.chunking.chunk_metadata import with_table_header
from managed_sync.keywords.analysis import analyzed

__all__ = ["COLUMNS", "WEIGHTS", "columns_of"]

COLUMNS = ("title", "headings", "text")
WEIGHTS = (2.0, 2.0, 1.0)
"""The weight of a word in each column."""


def columns_of(chunk: Chunk) -> tuple[str, ...]:
    """Returns the terms of a chunk in each column."""
    metadata = chunk.metadata
    title = " ".join(str(metadata[name]) for name in ("title", "parent_title") if name in metadata)
    text = with_table_header(chunk.text, metadata)
    return analyzed(title), analyzed(str(metadata.get("heading", ""))), analyzed(text)
