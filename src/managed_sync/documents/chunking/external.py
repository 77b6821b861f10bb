"""Making chunks of what any other splitter cut: with ids, and their place where it can be found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from managed_sync.documents.chunking.chunk_ids import ChunkIds
from managed_sync.documents.chunking.html_tables import small_tables_html, without_tables
from managed_sync.documents.chunking.outline import Outline
from managed_sync.documents.chunking.tokenizer import Tokenizer
from managed_sync.documents.model import Chunk, Metadata, Scalar, SourceDocument
from managed_sync.errors import DocumentError

__all__ = ["Piece", "attributed"]

# A text, metadata of its own, and where it begins, if the splitter says so.
Piece = tuple[str, Metadata, int | None]


def attributed(
    document: SourceDocument, pieces: Iterable[Piece], tokenizer: Tokenizer
) -> list[Chunk]:
    """The pieces of a document as chunks of it; pieces of white space only are left out.

    A piece that stands in the document word for word gets its offsets, heading and page; one that
    the splitter has changed is a chunk without them.

    Args:
        document: What was split.
        pieces: What it was split into.
        tokenizer: What counts the tokens.

    Raises:
        DocumentError: A piece says that it is of another object, or has metadata that no store
            takes.
    """
    ids = ChunkIds(document.metadata)
    structure = Outline(document.text)
    starts = [section.start for section in structure.sections]
    chunks: list[Chunk] = []
    has_tables = "tables_html" in document.metadata
    at = 0
    for text, own, stated in pieces:
        if not text.strip():
            continue
        if own.get("object_id", document.object_id) != document.object_id:
            raise DocumentError(
                f"The splitter made a chunk of {own['object_id']!r} out of {document.object_id}. "
                "Chunks must keep the 'object_id' of the document they are cut from."
            )
        place: dict[str, Scalar] = {
            "chunk_id": ids.of(text),
            "chunk_index": len(chunks),
            "token_count": tokenizer.count(text),
        }
        start = _found(document.text, text, stated, at)
        if start >= 0:
            at = start + 1
            place |= {"start_char": start, "end_char": start + len(text)}
            section = structure.sections[bisect_right(starts, start) - 1]
            if section.path:
                place["heading"] = section.heading
            if structure.pages:
                place["page"] = bisect_right(structure.pages, start) + 1
        inherited = without_tables({**document.metadata, **own})
        for name in ("start_char", "end_char"):
            inherited.pop(name, None)
        if has_tables and (tables := small_tables_html(text)):
            place["tables_html"] = tables
        chunks.append(Chunk(text, {**inherited, **place}))
    return chunks


def _found(text: str, piece: str, stated: int | None, at: int) -> int:
    """Where a piece stands: where the splitter says, else after the last one, else anywhere."""
    if stated is not None and stated >= 0 and text.startswith(piece, stated):
        return stated
    start = text.find(piece, at)
    return start if start >= 0 else text.find(piece)
