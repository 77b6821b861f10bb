"""Reads the tables of Word files, with each cell under its column.

A cell over several columns has its text in the first one. A short text of a cell over several rows
is repeated in each of them, since a chunk may begin at any row. Columns in which no cell begins are
left out: Word has them wherever the borders of two rows differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.word.blocks import SET, Block, flat

if TYPE_CHECKING:
    from managed_sync.documents.parsing.parsers.word.story import Story

__all__ = ["read_table"]

# Word has no more columns than this.
_MAX_COLUMNS = 63
_MAX_REPEATED = 100
_WRAPPERS = {"w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo", "w:smartTag"}
_BEHIND = {"comment", "footnote", "endnote", "markdown"}
_NOT_IN_CELL = {*_BEHIND, "page"}


@dataclass
class _Cell:
    column: int
    blocks: list[Block]
    merge: str = ""
    text: str = ""


def read_table(table: Element, story: Story) -> list[Block]:
    """Returns a table, and behind it the comments, charts and page breaks in it.

    A table that only frames or arranges other content is written as that content.
    """
    rows = [_cells(row, story) for row in _through(table, "w:tr") if not _is_deleted(row)]
    rows = [row for row in rows if row]
    if _is_layout(rows):
        return [block for row in rows for cell in row for block in cell.blocks]
    before: list[Block] = []
    behind: list[Block] = []
    for number, row in enumerate(rows):
        for cell in row:
            behind += [block for block in cell.blocks if block.kind in _BEHIND]
            cell.text = flat(block for block in cell.blocks if block.kind not in _NOT_IN_CELL)
        # The mark of a page may be in each cell of a row.
        if any(block.kind == "page" for cell in row for block in cell.blocks):
            (behind if number else before).append(Block("page", label=SET if number else ""))
    _repeat_merged(rows)
    return [*before, Block("table", rows=tuple(_aligned(rows))), *behind]


def _cells(row: Element, story: Story) -> list[_Cell]:
    column = _number(row.find("w:trPr"), "w:gridBefore", 0)
    cells: list[_Cell] = []
    for cell in _through(row, "w:tc"):
        properties = cell.find("w:tcPr")
        if properties is not None and properties.find("w:cellDel") is not None:
            continue
        merge = None if properties is None else properties.find("w:vMerge")
        cells.append(
            _Cell(
                column=min(column, _MAX_COLUMNS),
                blocks=story.blocks(cell),
                merge="" if merge is None else merge.get("w:val", "continue"),
            )
        )
        column += max(1, _number(properties, "w:gridSpan", 1))
    return cells


def _is_layout(rows: list[list[_Cell]]) -> bool:
    """Tells whether a table has one cell only, or less of its own than the tables inside it."""
    own = sum(map(len, rows))
    inner = sum(
        len(row)
        for cells in rows
        for cell in cells
        for block in cell.blocks
        if block.kind == "table"
        for row in block.rows
    )
    return own <= 1 or inner > own


def _repeat_merged(rows: list[list[_Cell]]) -> None:
    above: dict[int, str] = {}
    for row in rows:
        for cell in row:
            if cell.merge == "continue" and not cell.text:
                cell.text = above.get(cell.column, "")
            else:
                above[cell.column] = cell.text if len(cell.text) <= _MAX_REPEATED else ""


def _aligned(rows: list[list[_Cell]]) -> Iterator[tuple[str, ...]]:
    """Puts each cell under its column, and leaves out columns in which no cell begins."""
    columns = sorted({cell.column for row in rows for cell in row})
    places = {column: place for place, column in enumerate(columns)}
    for row in rows:
        texts = [""] * len(columns)
        for cell in row:
            # Cells beyond the last column of Word share one, so that no text is lost.
            place = places[cell.column]
            texts[place] = f"{texts[place]} {cell.text}".strip()
        yield tuple(texts)


def _is_deleted(row: Element) -> bool:
    properties = row.find("w:trPr")
    return properties is not None and properties.find("w:del") is not None


def _through(element: Element, tag: str) -> Iterator[Element]:
    """Yields the children with a tag, also those within content controls and insertions."""
    waiting = [iter(element)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            waiting.append(iter(child))


def _number(properties: Element | None, name: str, default: int) -> int:
    found = None if properties is None else properties.find(name)
    text = "" if found is None else found.get("w:val", "")
    return min(int(text), _MAX_COLUMNS) if text.isascii() and text.isdecimal() else default
