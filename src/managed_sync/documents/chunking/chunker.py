"""Cutting a document's text into passages of a bounded number of tokens.

Guarantees:

- ``document.text[start_char:end_char] == chunk.text``, exactly;
- every character but white space is in some chunk;
- no chunk has more than ``chunk_size`` tokens, and no word is cut that is not longer than that;
- a table or code block that fits into a chunk stands whole in one;
- the same text in the same record gives the same ``chunk_id`` in every process, and an edit
  changes no chunk of another section.
"""

from __future__ import annotations

from collections.abc import Iterable

from managed_sync.documents.chunking.boundaries import Cutter
from managed_sync.documents.chunking.chunk_ids import ChunkIds
from managed_sync.documents.chunking.external import Piece, attributed
from managed_sync.documents.chunking.html_tables import small_tables_html, without_tables
from managed_sync.documents.chunking.outline import Outline
from managed_sync.documents.chunking.token_counts import EncodedText
from managed_sync.documents.chunking.tokenizer import Tokenizer
from managed_sync.documents.model import Chunk, Scalar, SourceDocument
from managed_sync.errors import ConfigurationError

__all__ = ["Chunker"]


class Chunker:
    r"""Splits documents along headings, then paragraphs, then sentences, then words.

    A heading begins a chunk; a section of a line or two shares one with the section that
    follows below or beside it, on the same page, and the chunk then bears the first one's heading.
    A chunk repeats whole sentences, or at least words, of the one before it in the same section.

    Args:
        chunk_size: Tokens in a chunk at most. 512 fits every common embedding model.
        chunk_overlap: Tokens that a chunk repeats of the one before it, at most.
        encoding: The tiktoken encoding that says what a token is.

    Raises:
        ConfigurationError: A size makes no sense, or the encoding cannot be had.

    Examples:
        >>> document = SourceDocument("# Plan\n\nWe build it.", {"object_id": "file:1"})
        >>> [chunk.metadata["heading"] for chunk in Chunker().split(document)]
        ['Plan']
    """

    def __init__(
        self, chunk_size: int = 512, chunk_overlap: int = 64, encoding: str = "cl100k_base"
    ) -> None:
        if chunk_size < 1:
            raise ConfigurationError(f"chunk_size is {chunk_size}; it must be at least 1.")
        if not 0 <= chunk_overlap < chunk_size:
            raise ConfigurationError(
                f"chunk_overlap is {chunk_overlap}; it must be at least 0 and less than "
                f"chunk_size, which is {chunk_size}."
            )
        self._size = chunk_size
        self._overlap = chunk_overlap
        self._encoding = encoding
        self._tokenizer = Tokenizer(encoding)

    @property
    def fingerprint(self) -> str:
        """What decides where texts are cut; an index notices when it changes."""
        return f"Chunker({self._size} tokens of {self._encoding}, overlap {self._overlap})"

    def split(self, document: SourceDocument) -> list[Chunk]:
        """The document's chunks, in order; none for a text of white space only.

        A single character that takes more tokens than ``chunk_size`` still becomes a chunk.
        """
        has_tables = "tables_html" in document.metadata
        # Checked once more, since metadata can be changed; that holds for all chunks.
        document = SourceDocument(document.text, without_tables(document.metadata))
        text = document.text
        structure = Outline(text)
        encoded = EncodedText(text, self._tokenizer)
        cutter = Cutter(text, structure, encoded, self._size, self._overlap)
        ids = ChunkIds(document.metadata)
        chunks: list[Chunk] = []
        for start, end, tokens, heading, page in cutter.passages():
            content = text[start:end]
            place: dict[str, Scalar] = {
                "chunk_id": ids.of(content),
                "chunk_index": len(chunks),
                "start_char": start,
                "end_char": end,
                "token_count": tokens,
            }
            if heading:
                place["heading"] = heading
            if page:
                place["page"] = page
            if has_tables and (tables := small_tables_html(content)):
                place["tables_html"] = tables
            chunks.append(Chunk.of(document, content, place))
        return chunks

    def attribute(self, document: SourceDocument, pieces: Iterable[Piece]) -> list[Chunk]:
        """What another splitter cut out of the document, as chunks; see ``attribution``."""
        return attributed(document, pieces, self._tokenizer)
