"""Reads the tables of web pages: rows and cells, and whether a table is only a layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from managed_sync.documents.parsing.parsers.web.html_tree import Contains, Element, Node

__all__ = ["TableContent", "is_layout", "rows_of", "table_cells"]

_GROUPS = {"thead", "tbody", "tfoot"}
_IGNORED = {"col", "colgroup"}
# The limits of the standard for the size of a cell.
_MAX_COLUMNS = 1000
_MAX_ROWS = 65534
# Cells that span others may fill at most this many places for each cell that there is.
_PLACES = 20
# The most letters of a cell that can be a heading of a column or a row.
_SHORT = 80


class TableContent(NamedTuple):
    """The parts of a table.

    Attributes:
        captions: Its captions.
        strays: Texts and elements that are in no cell; browsers show them above the table.
        rows: The cells of each row.
    """

    captions: list[Element]
    strays: list[Node]
    rows: list[list[Element]]


def rows_of(table: Element, is_left_out: Callable[[Element], bool]) -> TableContent:
    """Returns the parts of a table, without those that are left out."""
    content = TableContent([], [], [])
    _collect(table, content, is_left_out)
    return content


def _collect(
    parent: Element, content: TableContent, is_left_out: Callable[[Element], bool]
) -> None:
    for child in parent.children:
        if isinstance(child, str):
            if child.strip():
                content.strays.append(child)
        elif child.tag in _IGNORED or is_left_out(child):
            continue
        elif child.tag in _GROUPS:
            _collect(child, content, is_left_out)
        elif child.tag == "tr":
            content.rows.append(_cells(child, content, is_left_out))
        elif child.tag in {"td", "th"}:
            content.rows.append([child])
        elif child.tag == "caption":
            content.captions.append(child)
        else:
            content.strays.append(child)


def _cells(
    row: Element, content: TableContent, is_left_out: Callable[[Element], bool]
) -> list[Element]:
    cells = []
    for child in row.children:
        if isinstance(child, str):
            if child.strip():
                content.strays.append(child)
        elif child.tag in {"td", "th"}:
            if not is_left_out(child):
                cells.append(child)
        elif not is_left_out(child):
            content.strays.append(child)
    return cells


def is_layout(table: Element, rows: Sequence[Sequence[Element]]) -> bool:
    """Tells whether a table only arranges the parts of a page.

    A table of data has several columns, and no headings or other tables in its cells, unless it
    names its columns. Headings that are short cells of several rows are data.
    """
    if table.get("role").lower() in {"presentation", "none"}:
        return True
    if any(cell.tag == "th" for row in rows for cell in row):
        return False
    if max(map(len, rows), default=0) < 2:
        return True
    cells = [cell for row in rows for cell in row]
    if any(cell.contains & Contains.TABLE for cell in cells):
        return True
    is_grid = len(rows) > 1 and all(cell.letters <= _SHORT for cell in cells)
    return not is_grid and any(cell.contains & Contains.HEADING for cell in cells)


def table_cells(
    rows: Sequence[Sequence[Element]], write: Callable[[Element], str]
) -> list[list[str]]:
    """Returns the text of each place in a table.

    A cell over several rows is repeated in each, so that every row can be read alone. A cell over
    several columns is in the first of them.
    """
    places = sum(_span(cell, "colspan") * _span(cell, "rowspan") for row in rows for cell in row)
    has_spans = places <= 1000 + _PLACES * sum(map(len, rows))
    table: list[list[str]] = []
    pending: dict[int, tuple[str, int]] = {}
    for row in rows:
        cells: list[str] = []
        for cell in row:
            _fill(cells, pending)
            text = write(cell)
            columns = _span(cell, "colspan") if has_spans else 1
            if has_spans and (below := _span(cell, "rowspan") - 1):
                for offset in range(columns):
                    pending[len(cells) + offset] = (text if offset == 0 else "", below)
            cells += [text, *[""] * (columns - 1)]
        _fill(cells, pending)
        while any(place > len(cells) for place in pending):
            cells.append("")
            _fill(cells, pending)
        table.append(cells)
    return table


def _fill(cells: list[str], pending: dict[int, tuple[str, int]]) -> None:
    """Adds the cells of the rows above that reach into this row, at the next places."""
    while len(cells) in pending:
        place = len(cells)
        text, below = pending.pop(place)
        cells.append(text)
        if below > 1:
            pending[place] = (text, below - 1)


def _span(cell: Element, name: str) -> int:
    if name not in cell.attributes:
        return 1
    value = cell.get(name)
    limit = _MAX_COLUMNS if name == "colspan" else _MAX_ROWS
    return min(max(int(value), 1), limit) if value.isdecimal() and len(value) < 9 else 1
