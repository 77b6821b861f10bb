"""Reads the formats of a Word file from before 2007: of paragraphs, of characters, and styles."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from managed_sync.documents.parsing.parsers.doc.binary import BinaryFile
from managed_sync.documents.parsing.parsers.rtf.tables import RowShape

__all__ = ["Formats", "ParagraphFormat"]

_PAGE = 512
_BODY_LEVEL = 9
_MAX_CHAIN = 10
_TITLE = 62
_NORMAL_PHE = 13
# The sizes of operands; 6 stands for one that states its own.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_DELETED, _HIDDEN = 0x0800, 0x083C
_IN_TABLE, _ROW_END, _OUTLINE, _LEVEL, _LIST = 0x2416, 0x2417, 0x2640, 0x260A, 0x460B
_DEFINE_TABLE, _PAGE_BEFORE = 0xD608, 0x2407
_CELL_SIZE = 20


@dataclass
class ParagraphFormat:
    """The format of a paragraph.

    Attributes:
        level: The level of a heading, 0 for other paragraphs.
        depth: The depth of a list item, -1 for other paragraphs.
        in_table: Tells whether it is in a table.
        ends_row: Tells whether it is the mark at the end of a row.
        begins_page: Tells whether it begins a page.
        shape: The cells of the row that it ends.
    """

    level: int = 0
    depth: int = -1
    in_table: bool = False
    ends_row: bool = False
    begins_page: bool = False
    shape: RowShape | None = None


class Formats:
    """The formats of a file, by places in it."""

    def __init__(self, file: BinaryFile) -> None:
        self._levels = _heading_levels(file.table("styles"))
        self._paragraphs = sorted(_runs(file, "paragraphs"), key=lambda run: run[0])
        self._starts = [start for start, _, _ in self._paragraphs]
        self.removed = sorted(
            (start, end) for start, end, data in _runs(file, "characters") if _is_removed(data)
        )

    @property
    def are_known(self) -> bool:
        """Tells whether the file has formats of paragraphs."""
        return bool(self._paragraphs)

    def at(self, offset: int) -> ParagraphFormat:
        """Returns the format of the paragraph around a place in the file."""
        index = bisect_right(self._starts, offset) - 1
        if index < 0 or offset >= self._paragraphs[index][1]:
            return ParagraphFormat()
        return self._read(self._paragraphs[index][2])

    def _read(self, data: bytes) -> ParagraphFormat:
        found = ParagraphFormat()
        if len(data) < 2:
            return found
        found.level = self._levels.get(int.from_bytes(data[:2], "little"), 0)
        listed, depth = 0, 0
        for code, operand in _properties(data[2:]):
            value = int.from_bytes(operand[:2], "little")
            if code == _IN_TABLE:
                found.in_table = bool(value)
            elif code == _ROW_END:
                found.ends_row = bool(value)
            elif code == _OUTLINE:
                found.level = value + 1 if value < _BODY_LEVEL else 0
            elif code == _LEVEL:
                depth = min(value, 8)
            elif code == _LIST:
                listed = value
            elif code == _PAGE_BEFORE:
                found.begins_page = bool(value)
            elif code == _DEFINE_TABLE:
                found.shape = _row_shape(operand)
        if listed:
            found.depth = depth
        return found


def _runs(file: BinaryFile, kind: str) -> Iterator[tuple[int, int, bytes]]:
    """Yields the formats with the places where they begin and end."""
    table = file.table(kind)
    count = (len(table) - 4) // 8
    for index in range(max(count, 0)):
        (number,) = struct.unpack_from("<I", table, 4 * (count + 1) + 4 * index)
        page = file.main[(number & 0x3FFFFF) * _PAGE :][:_PAGE]
        if len(page) == _PAGE:
            yield from _page_runs(page, is_paragraph=kind == "paragraphs")


def _page_runs(page: bytes, *, is_paragraph: bool) -> Iterator[tuple[int, int, bytes]]:
    count = page[-1]
    width = _NORMAL_PHE if is_paragraph else 1
    if 4 * (count + 1) + width * count > _PAGE:
        return
    places = struct.unpack_from(f"<{count + 1}I", page)
    for index in range(count):
        at = 2 * page[4 * (count + 1) + width * index]
        yield places[index], places[index + 1], _entry(page, at, is_paragraph) if at else b""


def _entry(page: bytes, at: int, is_paragraph: bool) -> bytes:
    size = page[at]
    if not is_paragraph:
        return page[at + 1 : at + 1 + size]
    if size:
        return page[at + 1 : at + 2 * size]
    return page[at + 2 : at + 2 + 2 * page[at + 1]] if at + 1 < _PAGE else b""


def _properties(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 < len(data):
        code = int.from_bytes(data[at : at + 2], "little")
        at += 2
        size = _SIZES.get(code >> 13)
        if code == _DEFINE_TABLE:
            size = int.from_bytes(data[at : at + 2], "little") - 1
            at += 2
        elif size is None:
            size = data[at]
            at += 1
        yield code, data[at : at + max(size, 0)]
        at += max(size, 0)


def _is_removed(data: bytes) -> bool:
    """Tells whether characters are hidden, or deleted while changes are tracked."""
    return any(
        code in {_DELETED, _HIDDEN} and operand[:1] == b"\1" for code, operand in _properties(data)
    )


def _row_shape(operand: bytes) -> RowShape:
    count = operand[0] if operand else 0
    shape = RowShape()
    if len(operand) < 1 + 2 * (count + 1):
        return shape
    edges = struct.unpack_from(f"<{count + 1}h", operand, 1)
    shape.begin(edges[0])
    for index in range(count):
        at = 1 + 2 * (count + 1) + _CELL_SIZE * index
        flags = int.from_bytes(operand[at : at + 2], "little")
        if flags & 2:
            shape.continue_left()
        if (flags >> 5) & 3 == 1:
            shape.continue_above()
        shape.end_cell(edges[index + 1])
    return shape


def _heading_levels(table: bytes) -> dict[int, int]:
    """Returns the levels of the styles that are headings or are based on one."""
    if len(table) < 6:
        return {}
    at = 2 + int.from_bytes(table[:2], "little")
    count = int.from_bytes(table[2:4], "little")
    known: dict[int, tuple[int, int]] = {}
    for index in range(count):
        size = int.from_bytes(table[at : at + 2], "little")
        if size >= 4 and at + 6 <= len(table):
            kind, base = struct.unpack_from("<HH", table, at + 2)
            known[index] = kind & 0xFFF, base >> 4
        at += 2 + size
    levels = {}
    for index in known:
        style = index
        for _ in range(_MAX_CHAIN):
            kind, style_below = known.get(style, (0, -1))
            if 1 <= kind <= _BODY_LEVEL or kind == _TITLE:
                levels[index] = 1 if kind == _TITLE else kind
                break
            style = style_below
    return levels
