"""Puts the lines of a page into the order in which a person reads them.

A page is cut along its widest gaps, again and again: into columns where a gap separates text from
text, otherwise into an upper and a lower part. Columns of short, level entries are the rows of a
table without lines, and stay together. What has no gap is read line by line.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from managed_sync.documents.parsing.parsers.pdf.lines import Line, is_right_to_left, joined
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table

__all__ = ["Item", "in_reading_order"]

Item: TypeAlias = Line | Table

# A drawing with so many labels has no order to find, and each cut looks at all of them.
_MAX_ITEMS = 2_000
# All measures are parts of the height of the type.
_GUTTER = 0.8
_LEVEL = 0.3
_NEAR = 4.0
_MIN_ROWS = 3
# The share of a column's entries that have another one next to them in a table.
_ALIGNED = 0.8
_WORDS_OF_CELL = 3.0


def in_reading_order(items: Sequence[Item]) -> list[Item]:
    """Returns the lines and tables of a page in reading order, with those of a row joined.

    Args:
        items: The lines and tables of one direction.
    """
    lines = [item for item in items if isinstance(item, Line)]
    from_right = is_right_to_left(line.text for line in lines)
    size = statistics.median_low([line.size for line in lines]) if lines else 0.0
    ordered: list[Item] = []
    parts = [[*items]]
    while parts:
        part = parts.pop()
        split: list[list[Item]] = []
        if 1 < len(part) <= _MAX_ITEMS:
            split = (
                _columns(part, size, from_right=from_right)
                or _torn_columns(part, size, from_right=from_right)
                or _halves(part)
            )
        if split:
            parts += reversed(split)
        else:
            ordered += _rows(part, from_right=from_right)
    return ordered


def _columns(items: Sequence[Item], size: float, *, from_right: bool) -> list[list[Item]]:
    """Splits a part into columns of text; returns nothing if it has none."""
    across = sorted(items, key=lambda item: item.box.left)
    cuts: list[int] = []
    reach = across[0].box.right
    for index, item in enumerate(across):
        if item.box.left - reach > _GUTTER * size:
            cuts.append(index)
        reach = max(reach, item.box.right)
    if not cuts:
        return []
    columns = [across[begin:end] for begin, end in pairwise([0, *cuts, len(across)])]
    if any(_row_count(column) < _MIN_ROWS for column in columns):
        return []
    if any(_are_cells(one, other) for one, other in pairwise(columns)):
        return []
    return columns[::-1] if from_right else columns


def _torn_columns(items: Sequence[Item], size: float, *, from_right: bool) -> list[list[Item]]:
    """Splits a part into columns that are drawn line by line, the lines of all at a time."""
    torn = sum(bool(item.pieces) for item in items if isinstance(item, Line))
    if torn < max(_MIN_ROWS, len(items) / 2):
        return []
    pieces: list[Item] = []
    for item in items:
        pieces += (item.pieces if isinstance(item, Line) else ()) or [item]
    columns = _columns(pieces, size, from_right=from_right)
    return columns if all(map(_is_prose, columns)) else []


def _is_prose(items: Sequence[Item]) -> bool:
    """Tells whether lines are full, as those of a text are and the cells of a table are not."""
    lines = [item for item in items if isinstance(item, Line)]
    right = max((line.box.right for line in lines), default=0.0)
    full = sum(line.box.right > right - _NEAR * line.size for line in lines)
    words = sum(line.word_count for line in lines)
    return words > _WORDS_OF_CELL * len(lines) and full > len(lines) / 2


def _row_count(items: Iterable[Item]) -> int:
    """Returns the number of rows; a table counts as enough of them."""
    rows: set[int] = set()
    for item in items:
        if isinstance(item, Table):
            return _MIN_ROWS
        rows.add(round(item.box.middle[1] / max(item.size, 1.0)))
    return len(rows)


def _are_cells(one: Sequence[Item], other: Sequence[Item]) -> bool:
    """Tells whether two columns are columns of a table: short entries at the same height."""
    shorter, longer = sorted((one, other), key=len)
    lines = [item for item in shorter if isinstance(item, Line)]
    if len(lines) < len(shorter):
        return False
    heights = sorted(item.box.middle[1] for item in longer)
    level = sum(_has_near(heights, line.box.middle[1], _LEVEL * line.size) for line in lines)
    words = min(
        statistics.fmean(item.word_count for item in column if isinstance(item, Line))
        for column in (shorter, longer)
        if any(isinstance(item, Line) for item in column)
    )
    return level >= _ALIGNED * len(lines) and words <= _WORDS_OF_CELL


def _has_near(places: Sequence[float], place: float, distance: float) -> bool:
    index = bisect_left(places, place - distance)
    return index < len(places) and places[index] <= place + distance


def _halves(items: Sequence[Item]) -> list[list[Item]]:
    """Splits a part at its widest horizontal gap; returns nothing if it has none."""
    down = sorted(items, key=lambda item: item.box.top)
    widest, cut = 0.0, 0
    reach = down[0].box.bottom
    for index, item in enumerate(down):
        if item.box.top - reach > widest:
            widest, cut = item.box.top - reach, index
        reach = max(reach, item.box.bottom)
    return [down[:cut], down[cut:]] if cut else []


def _rows(items: Iterable[Item], *, from_right: bool) -> Iterator[Item]:
    """Yields items row by row; lines that are near to each other in a row become one."""
    rows: list[list[Item]] = []
    for item in sorted(items, key=lambda item: item.box.middle[1]):
        if rows and item.box.middle[1] < rows[-1][0].box.bottom and _overlaps(rows[-1][0], item):
            rows[-1].append(item)
        else:
            rows.append([item])
    for row in rows:
        row.sort(key=lambda item: -item.box.right if from_right else item.box.left)
        run: list[Line] = []
        for item in row:
            if run and not (isinstance(item, Line) and _is_near(run, item)):
                yield joined(run)
                run = []
            if isinstance(item, Line):
                run.append(item)
            else:
                yield item
        if run:
            yield joined(run)


def _overlaps(one: Item, other: Item) -> bool:
    shared = min(one.box.bottom, other.box.bottom) - max(one.box.top, other.box.top)
    height = min(one.box.bottom - one.box.top, other.box.bottom - other.box.top)
    return shared > height / 2


def _is_near(run: Sequence[Line], other: Line) -> bool:
    last, size = run[-1].box, run[0].size
    gap = max(other.box.left - last.right, last.left - other.box.right)
    return -_LEVEL * size < gap < _NEAR * max(size, other.size)
