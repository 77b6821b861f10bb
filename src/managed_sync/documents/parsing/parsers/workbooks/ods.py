"""Reads ``.ods`` workbooks. They keep the text of each cell as it is shown."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.office.odf_blocks import (
    annotation,
    body_text,
)
from managed_sync.documents.parsing.parsers.office.odf_document import opened
from managed_sync.documents.parsing.parsers.office.odf_drawings import DrawingReader
from managed_sync.documents.parsing.parsers.workbooks.sheets import (
    Comment,
    Figure,
    Row,
    Sheet,
    comment,
    write_workbook,
)

__all__ = ["parse_ods"]

_CELLS = {"table:table-cell", "table:covered-table-cell"}
_VALUES = ("office:value", "office:date-value", "office:time-value", "office:boolean-value")
# A value that is repeated more often fills a whole row or column, and says so once.
_MAX_REPEATED = 1000


def parse_ods(data: bytes, *, name: str) -> str:
    """Reads a workbook, with a page, a heading and tables for each sheet.

    Raises:
        ParsingError: The file is damaged or protected.
    """
    with opened(data, name=name) as document:
        drawings = DrawingReader(document, with_values=False)
        sheets = [sheet for body in document.content.iter("office:spreadsheet") for sheet in body]
        return write_workbook(
            _sheet(sheet, drawings) for sheet in sheets if sheet.tag == "table:table"
        )


def _sheet(element: Element, drawings: DrawingReader) -> Sheet:
    sheet = Sheet(element.get("table:name", ""))
    number = 1
    for row in element.iter("table:table-row"):
        cells, drawn = _cells(row, number, sheet, drawings)
        count = _count(row, "table:number-rows-repeated")
        if cells:
            for index in range(count if count <= _MAX_REPEATED else 1):
                sheet.rows[number + index] = cells
        sheet.others += drawn
        number += count
    for shapes in element.iter("table:shapes"):
        for shape in shapes:
            sheet.others += drawings.blocks(shape)
    return sheet


def _cells(
    row: Element, number: int, sheet: Sheet, drawings: DrawingReader
) -> tuple[Row, list[str]]:
    """Returns the filled cells of a row, and the text of what is drawn over them."""
    cells: Row = {}
    drawn: list[str] = []
    column = 1
    for cell in row:
        if cell.tag not in _CELLS:
            continue
        count = _count(cell, "table:number-columns-repeated")
        # The cells that a merged cell covers may hold text that nobody sees.
        text = _shown(cell) if cell.tag == "table:table-cell" else ""
        if text and not text.isspace():
            for index in range(count if count <= _MAX_REPEATED else 1):
                cells[column + index] = text
        for child in cell:
            if child.tag == "office:annotation":
                sheet.comments.append(Comment(number, comment(*annotation(child))))
            elif child.tag.startswith("drawing:"):
                drawn += drawings.blocks(child)
        column += count
    return cells, drawn


def _shown(cell: Element) -> str:
    text = body_text(cell)
    kind = cell.get("office:value-type", "string")
    if kind == "string":
        return text or cell.get("office:string-value", "")
    return Figure(text or next((cell.get(name, "") for name in _VALUES if cell.get(name)), ""))


def _count(element: Element, name: str) -> int:
    count = element.get(name, "1")
    return max(1, min(int(count), 2_000_000)) if count.isdigit() else 1
