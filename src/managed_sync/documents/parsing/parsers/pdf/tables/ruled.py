"""Turns the ruled grids of a page, and the words in them, into tables."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from managed_sync.documents.parsing.parsers.pdf.geometry import Box
from managed_sync.documents.parsing.parsers.pdf.lines import Line, Word, is_right_to_left
from managed_sync.documents.parsing.parsers.pdf.tables.bands import rows_of_band
from managed_sync.documents.parsing.parsers.pdf.tables.grids import Grid
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table

__all__ = ["with_tables"]

# The grid of a chart has cells, few of them with text; a frame of a layout holds whole columns.
_MIN_FILLED = 0.4
_MAX_CELL = 1_000
# A word may stand out of its cell by this much, in points.
_OVERHANG = 2.0
# Words that cross the lines of a table are few; those in a drawing are many.
_CROSSING = 0.25
_FEW = 2
# A table with titles, rows and a sum has no more rules.
_FEW_RULES = 4
# So many rows, and such a part of them, have to stand in columns that no line divides.
_MANY_ROWS, _MOST_ROWS = 3, 0.8
# A text that is broken into lines rarely has so many, each next to a row of its own.
_TALL = 5
# Words of one text are nearer to each other than this part of the height of their type.
_CLOSE = 0.5
# Words whose middles are nearer than this part of the height of their type are at one level.
_LEVEL = 0.3


def with_tables(
    lines: Sequence[Line],
    grids: Sequence[Grid],
    *,
    letter_boxes: Callable[[Word], Iterable[Box]],
) -> list[Line | Table]:
    """Puts each table in the place of its first line, and takes its words out of all lines.

    Args:
        lines: The lines of the page's main direction.
        grids: The grids that are drawn on the page; some of them are no tables.
        letter_boxes: Returns where the letters of a word are, to split one that crosses cells.
    """
    items: list[Line | Table] = [*lines]
    for grid in grids:
        items = _with_table(items, _with_open_rows(grid, lines), letter_boxes)
    return items


def _with_open_rows(grid: Grid, lines: Sequence[Line]) -> Grid:
    """Divides rows without lines between their columns, if their words stand in the columns.

    Many tables have the lines between columns only in their titles.
    """
    count = len(grid.columns) - 1
    runs: dict[int, list[Box]] = {
        row: [] for row, cells in enumerate(grid.cells) if {*cells} == {(row, 0)} and count > 1
    }
    if len(runs) < _MANY_ROWS:
        return grid
    for line in lines:
        row = bisect_right(grid.rows, line.box.middle[1]) - 1
        if row in runs and grid.box.contains(line.box.middle, _OVERHANG):
            runs[row] += _apart(line)
    divided = {row for row, boxes in runs.items() if _stand_in_columns(boxes, grid)}
    if len(divided) < max(_MANY_ROWS, _MOST_ROWS * sum(len(boxes) > 1 for boxes in runs.values())):
        return grid
    cells = [
        [(row, column) for column in range(count)] if row in divided else fields
        for row, fields in enumerate(grid.cells)
    ]
    return replace(grid, cells=cells)


def _apart(line: Line) -> Iterator[Box]:
    """Yields where the words of a line are that have no gap between them."""
    words = sorted(line.words, key=lambda word: word.box.left)
    box = words[0].box
    for word in words[1:]:
        if word.box.left - box.right > _CLOSE * line.size:
            yield box
            box = word.box
        else:
            box = Box(box.left, box.top, max(box.right, word.box.right), box.bottom)
    yield box


def _stand_in_columns(boxes: Sequence[Box], grid: Grid) -> bool:
    columns = [
        {
            bisect_right(grid.columns, x, 1, len(grid.columns) - 1)
            for x in (box.left + _OVERHANG, max(box.right - _OVERHANG, box.left + _OVERHANG))
        }
        for box in boxes
    ]
    places = set[int]().union(*columns)
    return len(boxes) > 1 and all(len(one) == 1 for one in columns) and len(places) == len(boxes)


def _with_table(
    items: list[Line | Table],
    grid: Grid,
    letter_boxes: Callable[[Word], Iterable[Box]],
) -> list[Line | Table]:
    cells = defaultdict[tuple[int, int], list[Line]](list)
    outside: list[Line | Table] = []
    place = -1
    whole = split = 0
    for item in items:
        if isinstance(item, Table) or not _overlap(item.box, grid.box):
            outside.append(item)
            continue
        runs = [*_runs(item.words, grid.box)]
        if any(_is_close(one[-1], other[0], item.size) for (_, one), (_, other) in pairwise(runs)):
            return items  # A picture that text runs into.
        for is_inside, words in runs:
            if not is_inside:
                outside.append(_part(item, words))
                continue
            place = len(outside) if place < 0 else place
            parts = defaultdict[tuple[int, int], list[Word]](list)
            for word in words:
                pieces = [*_pieces(word, grid, letter_boxes)]
                whole, split = whole + (len(pieces) == 1), split + (len(pieces) > 1)
                for piece in pieces:
                    parts[grid.cell(*piece.box.middle)].append(piece)
            for cell, part in parts.items():
                cells[cell].append(_part(item, part))
    texts = {cell: [line.with_links() for line in found] for cell, found in cells.items()}
    if split > max(_FEW, _CROSSING * whole) or not _is_table(grid, texts):
        return items
    if any(map(_has_columns, cells.values())):
        return items  # A frame around a table whose columns have no lines.
    outside.insert(place, Table(_rows(grid, cells), grid.box))
    return outside


def _has_columns(lines: Sequence[Line]) -> bool:
    """Tells whether the lines of a cell are rows of a table of their own."""
    if len(lines) < _MANY_ROWS:
        return False
    size = lines[0].size
    pieces = sorted((box.middle[1], box) for line in lines for box in _apart(line))
    counts: list[int] = []
    level = -math.inf
    for middle, _ in pieces:
        if middle > level + _LEVEL * size:
            level = middle
            counts.append(0)
        counts[-1] += 1
    if len(counts) < _MANY_ROWS or sum(count > 1 for count in counts) < _MOST_ROWS * len(counts):
        return False
    columns, right = 0, -math.inf
    for box in sorted(box for _, box in pieces):
        columns += box.left > right + _LEVEL * size
        right = max(right, box.right)
    return columns >= max(counts)


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.left < other.right
        and other.left < one.right
        and one.top < other.bottom
        and other.top < one.bottom
    )


def _runs(words: Sequence[Word], box: Box) -> Iterator[tuple[bool, list[Word]]]:
    """Yields the neighboring words of a line that are inside a box, or outside."""
    run: list[Word] = []
    was_inside = False
    for word in words:
        is_inside = box.contains(word.box.middle, _OVERHANG)
        if run and is_inside is not was_inside:
            yield was_inside, run
            run = []
        was_inside = is_inside
        run.append(word)
    if run:
        yield was_inside, run


def _is_close(word: Word, following: Word, size: float) -> bool:
    gap = max(following.box.left - word.box.right, word.box.left - following.box.right)
    return gap < _CLOSE * size


def _part(line: Line, words: Sequence[Word]) -> Line:
    return Line([*words], line.turns, line.size, line.bold)


def _pieces(
    word: Word, grid: Grid, letter_boxes: Callable[[Word], Iterable[Box]]
) -> Iterator[Word]:
    """Splits a word that has letters in several cells; narrow columns run together."""
    _, y = word.box.middle
    ends = {
        grid.cell(max(word.box.left + _OVERHANG, grid.box.left), y),
        grid.cell(min(word.box.right - _OVERHANG, grid.box.right), y),
    }
    if len(ends) == 1 or word.count != len(word.text):
        yield word
        return
    letters: list[str] = []
    boxes: list[Box] = []
    cell = (-1, -1)
    start = word.first
    for letter, box in zip(word.text, letter_boxes(word), strict=True):
        found = grid.cell(*box.middle)
        if letters and found != cell:
            yield _piece(word, letters, boxes, start)
            start += len(letters)
            letters, boxes = [], []
        cell = found
        letters.append(letter)
        boxes.append(box)
    yield _piece(word, letters, boxes, start)


def _piece(word: Word, letters: Sequence[str], boxes: Sequence[Box], start: int) -> Word:
    left, right = min(box.left for box in boxes), max(box.right for box in boxes)
    box = Box(left, word.box.top, right, word.box.bottom)
    return Word("".join(letters), box, start, len(letters), word.target)


def _is_table(grid: Grid, texts: Mapping[tuple[int, int], list[str]]) -> bool:
    if len(grid.rows) <= 2 or len(grid.columns) <= 2:
        return False
    rows = {row for row, _ in texts}
    columns = {column for _, column in texts}
    if len(rows) < 2 or len(columns) < 2:
        return False
    # An empty row or column is a gap between two lines, or a bar.
    cells = {
        cell
        for row in grid.cells
        for cell in row
        if cell in texts or (cell[0] in rows and cell[1] in columns)
    }
    return (
        len(texts) >= _MIN_FILLED * len(cells)
        and max(sum(map(len, text)) for text in texts.values()) <= _MAX_CELL
    )


def _rows(grid: Grid, cells: Mapping[tuple[int, int], list[Line]]) -> list[list[list[str]]]:
    """Returns the lines of each field; a cell of several fields has it in the first one."""
    cells = _without_slips(grid, _by_rows_beside(grid, cells))
    used = sorted({column for _, column in cells})
    sides = [grid.columns[column + 1] for column in used]
    rows: list[list[list[Line]]] = []
    for row in range(len(grid.rows) - 1):
        band = [cells.get((row, column), []) for column in used]
        if row == 0 or _has_spans(grid, row):
            rows.append(band)
        else:
            rows += rows_of_band(band, sides, is_only=len(grid.rows) <= _FEW_RULES)
    if is_right_to_left(line.text for row in rows for cell in row for line in cell):
        rows = [row[::-1] for row in rows]
    return [[[line.with_links() for line in cell] for cell in row] for row in rows if any(row)]


def _by_rows_beside(
    grid: Grid, cells: Mapping[tuple[int, int], list[Line]]
) -> Mapping[tuple[int, int], list[Line]]:
    """Divides cells over many rows that have a line in each of them, such as a column of names."""
    found: dict[tuple[int, int], list[Line]] = {}
    for (row, column), lines in cells.items():
        height = sum(fields[column] == (row, column) for fields in grid.cells)
        places = {max(bisect_right(grid.rows, line.box.middle[1]) - 1, row): line for line in lines}
        if height >= _TALL and len(places) == len(lines) >= _MOST_ROWS * height:
            found.update({(place, column): [line] for place, line in places.items()})
        else:
            found[row, column] = lines
    return found


def _without_slips(
    grid: Grid, cells: Mapping[tuple[int, int], list[Line]]
) -> Mapping[tuple[int, int], list[Line]]:
    """Moves texts to the right out of columns that hold only the first part of wider cells.

    A title is often over two fields, of which only the other one is used below it: a column has two
    lines at its side.
    """
    for column in sorted({column for _, column in cells}):
        texts = [(row, at) for row, at in cells if at == column]
        if column + 1 < len(grid.columns) - 1 and all(
            grid.cells[row][column + 1] == (row, column) for row, _ in texts
        ):
            cells = {
                (row, at + 1 if at == column else at): lines for (row, at), lines in cells.items()
            }
    return cells


def _has_spans(grid: Grid, row: int) -> bool:
    """Tells whether a cell reaches beyond a row of a grid, or over several of its columns."""
    below = grid.cells[row + 1] if row + 1 < len(grid.cells) else []
    return any(cell != (row, at) for at, cell in enumerate(grid.cells[row])) or any(
        cell[0] == row for cell in below
    )
