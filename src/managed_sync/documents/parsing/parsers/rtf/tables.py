"""Puts the cells of RTF tables under their columns.

RTF states where each cell of a row ends, in twentieths of a point, and has no columns. A column
begins wherever cells begin; edges that differ by less than a hair's breadth are the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from managed_sync.documents.parsing.parsers.word.blocks import Block
from managed_sync.documents.parsing.parsers.word.grid import Cell, arrange

__all__ = ["Row", "RowShape", "rows_to_blocks"]

_SAME_EDGE = 40
_MAX_CELLS = 1000


@dataclass
class RowShape:
    """The places where the cells of a row begin, and the cells that continue another one."""

    starts: list[int] = field(default_factory=lambda: [0])
    above: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)

    def begin(self, left: int) -> None:
        """Notes where the first cell begins."""
        if len(self.starts) == 1:
            self.starts[0] = left

    def end_cell(self, edge: int) -> None:
        """Notes where a cell ends and the next one begins."""
        if len(self.starts) < _MAX_CELLS:
            self.starts.append(edge)

    def continue_above(self) -> None:
        """Notes that the cell belongs to the one above."""
        self.above.add(len(self.starts) - 1)

    def continue_left(self) -> None:
        """Notes that the cell belongs to the one before."""
        self.left.add(len(self.starts) - 1)


class Row(NamedTuple):
    """A row of a table and its cells."""

    shape: RowShape
    cells: Sequence[list[Block]]

    def starts(self) -> list[int]:
        """Returns where each cell begins."""
        known = self.shape.starts[: len(self.cells)]
        missing = range(1, len(self.cells) - len(known) + 1)
        return known + [known[-1] + number * 2 * _SAME_EDGE for number in missing]


def rows_to_blocks(rows: Sequence[Row]) -> list[Block]:
    """Returns the blocks of a table."""
    columns: dict[int, int] = {}
    last = column = -1
    for start in sorted({start for row in rows for start in row.starts()}):
        if column < 0 or start - last > _SAME_EDGE:
            column += 1
            last = start
        columns[start] = column
    return arrange(
        [
            [
                Cell(columns[start], blocks, index in row.shape.above)
                for index, (start, blocks) in enumerate(zip(row.starts(), row.cells, strict=True))
                if blocks or index not in row.shape.left
            ]
            for row in rows
        ]
    )
