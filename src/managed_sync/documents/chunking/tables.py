"""Finds the rows and headers of a text's tables, in time that is linear in the text.

One pass finds where tables are; their rows are searched for only around the boundaries of chunks.
The chunker asks about offsets that ascend, so the last line is kept, and no row is looked at twice,
even if it is as long as the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Row", "Tables", "cells_of", "row_of"]

_ROW = re.compile(r"[^\S\n\f]*\|")
_ROWS = r"[^\S\n\f]*+\|[^\n\f]*+(?:\n[^\S\n\f]*+\|[^\n\f]*+)*+"
_TABLE = re.compile(_ROWS)
# Searching is several times as fast for a pattern that begins with one certain character.
_TABLES = re.compile(rf"\n{_ROWS}")
_TABLES_OR_PAGES = re.compile(rf"[\n\f]{_ROWS}")
_DELIMITER = re.compile(r"[^\S\n\f]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?=[\n\f]|\Z)")
_NAME = re.compile(r"[^\W_]")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """A row of a table; the header and the line below it are one row if a chunk can hold both.

    Attributes:
        start: The offset of its first ``|``.
        end: The offset after its last character that is no white space.
    """

    start: int
    end: int


class Tables:
    """The tables of a text.

    Args:
        text: The text.
        in_code: Tells whether an offset is in a code block, where nothing is a table.
        fits: Tells whether a chunk can hold the text between two offsets.
    """

    def __init__(
        self, text: str, in_code: Callable[[int], bool], fits: Callable[[int, int], bool]
    ) -> None:
        self._text = text
        self._in_code = in_code
        self._fits = fits
        self._has_pages = "\f" in text
        # The start of the first line and the end of the last line of each table.
        self._starts: list[int] = []
        self._ends: list[int] = []
        if "|" in text:
            self._find_tables()
        # The line and the header that were looked at last.
        self._line = (0, -1)
        self._head: tuple[int, Row | None, bool] = (-1, None, False)
        # The number of cells before an offset of the row that was looked at last.
        self._counted = (0, 0, 0)

    def row_at(self, offset: int) -> Row | None:
        """Returns the row around an offset, or the one that begins there."""
        text = self._text
        table = self._table_at(offset)
        if table is None or offset == len(text):
            return None
        line, end = self._line_at(offset)
        found = _ROW.match(text, line, end)
        if not found or offset < found.end() - 1 or self._in_code(offset):
            return None
        head, is_one_row = self._head_of(self._starts[table])
        if head and is_one_row and line < head.end:
            return head if offset < head.end else None
        end = self._before_space(end)
        return Row(found.end() - 1, end) if offset < end else None

    def row_around(self, offset: int) -> Row | None:
        """Returns the row that splitting at an offset would split."""
        row = self.row_at(offset)
        return row if row and row.start < offset else None

    def has_row_on_line(self, offset: int) -> bool:
        """Tells whether the line around an offset is a row of a table."""
        return self._table_at(offset) is not None and not self._in_code(offset)

    def table_around(self, offset: int, low: int, high: int) -> tuple[int, int] | None:
        """Returns the table that splitting at an offset would split, if it is within a range."""
        table = self._table_at(offset)
        if table is None or self._in_code(offset):
            return None
        start, end = self._text.index("|", self._starts[table]), self._ends[table]
        return (start, end) if low <= start < offset and end <= high else None

    def header_of(self, row: Row, offset: int) -> Row | None:
        """Returns the names of the columns, if an offset in a row is below them."""
        head, _ = self._head_of(self._starts[bisect_right(self._starts, row.start) - 1])
        if head is None:
            return None
        names = Row(head.start, self._text.index("\n", head.start))
        is_below = names.end < offset and _NAME.search(self._text, *names)
        return names if is_below else None

    def is_headless_at_start(self, row: Row) -> bool:
        """Tells whether a row is of a table that the text begins inside of, below its header."""
        if not self._starts or self._starts[0] > 0 or row.start > self._ends[0]:
            return False
        return self._head_of(0)[0] is None

    def ends_header(self, row: Row) -> bool:
        """Tells whether a row is the line below the names of the columns."""
        head, _ = self._head_of(self._starts[bisect_right(self._starts, row.start) - 1])
        return head is not None and row.end == head.end

    def cells_before(self, row: Row, offset: int) -> int:
        """Returns the number of cells that begin in a row before an offset."""
        start, counted, count = self._counted
        if start != row.start or counted > offset:
            start, counted, count = row.start, row.start, 0
        count += sum(1 for _ in _BETWEEN_CELLS.finditer(self._text, counted, offset))
        self._counted = (start, offset, count)
        return count

    def last_cell(self, low: int, high: int) -> int | None:
        """Returns the last ``|`` of a row in a range that begins a cell."""
        found = self._text.rfind("|", low, high)
        while found > low and self._text[found - 1] == "\\":
            found = self._text.rfind("|", low, found)
        return found if found >= low else None

    def _find_tables(self) -> None:
        text = self._text
        if first := _TABLE.match(text):
            self._starts.append(0)
            self._ends.append(first.end())
        pattern = _TABLES_OR_PAGES if self._has_pages else _TABLES
        for table in pattern.finditer(text, first.end() if first else 0):
            self._starts.append(table.start() + 1)
            self._ends.append(table.end())

    def _table_at(self, offset: int) -> int | None:
        """Returns the number of the table of whose lines one is around an offset."""
        table = bisect_right(self._starts, offset) - 1
        return table if table >= 0 and offset <= self._ends[table] else None

    def _head_of(self, first: int) -> tuple[Row | None, bool]:
        """Returns the header and the line below it of the table that begins with a line.

        With it comes whether a chunk can hold both.
        """
        if self._head[0] != first:
            text, head = self._text, None
            start, end = _ROW.match(text, first), self._end_of_line(first)
            if start and (below := _DELIMITER.match(text, end + 1)) and text[end] == "\n":
                head = Row(start.end() - 1, self._before_space(below.end()))
            self._head = first, head, head is not None and self._fits(*head)
        return self._head[1:]

    def _before_space(self, end: int) -> int:
        while self._text[end - 1].isspace():
            end -= 1
        return end

    def _line_at(self, offset: int) -> tuple[int, int]:
        start, end = self._line
        if not start <= offset <= end:
            start, end = self._start_of_line(offset), self._end_of_line(offset)
            self._line = (start, end)
        return start, end

    def _end_of_line(self, offset: int) -> int:
        end = self._text.find("\n", offset)
        end = end if end >= 0 else len(self._text)
        page = self._text.find("\f", offset, end) if self._has_pages else -1
        return page if page >= 0 else end

    def _start_of_line(self, offset: int) -> int:
        start = self._text.rfind("\n", 0, offset) + 1
        return (self._has_pages and self._text.rfind("\f", start, offset) + 1) or start


def cells_of(row: str) -> list[str]:
    r"""Returns the cells of a row, with their escapes.

    Examples:
        >>> cells_of(r"| Oslo | a \| b |")
        ['Oslo', 'a \\| b']
    """
    return [cell.strip() for cell in _BETWEEN_CELLS.split(row.strip().removeprefix("|"))][:-1]


def row_of(cells: list[str]) -> str:
    """Returns cells as a row; an empty text without cells.

    Examples:
        >>> row_of(["Oslo", "200"])
        '| Oslo | 200 |'
    """
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|" if cells else ""
