"""Finds the boundaries of chunks: at sections first, then at blocks, sentences and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from managed_sync.documents.chunking.outline import Outline, Section
from managed_sync.documents.chunking.sentences import (
    character_start,
    clause_starts,
    whole_character,
)
from managed_sync.documents.chunking.table_headers import Header, TableHeaders
from managed_sync.documents.chunking.tables import Row
from managed_sync.documents.chunking.tokens import EncodedText

__all__ = ["BoundaryFinder", "Passage"]

# A section below this part of the chunk size does not get a chunk of its own.
_TINY = 1 / 8
# A boundary of a better kind is taken if at least this part of the chunk is then full.
_WELL_FILLED = 1 / 2
_SPACE = re.compile(r"\s")
_NOT_SPACE = re.compile(r"\S")
_WORD_START = re.compile(r"(?<=\s)\S")


class Passage(NamedTuple):
    """A part of a text.

    Attributes:
        start: Its first character.
        end: The character after its last one.
        tokens: The number of its tokens.
        heading: The headings above and in its own text, which begins after what it repeats.
        page: The page on which its own text begins; 0 in a text without pages.
        table_header: The names of the columns, if it begins inside a table.
    """

    start: int
    end: int
    tokens: int
    heading: str
    page: int
    table_header: str = ""


class BoundaryFinder:
    """Finds the passages of one text, which is encoded only once.

    Args:
        text: The text.
        outline: Its sections, blocks and sentences.
        encoded: Its tokens.
        size: Maximum number of tokens in a passage.
        overlap: Maximum number of tokens that a passage repeats of the one before it.
        above: The names of the columns of the table that the text begins inside of, as a row.
    """

    def __init__(
        self,
        text: str,
        outline: Outline,
        encoded: EncodedText,
        size: int,
        overlap: int,
        *,
        above: str = "",
    ) -> None:
        self._text = text
        self._outline = outline
        self._encoded = encoded
        self._size = size
        self._overlap = overlap
        self._tables = outline.tables
        self._headers = TableHeaders(text, outline.tables, encoded, size, above)
        self._above = above

    def passages(self) -> Iterator[Passage]:
        """Yields the passages, in order."""
        page_at = self._outline.page_at
        for start, end, total in self._spans():
            if total <= self._size and not (self._above and start == 0):
                first = self._after_space(start, end)
                stop = self._before_space(first, end)
                tokens = self._encoded.count(first, stop) if first < stop else 0
                if 0 < tokens <= self._size:
                    heading = self._outline.heading_of(first, stop)
                    yield Passage(first, stop, tokens, heading, page_at(first))
                    continue
            yield from self._split(start, end)

    def _spans(self) -> Iterator[tuple[int, int, int]]:
        """Yields sections, tiny ones joined with the next, with an estimate of their tokens."""
        sections = self._outline.sections
        totals = [self._encoded.before(section.start) for section in sections]
        totals.append(self._encoded.before(len(self._text)))
        index = 0
        while index < len(sections):
            first, before = sections[index], totals[index]
            index += 1
            while (
                totals[index] - before < _TINY * self._size
                and index < len(sections)
                and totals[index + 1] - before <= self._size
                and self._are_close(first, sections[index])
            ):
                index += 1
            yield first.start, sections[index - 1].end, totals[index] - before

    def _are_close(self, first: Section, following: Section) -> bool:
        return (
            # Text below a higher heading has nothing to do with the first one.
            following.level >= first.level > 0
            and self._outline.page_at(first.start) == self._outline.page_at(following.start)
        )

    def _split(self, start: int, end: int) -> Iterator[Passage]:
        """Splits one span: each passage begins where the last one ended, less the overlap."""
        outline = self._outline
        end = self._before_space(start, end)
        total = self._encoded.before(end)
        start = fresh = self._after_space(start, end)
        while fresh < end:
            header = self._headers.before(start)
            found = self._stop_after(start, fresh, end, total, header)
            if found is None:
                # The next word or row does not fit together with the overlap.
                start = fresh
                continue
            stop, tokens = found
            heading, page = outline.heading_of(fresh, stop), outline.page_at(fresh)
            names = self._headers.for_passage(header, stop)
            yield Passage(start, stop, tokens, heading, page, names)
            fresh = self._after_space(stop, end)
            start = self._overlap_start(start, stop, fresh) if fresh < end else fresh

    def _stop_after(
        self, start: int, fresh: int, end: int, total: int, header: Header
    ) -> tuple[int, int] | None:
        """Returns the end of the passage from ``start``, beyond ``fresh``, and its tokens.

        ``total`` is the number of tokens before the end of the span. The result is ``None`` if
        there is an overlap and not even one whole word or row fits after it.
        """
        if header.row_end is not None and header.row_end < end:
            end, total = header.row_end, self._encoded.before(header.row_end)
        before = self._encoded.before(start)
        budget = size = self._size - header.tokens
        while True:
            if total <= before + budget:
                stop: int | None = end
            else:
                limit = min(self._encoded.end_of(before + budget), end)
                far = before + budget + self._size
                stop = end if limit == end else self._best_stop(start, fresh, limit, far)
            if stop is None and start == fresh:
                return self._stop_in_first_word(fresh, limit, size)
            if stop is None:
                return None
            stop = self._before_space(start, stop)
            tokens = self._encoded.count(start, stop)
            if tokens <= size:
                return stop, tokens
            # A text alone may have a few tokens more than within its surroundings.
            budget -= max(1, tokens - size)
            if budget < 1:
                return self._stop_in_first_word(fresh, fresh, size) if start == fresh else None

    def _best_stop(self, start: int, fresh: int, limit: int, far: int) -> int | None:
        is_in_block = self._outline.is_in_block(limit)
        if is_in_block and (whole := self._whole_block(limit, fresh, far)):
            if whole[0] > fresh:
                return whole[0]
            return whole[1] if start == fresh else None
        filled = max(fresh, start + int((limit - start) * _WELL_FILLED))
        block = self._outline.last_block(filled + 1, limit + 1)
        if block is not None:
            return block
        if is_in_block and limit > fresh and self._tables.has_row_on_line(limit):
            row = self._tables.row_around(limit)
            return self._stop_at_row(row, start, fresh, filled, limit) if row else limit
        stop = self._sentence_or_word(fresh, filled, limit)
        if stop is not None and self._outline.is_in_block(stop):
            whole = self._whole_block(stop, fresh, far)
            return whole[1] if whole else stop
        return stop

    def _whole_block(self, offset: int, low: int, far: int) -> tuple[int, int] | None:
        """Returns the table or code block around an offset, if it is whole and fits into a chunk.

        The offset is in one. ``far`` is a number of tokens before which every such block ends.
        """
        whole = self._outline.whole_block(offset, low, self._encoded.end_of(far))
        return whole if whole and self._encoded.fits(self._size, *whole) else None

    def _stop_at_row(self, row: Row, start: int, fresh: int, filled: int, limit: int) -> int | None:
        """Returns the start of the row around ``limit``, or else an offset inside that row.

        A row is split only if it is longer than a chunk: between cells, or else as text.
        """
        fits = self._encoded.fits(self._size, *row)
        if row.start > fresh and (fits or row.start > filled):
            return row.start
        if fits and row.start == fresh == start:
            return row.end
        if start < fresh:
            return None
        cell = self._tables.last_cell(max(filled, row.start) + 1, limit + 1)
        if cell is not None:
            return cell
        if row.start > fresh:
            return row.start
        return self._sentence_or_word(fresh, filled, limit, within=row)

    def _sentence_or_word(
        self, fresh: int, filled: int, limit: int, within: Row | None = None
    ) -> int | None:
        """Returns the last end of a sentence or word; in no row but the one that has to be cut."""
        for stop in reversed(self._outline.sentences(filled + 1, limit + 1)):
            if self._tables.row_around(stop) in (None, within):
                return stop
        if limit > fresh and (self._text[limit].isspace() or self._text[limit - 1].isspace()):
            return limit
        words = self._text[fresh:limit].rsplit(None, 1)
        word = limit - len(words[1]) if len(words) == 2 else None
        if word is None or word <= filled:
            unspaced = self._unspaced(filled, limit)
            return word if unspaced is None else unspaced
        return word

    def _unspaced(self, filled: int, limit: int) -> int | None:
        """Returns the last clause or character before ``limit`` in a script without spaces."""
        if clauses := clause_starts(self._text, filled + 1, limit + 1):
            return clauses[-1]
        return character_start(self._text, filled + 1, limit + 1, last=True)

    def _stop_in_first_word(self, start: int, limit: int, size: int) -> tuple[int, int]:
        """Returns the end of the first word if it fits, and otherwise an offset inside it."""
        far = self._encoded.end_of(self._encoded.before(start) + 2 * self._size)
        if space := _SPACE.search(self._text, start, far):
            tokens = self._encoded.count(start, space.start())
            if tokens <= size:
                return space.start(), tokens
        stop = max(limit, start + 1)
        # Scripts without spaces have sentences, clauses and characters to split at.
        filled = start + int((stop - start) * _WELL_FILLED)
        ends = self._outline.sentences(filled + 1, stop + 1)
        better = ends[-1] if ends else self._unspaced(filled, stop)
        stop = better or whole_character(self._text, start + 1, stop)
        while (tokens := self._encoded.count(start, stop)) > size:
            if stop - start == 1:
                break
            fewer = stop - max(1, min(tokens - size, (stop - start) // 2))
            stop = whole_character(self._text, start + 1, fewer)
        return stop, tokens

    def _overlap_start(self, start: int, stop: int, fresh: int) -> int:
        """Returns the start of the next passage: a sentence or word that the overlap can hold.

        It is never inside a row of a table.
        """
        if self._overlap == 0 or self._tables.row_around(fresh):
            return fresh
        reached = self._encoded.end_of(self._encoded.before(stop) - self._overlap)
        earliest = max(reached, start + 1)
        # Looking for a row takes longer than looking for a character.
        has_rows = self._text.find("|", start, stop) >= 0 or bool(self._tables.row_at(earliest))
        for offset in self._overlap_starts(earliest, stop, has_rows=has_rows):
            first = self._after_space(offset, stop)
            if (
                first < stop
                and not (has_rows and self._tables.row_around(first))
                and self._encoded.count(first, stop) <= self._overlap
            ):
                return first
        return fresh

    def _overlap_starts(self, earliest: int, stop: int, *, has_rows: bool) -> Iterator[int]:
        text = self._text
        yield from self._outline.sentences(earliest, stop)
        if has_rows and self._tables.has_row_on_line(stop - 1):
            return
        yield from self._outline.blocks(earliest, stop)
        yield from clause_starts(text, earliest, stop)
        yield from (word.start() for word in _WORD_START.finditer(text, earliest, stop))
        first = earliest - 1
        while (character := character_start(text, first + 1, stop)) is not None:
            yield character
            first = character

    def _after_space(self, start: int, end: int) -> int:
        if start < end and not self._text[start].isspace():
            return start
        found = _NOT_SPACE.search(self._text, start, end)
        return found.start() if found else end

    def _before_space(self, start: int, end: int) -> int:
        while start < end and self._text[end - 1].isspace():
            end -= 1
        return end
