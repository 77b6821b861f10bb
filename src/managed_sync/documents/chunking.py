"""Cutting a document's text into passages of a bounded number of tokens.

What is promised, and tested:

- ``document.text[start_char:end_char] == chunk.text``, exactly;
- every character but white space is in some chunk;
- no chunk has more than ``chunk_size`` tokens, and no word is cut that is not longer than that;
- the same text in the same object gives the same ``chunk_id`` in every process, and an edit
  changes no chunk of another section.
"""

from __future__ import annotations

import re
import uuid
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from managed_sync.documents.outline import Outline, Section, outline
from managed_sync.documents.source_document import Chunk, Scalar, SourceDocument
from managed_sync.documents.tokens import Tokenizer, well_formed
from managed_sync.errors import ConfigurationError

__all__ = ["Chunker"]

# Never to be changed: every chunk id there is was made with it.
_NAMESPACE = uuid.UUID("5f0c1d5e-3a44-5b0e-9a0e-0d7c7a9f4b1d")
_HEADING_SEPARATOR = " > "
# A section below this part of the chunk size does not get a chunk of its own.
_TINY = 1 / 8
# A better place to cut is taken if at least this part of the chunk is then full.
_WELL_FILLED = 1 / 2
_SPACE = re.compile(r"\s")
_NOT_SPACE = re.compile(r"\S")
_WORD_START = re.compile(r"(?<=\s)\S")
_CJK_STOPS = "。！？；，、"  # noqa: RUF001


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

    Example:
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
        self._tokenizer = Tokenizer(encoding)

    def split(self, document: SourceDocument) -> list[Chunk]:
        """The document's chunks, in order; none for a text of white space only.

        A single character that takes more tokens than ``chunk_size`` still becomes a chunk.
        """
        text = document.text
        cutter = _Cutter(text, outline(text), self._tokenizer, self._size, self._overlap)
        seen: Counter[str] = Counter()
        chunks: list[Chunk] = []
        for passage in cutter.passages():
            content = text[passage.start : passage.end]
            metadata: dict[str, Scalar] = {
                **document.metadata,
                "chunk_id": _chunk_id(document.object_id, content, seen[content]),
                "chunk_index": len(chunks),
                "start_char": passage.start,
                "end_char": passage.end,
                "token_count": passage.tokens,
            }
            if passage.heading:
                metadata["heading"] = _HEADING_SEPARATOR.join(passage.heading)
            if passage.page:
                metadata["page"] = passage.page
            seen[content] += 1
            chunks.append(Chunk(content, metadata))
        return chunks


def _chunk_id(object_id: str, text: str, occurrence: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, well_formed(f"{object_id}\n{occurrence}\n{text}")))


@dataclass(frozen=True, slots=True)
class _Passage:
    start: int
    end: int
    tokens: int
    heading: tuple[str, ...]
    page: int


