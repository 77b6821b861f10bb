"""Arranges the cells of tables, each under its column.

A cell over several columns has its text in the first one. A short text of a cell over several rows
is repeated in each of them, since a chunk may begin at any row. Columns in which no cell begins are
left out: Word has them wherever the borders of two rows differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from managed_sync.documents.parsing.parsers.word.blocks import SET, Block, flat

__all__ = ["Cell", "arrange"]

# Word has no more columns than 63, and a table is no larger than its cells times this.
_MAX_COLUMNS = 256
_MAX_REPEATED = 100
_MAX_SIZE = 2_000_000
_BEHIND = {"comment", "footnote", "endnote", "markdown"}
_NOT_IN_CELL = {*_BEHIND, "page"}


@dataclass
class Cell:
    """A cell of a table.

    Attributes:
        column: The column in which it begins, from 0.
        blocks: Its content.
        is_continued: Tells whether it goes on from the row above.
        text: Its content on one line.
    """

    column: int
    blocks: list[Block]
    is_continued: bool = False
    text: str = ""

    def __post_init__(self) -> None:
        self.column = min(self.column, _MAX_COLUMNS - 1)


def arrange(rows: list[list[Cell]]) -> list[Block]:
    """Returns a table, and behind it the comments, charts and page breaks in it.

    A table that only frames or arranges other content is written as that content.
    """
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
    return [*before, *_tables(rows), *behind]


def _is_layout(rows: list[list[Cell]]) -> bool:
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


def _repeat_merged(rows: list[list[Cell]]) -> None:
    above: dict[int, str] = {}
    for row in rows:
        for cell in row:
            if cell.is_continued and not cell.text:
                cell.text = above.get(cell.column, "")
            else:
                above[cell.column] = cell.text if len(cell.text) <= _MAX_REPEATED else ""


def _tables(rows: list[list[Cell]]) -> Iterator[Block]:
    """Yields one table, or several where the gaps in it would outweigh its cells by far."""
    columns = {cell.column for row in rows for cell in row}
    if len(rows) * len(columns) <= _MAX_SIZE:
        yield Block("table", rows=tuple(_aligned(rows)))
        return
    for _, alike in groupby(rows, key=len):
        yield Block("table", rows=tuple(tuple(cell.text for cell in row) for row in alike))


def _aligned(rows: list[list[Cell]]) -> Iterator[tuple[str, ...]]:
    """Puts each cell under its column, and leaves out columns in which no cell begins."""
    columns = sorted({cell.column for row in rows for cell in row})
    places = {column: place for place, column in enumerate(columns)}
    for row in rows:
        texts = [""] * len(columns)
        for cell in row:
            # Cells beyond the last column share one, so that no text is lost.
            place = places[cell.column]
            texts[place] = f"{texts[place]} {cell.text}".strip()
        yield tuple(texts)
