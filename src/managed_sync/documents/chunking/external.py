"""Turns the output of third-party splitters into chunks, with ids and, if found, offsets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from managed_sync.documents.chunking.chunk_metadata import ChunkBuilder, header_above
from managed_sync.documents.chunking.outline import Outline
from managed_sync.documents.chunking.tokens import Tokenizer
from managed_sync.documents.model import Chunk, Metadata, SourceDocument
from managed_sync.errors import DocumentError

__all__ = ["SplitPiece", "chunks_of_splits"]


class SplitPiece(NamedTuple):
    """A text that another splitter made out of a document.

    Attributes:
        text: The text.
        metadata: Metadata that the splitter gave it.
        start: Its first character in the document, if the splitter says so.
    """

    text: str
    metadata: Metadata
    start: int | None = None


def chunks_of_splits(
    document: SourceDocument, splits: Iterable[SplitPiece], tokenizer: Tokenizer
) -> list[Chunk]:
    """Turns the splits of a document into chunks; splits of only white space are dropped.

    A split that occurs in the document word for word gets offsets, heading and page. A split that
    the splitter has changed is a chunk without them. If the document is itself a chunk that begins
    inside a table, those that begin in its rows keep the names of the columns.

    Args:
        document: The document.
        splits: The output of the splitter, in order.
        tokenizer: Counts the tokens.

    Raises:
        DocumentError: A split names another object, or has metadata that is not a scalar.
    """
    builder = ChunkBuilder(document)
    outline, above = Outline(document.text), header_above(document)
    chunks: list[Chunk] = []
    search_from = 0
    for text, metadata, stated in splits:
        if not text.strip():
            continue
        if metadata.get("object_id", document.object_id) != document.object_id:
            raise DocumentError(
                f"A chunk must keep the 'object_id' of its document, {document.object_id}; the "
                f"splitter made one of {metadata['object_id']!r}."
            )
        tokens = tokenizer.count(text)
        start = _position(document.text, text, stated, search_from)
        if start < 0:
            chunks.append(builder.build(text, tokens, inherited=metadata))
            continue
        search_from = start + 1
        row = outline.tables.row_at(start) if above else None
        is_below = row is not None and outline.tables.is_headless_at_start(row)
        chunks.append(
            builder.build(
                text,
                tokens,
                start=start,
                heading=outline.heading_of(start, start + len(text)),
                page=outline.page_at(start),
                table_header=above if is_below else "",
                inherited=metadata,
            )
        )
    return chunks


def _position(text: str, split: str, stated: int | None, search_from: int) -> int:
    """Returns the stated position if it is right, else the next one, else any; -1 for none."""
    if stated is not None and stated >= 0 and text.startswith(split, stated):
        return stated
    start = text.find(split, search_from)
    return start if start >= 0 else text.find(split)
