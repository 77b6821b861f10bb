"""Splits a document's text into passages of a bounded number of tokens.

Guarantees:

- ``document.text[start_char:end_char] == chunk.text``, exactly.
- Every character but white space is in some chunk.
- No chunk has more than ``chunk_size`` tokens, and a word is split only if it is longer than that.
- A table or code block that fits into a chunk is not split, and a row is not either.
- A chunk that begins inside a table has the names of its columns in its metadata. Names and text
  together have at most ``chunk_size`` tokens.
- The same text in the same record gives the same ``chunk_id`` in every process, and an edit changes
  no chunk of another section.

See ``docs/decisions/0006-documents-chunking.md`` and ``0039-documents-table-chunks.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from managed_sync.arguments import check_integer
from managed_sync.documents.chunking.boundaries import BoundaryFinder
from managed_sync.documents.chunking.chunk_metadata import ChunkBuilder, header_above
from managed_sync.documents.chunking.external import SplitPiece, chunks_of_splits
from managed_sync.documents.chunking.outline import Outline
from managed_sync.documents.chunking.tokens import EncodedText, Tokenizer
from managed_sync.documents.model import Chunk, SourceDocument

__all__ = ["DEFAULT_CHUNK_SIZE", "Chunker"]

DEFAULT_CHUNK_SIZE = 512
"""Tokens in a chunk, at most."""

# Chunks of before had the heading of their first section only.
_HEADINGS = "all headings"


class Chunker:
    r"""Splits documents along headings, then paragraphs, then sentences, then words.

    A heading begins a chunk. A section of a line or two shares a chunk with the next section on the
    same page, unless that one has a higher heading; the chunk has the headings of both.
    A chunk repeats whole sentences, or at least words, of the chunk before it in the same section.

    Args:
        chunk_size: Maximum number of tokens in a chunk. 512 fits common embedding
            models, also with the title and headings that ``IndexSync`` embeds.
        chunk_overlap: Maximum number of tokens that a chunk repeats of the one before it.
        encoding: The tiktoken encoding that counts the tokens.

    Raises:
        ConfigurationError: A size is out of range, or the encoding is not available.

    Examples:
        >>> document = SourceDocument("# Plan\n\nWe build it.", {"object_id": "file:1"})
        >>> [chunk.metadata["heading"] for chunk in Chunker().split(document)]
        ['Plan']
    """

    def __init__(
        self,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        chunk_overlap: int = 64,
        encoding: str = "cl100k_base",
    ) -> None:
        self._size = check_integer("chunk_size", chunk_size)
        self._overlap = check_integer(
            "chunk_overlap",
            chunk_overlap,
            at_least=0,
            at_most=self._size - 1,
            limit="chunk_size - 1",
        )
        self._encoding = encoding
        self._tokenizer = Tokenizer(encoding)

    @property
    def fingerprint(self) -> str:
        """The settings that decide the chunks; an index notices when they change."""
        size = f"{self._size} tokens of {self._encoding}"
        return f"Chunker({size}, overlap {self._overlap}, {_HEADINGS})"

    def split(self, document: SourceDocument) -> list[Chunk]:
        """Returns the chunks of the document and then of its parts, in order.

        There are none for a text of white space only. A single character that takes more tokens
        than ``chunk_size`` still becomes a chunk. Offsets are those in the text of the part.
        """
        return [chunk for each in document.documents() for chunk in self._split(each)]

    def _split(self, document: SourceDocument) -> list[Chunk]:
        builder = ChunkBuilder(document)
        text = document.text
        encoded = EncodedText(text, self._tokenizer)
        outline = Outline(text, partial(encoded.fits, self._size))
        finder = BoundaryFinder(
            text, outline, encoded, self._size, self._overlap, above=header_above(document)
        )
        return [
            builder.build(
                text[start:end],
                tokens,
                start=start,
                heading=heading,
                page=page,
                table_header=table_header,
            )
            for start, end, tokens, heading, page, table_header in finder.passages()
        ]

    def from_splits(self, document: SourceDocument, splits: Iterable[SplitPiece]) -> list[Chunk]:
        """Turns the output of another splitter into chunks; see ``chunks_of_splits``.

        Raises:
            DocumentError: A split names another object, or has metadata that is not a scalar.
        """
        return chunks_of_splits(document, splits, self._tokenizer)
