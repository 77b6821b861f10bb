"""The columns of the keyword index: the parts of a chunk that are searched, and their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from managed_sync.documents import Chunk
from managed_sync.documents.chunking.chunk_metadata import with_table_header
from managed_sync.keywords.analysis import text_words
from managed_sync.keywords.stemming import stem

__all__ = ["ChunkTerms", "number_pair", "terms_of"]


class ChunkTerms(NamedTuple):
    """The terms by which a chunk is found.

    Attributes:
        object_id: The chunk's object.
        counts: For each term, how often the chunk has it: twice for each time in its title or its
            heading, and once for each time in its text.
        words: The number of words in all columns.
    """

    object_id: str
    counts: Counter[str]
    words: int


def terms_of(chunk: Chunk) -> ChunkTerms:
    """Returns the terms of a chunk."""
    metadata = chunk.metadata
    title = " ".join(str(metadata[name]) for name in ("title", "parent_title") if name in metadata)
    heading = str(metadata.get("heading", ""))
    text = with_table_header(chunk.text, metadata)
    counts, length = Counter[str](), 0
    # The title of an object is that of all its chunks.
    for column, weight in ((_kept(title), 2), (_kept(heading), 2), (_column(text), 1)):
        length += column.words
        for _ in range(weight):
            counts.update(column.terms)
    return ChunkTerms(chunk.object_id, counts, length)


def number_pair(first: str, second: str) -> str | None:
    """Returns the term for two neighbors, of which one is a number and the other one is not.

    A number says little without the word that it belongs to.

    Examples:
        >>> number_pair("error", "612"), number_pair("612", "613"), number_pair("vpn", "error")
        ('error 612', None, None)
    """
    return f"{first} {second}" if first.isdecimal() != second.isdecimal() else None


class _Column(NamedTuple):
    terms: list[str]
    words: int


def _column(text: str) -> _Column:
    words = list(map(stem, text_words(text)))
    return _Column([*words, *_number_pairs(words)], len(words))


_kept = lru_cache(1000)(_column)


def _number_pairs(words: Sequence[str]) -> Iterator[str]:
    last = len(words) - 1
    for place in [place for place, word in enumerate(words) if word.isdecimal()]:
        if place and (pair := number_pair(words[place - 1], words[place])):
            yield pair
        if place < last and (pair := number_pair(words[place], words[place + 1])):
            yield pair
