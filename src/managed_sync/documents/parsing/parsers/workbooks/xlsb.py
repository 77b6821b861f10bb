"""Reads ``.xlsb`` workbooks."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum

from managed_sync.documents.parsing.parsers.office.number_formats.formats import (
    FIXED_FORMATS,
    NumberFormat,
    formats_of_styles,
)
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.documents.parsing.parsers.workbooks.biff12 import (
    records,
    rich_string,
    rk_number,
    wide_string,
)
from managed_sync.documents.parsing.parsers.workbooks.cells import CellRange
from managed_sync.documents.parsing.parsers.workbooks.sheet_parts import (
    SHEETS,
    add_parts,
    link_cells,
)
from managed_sync.documents.parsing.parsers.workbooks.sheets import (
    Comment,
    Figure,
    Sheet,
    comment,
    write_workbook,
)

__all__ = ["parse_xlsb"]


class _Cell(IntEnum):
    """The kinds of cells, by the number of their record."""

    BLANK = 1
    RK = 2
    ERROR = 3
    BOOL = 4
    REAL = 5
    TEXT = 6
    SHARED = 7
    RICH_TEXT = 62


_FORMULAS = {8: _Cell.TEXT, 9: _Cell.REAL, 10: _Cell.BOOL, 11: _Cell.ERROR}
# Cells without a column of their own: each stands right of the one before.
_SHORT = {
    12: _Cell.BLANK,
    13: _Cell.RK,
    14: _Cell.ERROR,
    15: _Cell.BOOL,
    16: _Cell.REAL,
    17: _Cell.TEXT,
    18: _Cell.SHARED,
}
_ROW, _FORMULA_LAST = 0, 11
_SHARED_TEXT, _FORMAT, _STYLE = 19, 44, 47
_WORKBOOK, _SHEET = 153, 156
_LINK, _STYLES, _STYLES_END = 494, 617, 618
_AUTHOR, _COMMENT, _COMMENT_TEXT = 632, 635, 637
_TABLE = 343
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}


def parse_xlsb(data: bytes, *, name: str) -> str:
    """Reads a workbook, with a page, a heading and tables for each sheet.

    Raises:
        ParsingError: The file is damaged or protected.
    """
    with reading(name):
        package = Package(data, name=name)
        if not package.main_part:
            raise LookupError("it has no workbook in it")
        return write_workbook(_sheets(package))


def _sheets(package: Package) -> Iterator[Sheet]:
    main = package.main_part
    since_1904 = False
    named: list[tuple[str, str]] = []
    for kind, data in records(package.read(main)):
        if kind == _WORKBOOK and data:
            since_1904 = bool(data[0] & 1)
        elif kind == _SHEET:
            key, end = wide_string(data, 8)
            named.append((wide_string(data, end)[0], key))
    formats = _formats(package, since_1904=since_1904)
    strings = [
        rich_string(data, 0)
        for part in package.related(main, "sharedStrings")
        for kind, data in records(package.read(part))
        if kind == _SHARED_TEXT
    ]
    relationships = package.relationships(main)
    for sheet_name, key in named:
        target = relationships.get(key)
        if target and target.kind in SHEETS and target.target in package:
            yield _sheet(package, target.target, sheet_name, strings, formats)


def _sheet(
    package: Package,
    part: str,
    name: str,
    strings: Sequence[str],
    formats: Sequence[NumberFormat],
) -> Sheet:
    sheet = Sheet(name)
    links: list[tuple[CellRange, str]] = []
    row = column = 0
    for kind, data in records(package.read(part)):
        if kind == _ROW and len(data) >= 4:
            row, column = int.from_bytes(data[:4], "little") + 1, 0
        elif kind in _SHORT:
            column += 1
            value = _shown(_SHORT[kind], b"\0\0\0\0" + data, strings, formats)
            _add(sheet, row, column, value)
        elif kind <= _FORMULA_LAST or kind == _Cell.RICH_TEXT:
            column = int.from_bytes(data[:4], "little") + 1
            value = _shown(_FORMULAS.get(kind, kind), data, strings, formats)
            _add(sheet, row, column, value)
        elif kind == _LINK and (where := _range(data, 0)):
            links.append((where, wide_string(data, 16)[0]))
    link_cells(sheet, links, package.relationships(part))
    for table in package.related(part, "table"):
        for kind, data in records(package.read(table)):
            if kind == _TABLE and (where := _range(data, 0)):
                sheet.tables.append((where[0], where[2]))
    sheet.comments += _comments(package, part)
    add_parts(sheet, package, part)
    return sheet


def _add(sheet: Sheet, row: int, column: int, value: str) -> None:
    if value and not value.isspace():
        sheet.rows.setdefault(row, {})[column] = value


def _shown(kind: int, data: bytes, strings: Sequence[str], formats: Sequence[NumberFormat]) -> str:
    """Returns the text of a cell, whose bytes begin with its column and its style."""
    style = int.from_bytes(data[4:7], "little")
    shown = formats[style] if style < len(formats) else formats[0]
    text = ""
    try:
        match kind:
            case _Cell.RK:
                text = Figure(shown.show(rk_number(data, 8)))
            case _Cell.REAL:
                text = Figure(shown.show(struct.unpack_from("<d", data, 8)[0]))
            case _Cell.ERROR:
                text = Figure(_ERRORS.get(data[8], "#ERROR"))
            case _Cell.BOOL:
                text = Figure("TRUE" if data[8] else "FALSE")
            case _Cell.TEXT:
                text = shown.show_text(wide_string(data, 8)[0])
            case _Cell.RICH_TEXT:
                text = shown.show_text(rich_string(data, 8))
            case _Cell.SHARED:
                text = shown.show_text(strings[int.from_bytes(data[8:12], "little")])
    except (struct.error, IndexError, ValueError, ArithmeticError):
        # A damaged cell is left out.
        return ""
    return text


def _range(data: bytes, at: int) -> CellRange | None:
    if len(data) < at + 16:
        return None
    first_row, last_row, first_column, last_column = struct.unpack_from("<4I", data, at)
    return first_row + 1, first_column + 1, last_row + 1, last_column + 1


def _comments(package: Package, part: str) -> Iterator[Comment]:
    for name in package.related(part, "comments"):
        if not name.endswith(".bin"):
            continue
        authors: list[str] = []
        row, author = 0, ""
        for kind, data in records(package.read(name)):
            if kind == _AUTHOR:
                authors.append(wide_string(data, 0)[0])
            elif kind == _COMMENT and (where := _range(data, 4)):
                number = int.from_bytes(data[:4], "little")
                row, author = where[0], authors[number] if number < len(authors) else ""
            elif kind == _COMMENT_TEXT and not author.startswith("tc={"):
                yield Comment(row, comment(rich_string(data, 0), author))


def _formats(package: Package, *, since_1904: bool) -> list[NumberFormat]:
    codes = dict(FIXED_FORMATS)
    styles: list[int] = []
    is_cell_style = False
    for part in package.related(package.main_part, "styles"):
        for kind, data in records(package.read(part)):
            if kind == _FORMAT:
                codes.setdefault(int.from_bytes(data[:2], "little"), wide_string(data, 2)[0])
            elif kind in {_STYLES, _STYLES_END}:
                is_cell_style = kind == _STYLES
            elif kind == _STYLE and is_cell_style:
                styles.append(int.from_bytes(data[2:4], "little"))
    return formats_of_styles(styles, codes, since_1904=since_1904)
