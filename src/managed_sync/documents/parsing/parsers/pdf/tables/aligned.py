"""Finds the tables of a page that have no lines around their cells, by the columns of their words.

Three rows or more are a table if the pieces of each stand in the same columns. What is less sure
stays text, with a line for each row.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from managed_sync.documents.parsing.parsers.pdf.geometry import Box
from managed_sync.documents.parsing.parsers.pdf.lines import Line, is_right_to_left
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table

__all__ = ["are_aligned", "with_aligned_tables"]

_MIN_ROWS = 3
_MAX_COLUMNS = 40
_MIN_FILLED = 0.5
_WORDS_OF_CELL = 5.0
_WORDS_OF_SHORT_CELL = 3.0
_MAX_WORDS = 15
_MAX_LENGTH = 120
# All measures are parts of the height of the type.
_SAME_SIZE = 1.25
_LEVEL = 0.3
_BELOW = 2.0
_GUTTER = 0.3

_Span = tuple[float, float]
# The pieces of a row, and the items that they come from.
_Row = tuple[list[Line], list[Line]]


def with_aligned_tables(
    items: Sequence[Line | Table], *, apart: Collection[int] = ()
) -> list[Line | Table]:
    """Puts a table in the place of rows of words that stand in columns.

    Args:
        items: The lines and tables of one direction, in reading order.
        apart: The ids of lines that are no rows, such as headings.
    """
    found: list[Line | Table] = []
    rows: list[_Row] = []
    for item in items:
        if isinstance(item, Table) or id(item) in apart:
            found += _tables(rows)
            rows = []
            found.append(item)
        elif rows and _is_level(rows[-1][0][-1], item):
            rows[-1][0].extend(item.pieces or [item])
            rows[-1][1].append(item)
        else:
            rows.append(([*(item.pieces or [item])], [item]))
    return [*found, *_tables(rows)]


def are_aligned(line: Line, other: Line) -> bool:
    """Tells whether two lines have a wide gap at the same place."""
    ours, theirs = _gaps(line), _gaps(other)
    least = _GUTTER * line.size
    one = two = 0
    while one < len(ours) and two < len(theirs):
        (left, right), (begin, end) = ours[one], theirs[two]
        if min(right, end) - max(left, begin) > least:
            return True
        if right < end:
            one += 1
        else:
            two += 1
    return False


def _gaps(line: Line) -> list[_Span]:
    boxes = sorted(piece.box for piece in line.pieces)
    return [(one.right, other.left) for one, other in pairwise(boxes)]


def _is_level(one: Line, other: Line) -> bool:
    """Tells whether a line stands at the right of another one, at the same height."""
    aside = abs(one.box.middle[1] - other.box.middle[1])
    return other.box.left > one.box.right and aside < _LEVEL * one.size


def _tables(rows: Sequence[_Row]) -> Iterator[Line | Table]:
    """Yields tables, and the lines that are in none."""
    begin = done = 0
    while begin < len(rows):
        columns, end = _run(rows, begin)
        if sum(len(pieces) > 1 for pieces, _ in rows[begin:end]) < _MIN_ROWS:
            begin += 1
            continue
        # Titles that span columns stand above them.
        above = begin - 1 if begin > done and _is_header(rows, begin, columns) else begin
        run = [pieces for pieces, _ in rows[above:end]]
        if _is_table(run, columns):
            yield from (line for _, lines in rows[done:above] for line in lines)
            yield _table(run, columns)
            done = end
        begin = end
    yield from (line for _, lines in rows[done:] for line in lines)


def _run(rows: Sequence[_Row], begin: int) -> tuple[list[_Span], int]:
    """Returns the columns of the rows from one on, and the end of those that fit into them."""
    first = rows[begin][0]
    columns: list[_Span] = []
    end = begin
    for index in range(begin, len(rows)):
        row = rows[index][0]
        # A single piece may name a group of rows, or continue a cell; two of them are text.
        if len(row) == 1 and (index == begin or len(rows[index - 1][0]) == 1):
            break
        if index > begin and not _follows(rows[index - 1][0], row, first[0].size):
            break
        merged = _merged(columns, row)
        if not merged or len(merged) > _MAX_COLUMNS:
            break
        columns = merged
        if len(row) > 1:
            end = index + 1
    return columns, end


def _follows(row: Sequence[Line], below: Sequence[Line], size: float) -> bool:
    top, bottom = min(line.box.top for line in below), max(line.box.bottom for line in row)
    return (
        -size / 2 < top - bottom < _BELOW * size
        and 1 / _SAME_SIZE < below[0].size / max(size, 1e-3) < _SAME_SIZE
    )


def _merged(columns: Sequence[_Span], row: Sequence[Line]) -> list[_Span]:
    """Returns the columns widened by a row; nothing if that would join columns or pieces of it."""
    gutter = _GUTTER * row[0].size
    merged: list[_Span] = []
    kinds: set[bool] = set()
    spans = [(left, right, False) for left, right in columns]
    spans += [(line.box.left, line.box.right, True) for line in row]
    for left, right, is_new in sorted(spans):
        if not merged or left > merged[-1][1] + gutter:
            merged.append((left, right))
            kinds = {is_new}
        elif is_new in kinds:
            return []
        else:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
            kinds.add(is_new)
    return merged


def _is_header(rows: Sequence[_Row], begin: int, columns: Sequence[_Span]) -> bool:
    """Tells whether the row above some rows has titles for their columns."""
    row, below = rows[begin - 1][0], rows[begin][0]
    if not 1 < len(row) <= len(columns) or not _follows(row, below, below[0].size):
        return False
    places = [_column(line.box, columns) for line in row]
    return -1 not in places and len({*places}) == len(places)


def _column(box: Box, columns: Sequence[_Span]) -> int:
    """Returns the first column that a box is in, or -1."""
    found = (
        at for at, (left, right) in enumerate(columns) if box.left < right and left < box.right
    )
    return next(found, -1)


def _is_table(run: Sequence[Sequence[Line]], columns: Sequence[_Span]) -> bool:
    counts: list[list[float]] = [[] for _ in columns]
    for row in run:
        for line in row:
            counts[_column(line.box, columns)].append(line.word_count)
    filled = sum(map(len, counts))
    means = [statistics.fmean(words) for words in counts if words]
    return (
        len(columns) > 1
        and filled >= _MIN_FILLED * len(run) * len(columns)
        and max(map(max, filter(None, counts))) <= _MAX_WORDS
        and max(len(line.text) for row in run for line in row) <= _MAX_LENGTH
        and statistics.fmean(means) <= _WORDS_OF_CELL
        and min(means) <= _WORDS_OF_SHORT_CELL
    )


def _table(run: Sequence[Sequence[Line]], columns: Sequence[_Span]) -> Table:
    rows: list[list[list[str]]] = []
    from_right = is_right_to_left(line.text for row in run for line in row)
    for row in run:
        cells: list[list[str]] = [[] for _ in columns]
        for line in row:
            cells[_column(line.box, columns)].append(line.marked)
        rows.append(cells[::-1] if from_right else cells)
    boxes = [line.box for row in run for line in row]
    box = Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )
    return Table(rows, box)
