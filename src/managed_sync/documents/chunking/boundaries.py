"""Finds the boundaries of chunks: at sections first, then at blocks, sentences and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from managed_sync.documents.chunking.outline import Outline, Section
from managed_sync.documents.chunking.tokens import EncodedText

__all__ = ["BoundaryFinder", "Passage"]

# A section below this part of the chunk size does not get a chunk of its own.
_TINY = 1 / 8
# A boundary of a better kind is taken if at least this part of the chunk is then full.
_WELL_FILLED = 1 / 2
_SPACE = re.compile(r"\s")
_NOT_SPACE = re.compile(r"\S")
_WORD_START = re.compile(r"(?<=\s)\S")
_CJK_STOPS = "。！？；，、"  # noqa: RUF001


class Passage(NamedTuple):
    """A part of a text.

    Attributes:
        start: Its first character.
        end: The character after its last one.
        tokens: The number of its tokens.
        heading: The headings above it.
        page: The page it begins on; 0 in a text without pages.
    """

    start: int
    end: int
    tokens: int
    heading: str
    page: int


class BoundaryFinder:
    """Finds the passages of one text, which is encoded only once.

    Args:
        text: The text.
        outline: Its sections, blocks and sentences.
        encoded: Its tokens.
        size: Maximum number of tokens in a passage.
        overlap: Maximum number of tokens that a passage repeats of the one before it.
    """

    def __init__(
        self, text: str, outline: Outline, encoded: EncodedText, size: int, overlap: int
    ) -> None:
        self._text = text
        self._outline = outline
        self._encoded = encoded
        self._size = size
        self._overlap = overlap

    def passages(self) -> Iterator[Passage]:
        """Yields the passages, in order."""
        page_at = self._outline.page_at
        for start, end, heading, total in self._spans():
            if total <= self._size:
                first = self._after_space(start, end)
                stop = self._before_space(first, end)
                tokens = self._encoded.count(first, stop) if first < stop else 0
                if 0 < tokens <= self._size:
                    yield Passage(first, stop, tokens, heading, page_at(first))
                    continue
            yield from self._split(start, end, heading)

    def _spans(self) -> Iterator[tuple[int, int, str, int]]:
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
            yield first.start, sections[index - 1].end, first.heading, totals[index] - before

    def _are_close(self, first: Section, following: Section) -> bool:
        return (
            # Text below a higher heading has nothing to do with the first one.
            following.level >= first.level > 0
            and self._outline.page_at(first.start) == self._outline.page_at(following.start)
        )

    def _split(self, start: int, end: int, heading: str) -> Iterator[Passage]:
        """Splits one span: each passage begins where the last one ended, less the overlap."""
        total = self._encoded.before(end)
        end = self._before_space(start, end)
        start = fresh = self._after_space(start, end)
        while fresh < end:
            found = self._stop_after(start, fresh, end, total)
            if found is None:
                # The next word does not fit together with the overlap.
                start = fresh
                continue
            stop, tokens = found
            yield Passage(start, stop, tokens, heading, self._outline.page_at(start))
            fresh = self._after_space(stop, end)
            start = self._overlap_start(start, stop, fresh) if fresh < end else fresh

    def _stop_after(self, start: int, fresh: int, end: int, total: int) -> tuple[int, int] | None:
        """Returns the end of the passage from ``start``, beyond ``fresh``, and its tokens.

        ``total`` is the number of tokens before the end of the span. The result is ``None`` if
        there is an overlap and not even one whole word fits after it.
        """
        before = self._encoded.before(start)
        budget = self._size
        while True:
            if total <= before + budget:
                stop: int | None = end
            else:
                limit = min(self._encoded.end_of(before + budget), end)
                far = before + budget + self._size
                stop = end if limit == end else self._best_stop(start, fresh, limit, far)
            if stop is None and start == fresh:
                return self._stop_in_first_word(fresh, limit)
            if stop is None:
                return None
            stop = self._before_space(start, stop)
            tokens = self._encoded.count(start, stop)
            if tokens <= self._size:
                return stop, tokens
            # A text alone may have a few tokens more than within its surroundings.
            budget -= max(1, tokens - self._size)
            if budget < 1:
                return self._stop_in_first_word(fresh, fresh) if start == fresh else None

    def _best_stop(self, start: int, fresh: int, limit: int, far: int) -> int | None:
        if whole := self._whole_block(limit, fresh, far):
            if whole[0] > fresh:
                return whole[0]
            return whole[1] if start == fresh else None
        filled = max(fresh, start + int((limit - start) * _WELL_FILLED))
        block = self._outline.last_block(filled + 1, limit + 1)
        if block is not None:
            return block
        stop = self._sentence_or_word(fresh, filled, limit)
        if stop is not None and (whole := self._whole_block(stop, fresh, far)):
            return whole[1]
        return stop

    def _whole_block(self, offset: int, low: int, far: int) -> tuple[int, int] | None:
        """Returns the table or code block around an offset, if it is whole and fits into a chunk.

        ``far`` is a number of tokens before which every such block ends.
        """
        if not self._outline.is_in_block(offset):
            return None
        whole = self._outline.whole_block(offset, low, self._encoded.end_of(far))
        return whole if whole and self._encoded.count(*whole) <= self._size else None

    def _sentence_or_word(self, fresh: int, filled: int, limit: int) -> int | None:
        if sentences := self._outline.sentences(filled + 1, limit + 1):
            return sentences[-1]
        if limit > fresh and (self._text[limit].isspace() or self._text[limit - 1].isspace()):
            return limit
        words = self._text[fresh:limit].rsplit(None, 1)
        return limit - len(words[1]) if len(words) == 2 else None

    def _stop_in_first_word(self, start: int, limit: int) -> tuple[int, int]:
        """Returns the end of the first word if it fits, and otherwise an offset inside it."""
        far = self._encoded.end_of(self._encoded.before(start) + 2 * self._size)
        if space := _SPACE.search(self._text, start, far):
            tokens = self._encoded.count(start, space.start())
            if tokens <= self._size:
                return space.start(), tokens
        stop = max(limit, start + 1)
        # Scripts without spaces have punctuation to split at.
        mark = max(self._text.rfind(mark, start, stop) for mark in _CJK_STOPS)
        if mark > start + (stop - start) * _WELL_FILLED:
            stop = mark + 1
        while (tokens := self._encoded.count(start, stop)) > self._size:
            if stop - start == 1:
                break
            stop -= max(1, min(tokens - self._size, (stop - start) // 2))
        return stop, tokens

    def _overlap_start(self, start: int, stop: int, fresh: int) -> int:
        """Returns the start of the next passage: a sentence or word that the overlap can hold."""
        if self._overlap == 0:
            return fresh
        reached = self._encoded.end_of(self._encoded.before(stop) - self._overlap)
        earliest = max(reached, start + 1)
        for starts in (self._outline.sentences, self._outline.blocks):
            for offset in starts(earliest, stop):
                first = self._after_space(offset, stop)
                if first < stop and self._encoded.count(first, stop) <= self._overlap:
                    return first
        while word := _WORD_START.search(self._text, earliest, stop):
            if self._encoded.count(word.start(), stop) <= self._overlap:
                return word.start()
            earliest = word.start() + 1
        return fresh

    def _after_space(self, start: int, end: int) -> int:
        if start < end and not self._text[start].isspace():
            return start
        found = _NOT_SPACE.search(self._text, start, end)
        return found.start() if found else end

    def _before_space(self, start: int, end: int) -> int:
        while start < end and self._text[end - 1].isspace():
            end -= 1
        return end