class _Cutter:
    """Cuts one text. The text is encoded once; after that only places are looked up."""

    def __init__(
        self, text: str, structure: Outline, tokenizer: Tokenizer, size: int, overlap: int
    ) -> None:
        self._text = text
        self._structure = structure
        self._tokenizer = tokenizer
        self._size = size
        self._overlap = overlap
        self._ends: array[int] = tokenizer.ends(text)

    def passages(self) -> Iterator[_Passage]:
        for start, end, heading in self._spans():
            yield from self._cut(start, end, heading)

    def _spans(self) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Sections, tiny ones together with those that follow."""
        sections = self._structure.sections
        index = 0
        while index < len(sections):
            first = sections[index]
            end = first.end
            index += 1
            while index < len(sections) and self._joins(first, end, sections[index]):
                end = sections[index].end
                index += 1
            yield first.start, end, first.path

    def _joins(self, first: Section, end: int, following: Section) -> bool:
        return (
            self._tokens_between(first.start, end) < _TINY * self._size
            and self._tokens_between(first.start, following.end) <= self._size
            # Text below a higher heading has nothing to do with the first one.
            and following.level >= first.level > 0
            and self._page_at(first.start) == self._page_at(following.start)
        )

    def _cut(self, start: int, end: int, heading: tuple[str, ...]) -> Iterator[_Passage]:
        """Cuts one span: each chunk begins where the last ended, less the overlap."""
        end = self._before_space(start, end)
        start = fresh = self._after_space(start, end)
        while fresh < end:
            cut = self._cut_after(start, fresh, end)
            if cut is None:
                # The next word does not fit beside the overlap.
                start = fresh
                continue
            stop, tokens = cut
            yield _Passage(start, stop, tokens, heading, self._page_at(start))
            fresh = self._after_space(stop, end)
            start = self._overlap_start(start, stop, fresh) if fresh < end else fresh

    def _cut_after(self, start: int, fresh: int, end: int) -> tuple[int, int] | None:
        """Where the chunk from ``start`` stops, beyond ``fresh``, and its number of tokens.

        ``None`` if there is an overlap and not even one whole word fits after it.
        """
        budget = self._size
        while True:
            limit = min(self._offset_after(start, budget), end)
            stop = end if limit == end else self._best_stop(start, fresh, limit)
            if stop is None and start == fresh:
                return self._cut_first_word(fresh, limit)
            if stop is None:
                return None
            stop = self._before_space(start, stop)
            tokens = self._tokenizer.count(self._text[start:stop])
            if tokens <= self._size:
                return stop, tokens
            # On its own a text may have a few tokens more than within its surroundings.
            budget -= max(1, tokens - self._size)
            if budget < 1:
                return self._cut_first_word(fresh, fresh) if start == fresh else None

    def _best_stop(self, start: int, fresh: int, limit: int) -> int | None:
        filled = max(fresh, start + int((limit - start) * _WELL_FILLED))
        for places in (self._structure.blocks, self._structure.sentences):
            index = bisect_right(places, limit) - 1
            if index >= 0 and places[index] > filled:
                return places[index]
        if limit > fresh and (self._text[limit].isspace() or self._text[limit - 1].isspace()):
            return limit
        words = self._text[fresh:limit].rsplit(None, 1)
        return limit - len(words[1]) if len(words) == 2 else None

    def _cut_first_word(self, start: int, limit: int) -> tuple[int, int]:
        """Ends a chunk with its first word, whole if it fits, and else inside it."""
        space = _SPACE.search(self._text, start, self._offset_after(start, 2 * self._size))
        if space:
            tokens = self._tokenizer.count(self._text[start : space.start()])
            if tokens <= self._size:
                return space.start(), tokens
        stop = max(limit, start + 1)
        # Scripts without spaces have punctuation to cut at.
        mark = max(self._text.rfind(mark, start, stop) for mark in _CJK_STOPS)
        if mark > start + (stop - start) * _WELL_FILLED:
            stop = mark + 1
        while (tokens := self._tokenizer.count(self._text[start:stop])) > self._size:
            if stop - start == 1:
                break
            stop -= max(1, min(tokens - self._size, (stop - start) // 2))
        return stop, tokens

    def _overlap_start(self, start: int, stop: int, fresh: int) -> int:
        """Where the next chunk begins: at a sentence, or a word, that the overlap has room for."""
        if self._overlap == 0:
            return fresh
        earliest = max(self._offset_before(stop, self._overlap), start + 1)
        for places in (self._structure.sentences, self._structure.blocks):
            place = self._first_fitting(places, earliest, stop)
            if place is not None:
                return place
        while word := _WORD_START.search(self._text, earliest, stop):
            if self._tokenizer.count(self._text[word.start() : stop]) <= self._overlap:
                return word.start()
            earliest = word.start() + 1
        return fresh

    def _first_fitting(self, places: array[int], earliest: int, stop: int) -> int | None:
        index = bisect_left(places, earliest)
        while index < len(places) and places[index] < stop:
            place = self._after_space(places[index], stop)
            if place < stop and self._tokenizer.count(self._text[place:stop]) <= self._overlap:
                return place
            index += 1
        return None

    def _tokens_between(self, start: int, end: int) -> int:
        return bisect_right(self._ends, end) - bisect_right(self._ends, start)

    def _offset_after(self, start: int, tokens: int) -> int:
        index = bisect_right(self._ends, start) + tokens
        return self._ends[index - 1] if index <= len(self._ends) else len(self._text)

    def _offset_before(self, end: int, tokens: int) -> int:
        index = bisect_right(self._ends, end) - tokens
        return self._ends[index - 1] if index > 0 else 0

    def _page_at(self, offset: int) -> int:
        pages = self._structure.pages
        return bisect_right(pages, offset) + 1 if pages else 0

    def _after_space(self, start: int, end: int) -> int:
        found = _NOT_SPACE.search(self._text, start, end)
        return found.start() if found else end

    def _before_space(self, start: int, end: int) -> int:
        return start + len(self._text[start:end].rstrip())
