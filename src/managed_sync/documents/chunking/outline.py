"""Reads a document's Markdown: the offsets of its sections, paragraphs and sentences.

Headings, code blocks and pages are found in one pass. Everything below them is searched for only
around the boundaries of chunks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import NamedTuple

from managed_sync.documents.chunking.sentences import sentence_starts
from managed_sync.documents.chunking.tables import Tables

__all__ = ["HEADING_SEPARATOR", "SIBLING_SEPARATOR", "Outline", "Section"]

HEADING_SEPARATOR = " > "
"""Stands between the headings of a path."""
SIBLING_SEPARATOR = "; "
"""Stands between the headings of several sections."""

_CLOSE = 250
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
# Lines that begin a block of their own: table rows, list items, quotations.
_OWN_LINE = re.compile(r"\n(?=[^\S\n\f]*(?:\||[-*+>•][ \t]|\d{1,9}[.)][ \t]))")
_LONGEST_MARKER = 11
_LINE = re.compile(r"\n")
_NOT_SPACE = re.compile(r"\S")


class Section(NamedTuple):
    """A heading and the text up to the next one; the first has no heading if none comes first.

    Attributes:
        start: The offset of its first character.
        end: The offset at which the next one begins.
        level: The level of its heading, 0 without one.
        path: The headings above it and its own, outermost first.
    """

    start: int
    end: int
    level: int
    path: tuple[str, ...]


class Outline:
    """The structure of a text; all positions are offsets, and lists of them ascend.

    Args:
        text: A document's text, in the Markdown of ``markdown_writer``.
        fits: Tells whether a chunk can hold the text between two offsets.

    Attributes:
        sections: The sections, without gaps.
        pages: The offset of each page but the first.
        tables: The tables.
    """

    def __init__(
        self, text: str, fits: Callable[[int, int], bool] = lambda start, stop: True
    ) -> None:
        self._text = text
        self.pages: list[int] = []
        self._code_starts: list[int] = []
        self._code_ends: list[int] = []
        headings = self._landmarks()
        self.tables = Tables(text, self._in_code, fits)
        self.sections = _sections(headings, len(text))
        self._section_starts = [section.start for section in self.sections]
        self._heading_starts = [start for start, _, _ in headings]

    def heading_of(self, start: int, stop: int) -> str:
        """Returns the headings above the text between two offsets, and those in it."""
        first = bisect_right(self._section_starts, start) - 1
        last = max(first + 1, bisect_left(self._section_starts, stop))
        return _heading([section.path for section in self.sections[first:last]])

    def page_at(self, offset: int) -> int:
        """Returns the number of the page around an offset; 0 in a text without pages."""
        return bisect_right(self.pages, offset) + 1 if self.pages else 0

    def blocks(self, low: int, high: int) -> list[int]:
        """Returns the starts of paragraphs, lists, tables, code blocks and pages in a range."""
        pattern = _GAP_OR_PAGE if self.pages else _GAP
        starts = [
            start
            for gap in pattern.finditer(self._text, self._run_start(low), self._next_end(high))
            if low <= (start := gap.end()) < high
        ]
        if self._has_code(low, high):
            starts = [start for start in starts if not self._in_code(start)]
            starts += _between(self._code_starts, low, high)
        return sorted({*starts, *_between(self._heading_starts, low, high)})

    def last_block(self, low: int, high: int) -> int | None:
        """Returns the last start of a block in a range; it looks close to the end first."""
        middle = max(low, high - _CLOSE)
        blocks = self.blocks(middle, high) or self.blocks(low, middle)
        return blocks[-1] if blocks else None

    def sentences(self, low: int, high: int) -> list[int]:
        """Returns the starts of sentences, table rows, list items and quotations in a range."""
        until = self._next_end(high)
        starts = sentence_starts(self._text, low, high, until)
        lines = self._own_lines(low, high, until)
        return sorted({*starts, *lines}) if lines else starts

    def is_in_block(self, offset: int) -> bool:
        """Tells whether splitting at an offset may split a table or a code block."""
        if self._in_code(offset):
            return True
        return self.tables.has_row_on_line(offset)

    def whole_block(self, offset: int, low: int, high: int) -> tuple[int, int] | None:
        """Returns the table or code block that splitting at an offset would split.

        It is ``None`` if there is no such block, or if it is not between ``low`` and ``high``.
        """
        index = self._code_around(offset)
        if index is not None:
            start, end = self._next_end(self._code_starts[index]) - 1, self._code_ends[index]
        else:
            start, end = self.tables.table_around(offset, low, high) or (offset, offset)
        if not low <= start < offset < end <= high:
            return None
        end = start + len(self._text[start:end].rstrip())
        return (start, end) if offset < end else None

    def _landmarks(self) -> list[tuple[int, int, str]]:
        """Notes code blocks and pages, and returns the headings."""
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

    def _code_around(self, offset: int) -> int | None:
        index = bisect_left(self._code_starts, offset) - 1
        return index if index >= 0 and offset < self._code_ends[index] else None

    def _has_code(self, low: int, high: int) -> bool:
        """Tells whether a code block is, at least in part, in a range."""
        index = bisect_left(self._code_starts, high) - 1
        return index >= 0 and self._code_ends[index] > low

    def _own_lines(self, low: int, high: int, until: int) -> list[int]:
        """Returns the starts of table rows, list items and quotations, and of lines of code."""
        text = self._text
        first = max(0, low - 1)
        if text.find("\n", first, high) < 0:
            return []
        if self._has_code(low, high):
            lines = [line.end() for line in _LINE.finditer(text, first, high - 1)]
            return [line for line in lines if self._begins_block(line)]
        lines = [line.end() for line in _OWN_LINE.finditer(text, first, until + _LONGEST_MARKER)]
        return [line for line in lines if line < high and not self._after_gap(line)]

    def _in_code(self, offset: int) -> bool:
        return self._code_around(offset) is not None

    def _begins_block(self, line: int) -> bool:
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

    def _run_start(self, offset: int) -> int:
        """Returns the start of the white space before an offset."""
        while offset > 0 and self._text[offset - 1].isspace():
            offset -= 1
        return offset

    def _next_end(self, offset: int) -> int:
        """Returns the end of the first character from an offset on that is no white space."""
        found = _NOT_SPACE.search(self._text, offset)
        return found.end() if found else len(self._text)


def _without_closing_hashes(title: str) -> str:
    return (_CLOSING_HASHES.sub("", title) if "#" in title else title).strip()


def _between(offsets: list[int], low: int, high: int) -> list[int]:
    return offsets[bisect_left(offsets, low) : bisect_left(offsets, high)]


def _heading(paths: list[tuple[str, ...]]) -> str:
    """Returns the path of one section, or of several that follow each other.

    Examples:
        >>> _heading([("Travel",), ("Travel", "Hotels"), ("Travel", "Meals")])
        'Travel > Hotels; Meals'
    """
    if len(paths) == 1:
        return HEADING_SEPARATOR.join(paths[0])
    shared = 0
    while all(path[shared : shared + 1] == paths[0][shared : shared + 1] != () for path in paths):
        shared += 1
    below = [
        HEADING_SEPARATOR.join(path[shared:])
        for path, following in zip(paths, [*paths[1:], ()], strict=True)
        # A section's own heading is in the path of the sections below it.
        if path[shared:] and following[: len(path)] != path
    ]
    above = paths[0][:shared]
    return HEADING_SEPARATOR.join([*above, SIBLING_SEPARATOR.join(below)] if below else above)


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
