"""Reads Excel files from their XML, cell by cell and part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.parsing.truth.model import Cell, Covered, DamagedFileError, Row, Text, Truth
from benchmarks.parsing.truth.office.cell_texts import ways_to_write
from benchmarks.parsing.truth.office.drawings import add_drawings, alternative_text, drawing_text
from benchmarks.parsing.truth.office.xml import Archive, local, relations

__all__ = ["column_of", "grid_rows", "read_workbook"]

_MAIN = "officeDocument"
_KINDS = {"s": "texts", "str": "texts", "inlineStr": "texts", "e": "errors", "b": "booleans"}
_MOST_COLUMNS = 300
_HEADER_PART = re.compile(r"&[LCR]")
# Numbers of pages, and the date of the print.
_CHANGING = re.compile(r"(?<!&)(?:&&)*&[PNDT]")
_HEADER_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-F]{6}|\d+|.)')


@dataclass
class _Book:
    archive: Archive
    strings: list[str]
    formats: list[str]
    is_1904: bool


def read_workbook(data: bytes) -> Truth:
    """Returns the truth about an Excel file.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    archive = Archive(data)
    main = next((one.name for one in relations(archive, "") if one.kind == _MAIN), "")
    if main not in archive:
        raise DamagedFileError("no workbook in it")
    truth = Truth(uncounted=frozenset({"hidden cells", "headers and footers", "alternative texts"}))
    root = archive.xml(main)
    names = {one.kind: one.name for one in relations(archive, main)}
    properties = root.find("{*}workbookPr")
    book = _Book(
        archive,
        _strings(archive, names.get("sharedStrings", "")),
        _formats(archive, names.get("styles", "")),
        properties is not None and properties.get("date1904") in {"1", "true"},
    )
    members = {one.id: one.name for one in relations(archive, main)}
    for sheet in root.iter("{*}sheet"):
        identifier = next((v for k, v in sheet.attrib.items() if k.endswith("}id")), "")
        name = members.get(identifier, "")
        if name in archive:
            is_hidden = sheet.get("state", "visible") != "visible"
            before = sum(map(len, truth.parts.values()))
            _add_sheet(truth, book, name, is_hidden=is_hidden)
            if sum(map(len, truth.parts.values())) > before:
                truth.add("hidden cells" if is_hidden else "sheet names", sheet.get("name", ""))
    return truth


def column_of(reference: str) -> int:
    """Returns the number of a cell's column, from 0.

    Examples:
        >>> column_of("AB12")
        27
    """
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1


def grid_rows(cells: dict[int, dict[int, Cell]]) -> Iterator[Row]:
    """Yields the rows of a sheet with two cells or more; blank cells may be left out."""
    columns = [column for line in cells.values() for column in line]
    if not columns or max(columns) > _MOST_COLUMNS:
        return
    for _, line in sorted(cells.items()):
        if sum(all(cell) for cell in line.values()) > 1:
            yield tuple(line.get(column, ()) for column in range(max(line) + 1))


def _strings(archive: Archive, name: str) -> list[str]:
    if name not in archive:
        return []
    return [_string(one) for one in archive.xml(name).iter("{*}si")]


def _string(item: Any) -> str:
    """The text of a string, without the readings of Japanese."""
    return "".join(one.text or "" for one in item.iter("{*}t") if local(one.getparent()) != "rPh")


def _formats(archive: Archive, name: str) -> list[str]:
    """The number format of each style: its code, or the number of a builtin one."""
    if name not in archive:
        return []
    root = archive.xml(name)
    codes = {
        one.get("numFmtId"): one.get("formatCode", "")
        for one in root.iterfind("{*}numFmts/{*}numFmt")
    }
    styles = root.find("{*}cellXfs")
    return [
        codes.get(one.get("numFmtId", "0"), one.get("numFmtId", "0"))
        for one in (() if styles is None else styles)
    ]


