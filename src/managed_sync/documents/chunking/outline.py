"""Reading a document's Markdown again: where its sections, paragraphs and sentences begin.

Headings, code blocks and pages are found in one pass. Everything below them is looked for only
around the places where a text is cut.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

__all__ = ["Outline", "Section"]

_SEPARATOR = " > "
_HEADING = r" {0,3}(#{1,6})[ \t]+(\S[^\n\f]*)"
_FENCE = r" {0,3}(`{3,}|~{3,})"
_LANDMARK = rf"(?= {{0,3}}[#`~])(?:{_HEADING}|{_FENCE}([^\n\f]*))"
# Searching is several times as fast for a pattern that begins with one certain character.
_LANDMARKS = re.compile(rf"\n{_LANDMARK}")
_LANDMARKS_AND_PAGES = re.compile(rf"[\n\f]{_LANDMARK}|\f")
_CLOSING_HASHES = re.compile(r"[ \t]+#+[ \t]*$")
_FENCE_LINE = re.compile(_FENCE)
_GAP = re.compile(r"\n[^\S\n]*\n(?:[^\S\n]*\n)*(?=[^\S\n]*\S)")
_GAP_OR_PAGE = re.compile(r"(?:\n[^\S\n\f]*[\n\f]|\f)(?:[^\S\n\f]*[\n\f])*(?=[^\S\n\f]*\S)")
# Lines that stand for themselves: table rows, list items, quotations.
_OWN_LINE = re.compile(r"\n(?=[^\S\n\f]*(?:\||[-*+>•][ \t]|\d{1,9}[.)][ \t]))")
_LINE = re.compile(r"\n")
_CLOSE = 250
_LONGEST_MARKER = 11
_ROW = re.compile(r"[^\S\n\f]*\|")
_CLOSERS = "\"'”’)]"  # noqa: RUF001 - quotation marks of several languages
_SENTENCE_END = re.compile(rf"[.!?…。！？][{re.escape(_CLOSERS)}]*\s+")  # noqa: RUF001
_NOT_SPACE = re.compile(r"\S")


class Section(NamedTuple):
    """A heading and the text up to the next one; the first has no heading if none comes first.

    Attributes:
        start: Where it begins, in characters.
        end: Where the next one begins.
        level: The level of its heading, 0 without one.
        path: The headings above it and its own, outermost first.
    """

    start: int
    end: int
    level: int
    path: tuple[str, ...]

    @property
    def heading(self) -> str:
        """The path as one text."""
        return _SEPARATOR.join(self.path)


class Outline:
    """Where a text may be cut; all places are offsets, and lists of them ascend.

    Args:
        text: A document's text, as ``markdown`` writes it.

    Attributes:
        sections: The sections, without gaps.
        pages: Where each page but the first begins.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.pages: list[int] = []
        self._code_starts: list[int] = []
        self._code_ends: list[int] = []
        headings = self._landmarks()
        self.sections = _sections(headings, len(text))
        self._heading_starts = [start for start, _, _ in headings]

    def blocks(self, low: int, high: int) -> list[int]:
        """Where a paragraph, list, table, code block or page begins, from ``low`` to ``high``."""
        pattern = _GAP_OR_PAGE if self.pages else _GAP
        found = [
            place
            for gap in pattern.finditer(self._text, self._run_start(low), self._next_end(high))
            if low <= (place := gap.end()) < high
        ]
        if self._has_code(low, high):
            found = [place for place in found if not self._in_code(place)]
            found += _between(self._code_starts, low, high)
        return sorted({*found, *_between(self._heading_starts, low, high)})

    def last_block(self, low: int, high: int) -> int | None:
        """The last of these; most are close to the end."""
        middle = max(low, high - _CLOSE)
        blocks = self.blocks(middle, high) or self.blocks(low, middle)
        return blocks[-1] if blocks else None

    def sentences(self, low: int, high: int) -> list[int]:
        """Where a sentence begins, or a line that stands for itself, from ``low`` to ``high``."""
        text = self._text
        start = self._run_start(low)
        while start > 0 and text[start - 1] in _CLOSERS:
            start -= 1
        until = self._next_end(high)
        found: list[int] = []
        for end in _SENTENCE_END.finditer(text, max(0, start - 1), until):
            place = end.end()
            # A small letter follows abbreviations ("e.g. this"), seldom the end of a sentence.
            if low <= place < high and not text[place].islower():
                found.append(place)
        lines = self._own_lines(low, high, until)
        return sorted({*found, *lines}) if lines else found

    def is_in_block(self, place: int) -> bool:
        """Whether cutting at a place may tear a table or a code block apart."""
        if self._in_code(place):
            return True
        line = self._text.rfind("\n", 0, place) + 1
        return _ROW.match(self._text, line) is not None

    def whole_block(self, place: int, low: int, high: int) -> tuple[int, int] | None:
        """The table or code block that cutting at a place would tear apart.

        ``None`` where there is none, and where it does not lie between ``low`` and ``high``.
        """
        index = self._code_around(place)
        if index is not None:
            start, end = self._next_end(self._code_starts[index]) - 1, self._code_ends[index]
        else:
            start, end = self._table(place, low, high)
        if not low <= start < place < end <= high:
            return None
        end = start + len(self._text[start:end].rstrip())
        return (start, end) if place < end else None

    def _table(self, place: int, low: int, high: int) -> tuple[int, int]:
        text = self._text
        start = end = place
        line = text.rfind("\n", low, place) + 1 or low
        while _ROW.match(text, line):
            start = line
            if line <= low:
                break
            line = text.rfind("\n", low, line - 1) + 1 or low
        if start < place:
            end = self._line_end(place, high)
            while end < high and _ROW.match(text, end + 1):
                end = self._line_end(end + 1, high)
        return start, end

    def _line_end(self, place: int, high: int) -> int:
        end = self._text.find("\n", place, high + 1)
        return end if end >= 0 else high + (high < len(self._text))

    def _landmarks(self) -> list[tuple[int, int, str]]:
        """Notes down code blocks and pages, and returns the headings."""
        text = f"\n{self._text}"  # so that the first line is like any other
        pattern = _LANDMARKS_AND_PAGES if "\f" in text else _LANDMARKS
        headings: list[tuple[int, int, str]] = []
        fence = ""
        for match in pattern.finditer(text):
            line = match.start()
            if text[line] == "\f":
                self.pages.append(line)
                if fence:
                    self._code_ends.append(line)
                    fence = ""
            hashes, title, marks, rest = match.groups()
            if marks and not fence:
                fence = marks
                self._code_starts.append(line)
            elif marks and marks.startswith(fence) and not rest.strip().strip(fence[0]):
                self._code_ends.append(match.end() - 1)
                fence = ""
            elif hashes and not fence:
                headings.append((line, len(hashes), _without_closing_hashes(title)))
        if fence:
            self._code_ends.append(len(self._text))
        return headings

    def _code_around(self, place: int) -> int | None:
        index = bisect_left(self._code_starts, place) - 1
        return index if index >= 0 and place < self._code_ends[index] else None

    def _has_code(self, low: int, high: int) -> bool:
        """Whether a code block lies, at least in part, between two places."""
        index = bisect_left(self._code_starts, high) - 1
        return index >= 0 and self._code_ends[index] > low

    def _own_lines(self, low: int, high: int, until: int) -> list[int]:
        """Where lines begin that stand for themselves."""
        text = self._text
        first = max(0, low - 1)
        if text.find("\n", first, high) < 0:
            return []
        if self._has_code(low, high):
            lines = [line.end() for line in _LINE.finditer(text, first, high - 1)]
            return [line for line in lines if self._stands_for_itself(line)]
        lines = [line.end() for line in _OWN_LINE.finditer(text, first, until + _LONGEST_MARKER)]
        return [line for line in lines if line < high and not self._after_gap(line)]

    def _in_code(self, place: int) -> bool:
        return self._code_around(place) is not None

    def _stands_for_itself(self, line: int) -> bool:
        if self._in_code(line):
            return not _FENCE_LINE.match(self._text, line)
        return bool(_OWN_LINE.match(self._text, line - 1)) and not self._after_gap(line)

    def _after_gap(self, line: int) -> bool:
        end = line - 1
        while end > 0 and self._text[end - 1] not in "\n\f":
            if not self._text[end - 1].isspace():
                return False
            end -= 1
        return True

    def _run_start(self, place: int) -> int:
        """Where the white space before a place begins."""
        while place > 0 and self._text[place - 1].isspace():
            place -= 1
        return place

    def _next_end(self, place: int) -> int:
        """The end of the first character at or after a place that is no white space."""
        found = _NOT_SPACE.search(self._text, place)
        return found.end() if found else len(self._text)


def _without_closing_hashes(title: str) -> str:
    return (_CLOSING_HASHES.sub("", title) if "#" in title else title).strip()


def _between(places: list[int], low: int, high: int) -> list[int]:
    return places[bisect_left(places, low) : bisect_left(places, high)]


def _sections(headings: list[tuple[int, int, str]], length: int) -> list[Section]:
    sections: list[Section] = []
    first = headings[0][0] if headings else length
    if first > 0:
        sections.append(Section(0, first, 0, ()))
    path: list[tuple[int, str]] = []
    for index, (start, level, title) in enumerate(headings):
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, title))
        end = headings[index + 1][0] if index + 1 < len(headings) else length
        sections.append(Section(start, end, level, tuple(name for _, name in path)))
    return sections
