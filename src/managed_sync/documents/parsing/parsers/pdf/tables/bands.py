"""Finds the rows of a ruled table that have no rule between them.

Many tables have a rule below their titles and no other one, so all their rows are in one band.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from managed_sync.documents.parsing.parsers.pdf.lines import BULLET, Line

__all__ = ["rows_of_band"]

_MIN_COLUMNS = 2
_MANY = 3
# So many lines have room for the first word of the next one if no text runs over them.
_ENDED = 0.75
# All measures are parts of the height of the type.
_LEVEL = 0.3
_BLANK = 0.25


def rows_of_band(
    cells: Sequence[Sequence[Line]], sides: Sequence[float], *, is_only: bool
) -> list[list[list[Line]]]:
    """Returns the rows of cells that stand between two rules, each with the lines of its cells.

    Args:
        cells: The lines of each column.
        sides: The right side of each column.
        is_only: Whether the table has hardly any other rows, so that these need less proof.
    """
    starts = _starts(cells, is_only=is_only)
    if len(starts) < 2 or not _are_ended(cells, sides):
        return [[[*cell] for cell in cells]]
    rows: list[list[list[Line]]] = [[[] for _ in cells] for _ in starts]
    for column, cell in enumerate(cells):
        row = 0
        for line in sorted(cell, key=lambda line: line.box.middle[1]):
            level = line.box.middle[1] + _LEVEL * line.size
            while row + 1 < len(starts) and starts[row + 1] <= level:
                row += 1
            rows[row][column].append(line)
    return rows


def _starts(cells: Sequence[Sequence[Line]], *, is_only: bool) -> list[float]:
    """Returns the heights at which lines of enough columns begin."""
    filled = sum(map(bool, cells))
    if filled < (_MIN_COLUMNS if is_only else _MANY):
        return []
    placed = sorted(
        (line.box.middle[1], line.size, column)
        for column, cell in enumerate(cells)
        for line in cell
    )
    levels: list[tuple[float, set[int]]] = []
    for middle, size, column in placed:
        if not levels or middle > levels[-1][0] + _LEVEL * size:
            levels.append((middle, set()))
        levels[-1][1].add(column)
    starts = [at for at, columns in levels if len(columns) >= _MIN_COLUMNS]
    are_full = all(len(columns) == filled for _, columns in levels)
    if len(starts) < _MANY or not is_only:
        # Rows that are few, or have rows beside them that are ruled, have to have every cell.
        return starts if are_full and (is_only or len(starts) >= _MANY) else []
    return starts


def _are_ended(cells: Sequence[Sequence[Line]], sides: Sequence[float]) -> bool:
    """Tells whether lines end where they need not, so that they are no text of several lines."""
    if any(BULLET.match(line.text) for cell in cells for line in cell):
        return False
    ended = whole = 0
    for cell, side in zip(cells, sides, strict=True):
        for line, below in pairwise(sorted(cell, key=lambda line: line.box.top)):
            first = below.words[0].box
            room = side - line.box.right - _BLANK * line.size
            whole += 1
            # Figures are no text that goes on, also where they reach to the side of their column.
            ended += room > first.right - first.left or _is_figures(below)
    return ended >= _ENDED * whole


def _is_figures(line: Line) -> bool:
    return not any(letter.isalpha() for letter in line.text)