def _add_sheet(truth: Truth, book: _Book, name: str, *, is_hidden: bool) -> None:
    root = book.archive.xml(name)
    hidden = {
        number
        for one in root.iter("{*}col")
        if one.get("hidden") in {"1", "true"}
        for number in range(int(one.get("min", 1)) - 1, min(int(one.get("max", 1)), 16384))
    }
    cells: dict[int, dict[int, Cell]] = {}
    for number, line in enumerate(root.iter("{*}row")):
        row: dict[int, Cell] = {}
        is_hidden_row = is_hidden or line.get("hidden") in {"1", "true"}
        for index, cell in enumerate(line.iter("{*}c")):
            part, ways = _cell(book, cell)
            column = column_of(cell.get("r", "")) if cell.get("r") else index
            if not ways:
                continue
            is_hidden_cell = is_hidden_row or column in hidden
            truth.add("hidden cells" if is_hidden_cell else part, ways)
            row[column] = (ways,) if isinstance(ways, str) else ways
            truth.flow.append(row[column][0])
        if row and not is_hidden_row:
            cells[number] = row
    if not hidden:
        _merge(root, cells)
        truth.rows += grid_rows(cells)
    for one in root.iter("{*}oddHeader", "{*}oddFooter"):
        for text in _HEADER_PART.split(one.text or ""):
            if not _CHANGING.search(text):
                truth.add("headers and footers", _HEADER_CODE.sub(" ", text))
    _add_related(truth, book.archive, name)


def _cell(book: _Book, cell: Any) -> tuple[str, Text]:
    kind = cell.get("t", "n")
    text = _string(cell) if kind == "inlineStr" else cell.findtext("{*}v") or ""
    if not text.strip():
        return "", ""
    if kind == "s":
        is_known = text.strip().isdecimal() and int(text) < len(book.strings)
        return "texts", book.strings[int(text)] if is_known else ""
    if kind == "b":
        return "booleans", ("TRUE", "1") if text == "1" else ("FALSE", "0")
    if kind in _KINDS:
        return _KINDS[kind], text
    style = int(cell.get("s", "0"))
    code = book.formats[style] if style < len(book.formats) else "0"
    return ways_to_write(text, code, is_1904=book.is_1904)


def _merge(root: Any, cells: dict[int, dict[int, Cell]]) -> None:
    """A cell that another one covers may be blank, or repeat its text."""
    by_number = {
        int(line.get("r", number + 1)): number for number, line in enumerate(root.iter("{*}row"))
    }
    for one in root.iter("{*}mergeCell"):
        start, _, end = one.get("ref", "").partition(":")
        if not end:
            continue
        first, last = _line(start), _line(end)
        left, right = column_of(start), min(column_of(end), _MOST_COLUMNS)
        origin = cells.get(by_number.get(first, -1), {}).get(left)
        for number in range(first, min(last, first + 1000) + 1):
            line = cells.get(by_number.get(number, -1))
            if line is None or origin is None:
                continue
            for column in range(left, right + 1):
                if (number, column) != (first, left):
                    line[column] = Covered(("", *origin))


def _line(reference: str) -> int:
    digits = "".join(letter for letter in reference if letter.isdigit())
    return int(digits or 0)


def _add_related(truth: Truth, archive: Archive, name: str) -> None:
    found = [one for one in relations(archive, name) if one.name in archive]
    is_threaded = any(one.kind == "threadedComment" for one in found)
    for one in found:
        if one.kind == "threadedComment":
            for text in archive.xml(one.name).iter("{*}text"):
                truth.add("comments", text.text or "")
        elif one.kind == "comments" and not is_threaded:
            for comment in archive.xml(one.name).iter("{*}comment"):
                truth.add("comments", _string(comment))
        elif one.kind == "drawing":
            for paragraph in archive.xml(one.name).iter("{*}p"):
                truth.add("text boxes", drawing_text(paragraph))
            for properties in archive.xml(one.name).iter("{*}cNvPr"):
                truth.add("alternative texts", alternative_text(properties))
            for inner in relations(archive, one.name):
                # Its cells have the values of its charts.
                add_drawings(truth, archive, inner.kind, inner.name, with_cells=False)
