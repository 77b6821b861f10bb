"""Finds grids among the lines that are drawn on a page.

Pieces that continue each other are one line. Lines that cross or touch belong to one grid. The
places of its lines divide a grid into fields, and fields without a line between them are one cell.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from managed_sync.documents.parsing.parsers.pdf.geometry import Box
from managed_sync.documents.parsing.parsers.pdf.tables.drawings import Edge

__all__ = ["Grid", "grids"]

# Lines nearer than this, in points, are the same line; rules are drawn as thin boxes, too.
_SAME = 3.0
# Lines of one direction times lines of the other: more is a picture.
_MAX_CROSSINGS = 1_000_000
_MAX_FIELDS = 20_000


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of cells.

    Attributes:
        columns: The places of the vertical lines, from left to right.
        rows: The places of the horizontal lines, from top to bottom.
        cells: For each row, the cell of each column: the row and column of its first field.
    """

    columns: list[float]
    rows: list[float]
    cells: list[list[tuple[int, int]]]

    @property
    def box(self) -> Box:
        """The area of the grid."""
        return Box(self.columns[0], self.rows[0], self.columns[-1], self.rows[-1])

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Returns the cell at a point, or the nearest one."""
        column = bisect_right(self.columns, x, 1, len(self.columns) - 1) - 1
        row = bisect_right(self.rows, y, 1, len(self.rows) - 1) - 1
        return self.cells[row][column]


def grids(edges: Iterable[Edge]) -> Iterator[Grid]:
    """Yields the grids of at least two rows or columns, from top to bottom."""
    both = [*edges]
    across = _joined(edge for edge in both if edge.is_horizontal)
    down = _joined(edge for edge in both if not edge.is_horizontal)
    if not across or not down or len(across) * len(down) > _MAX_CROSSINGS:
        return
    found = [
        grid
        for lines in _touching(across, down)
        if (
            grid := _grid(
                [edge for edge in lines if edge.is_horizontal],
                [edge for edge in lines if not edge.is_horizontal],
            )
        )
    ]
    yield from sorted(found, key=lambda grid: (grid.rows[0], grid.columns[0]))


def _joined(edges: Iterable[Edge]) -> list[Edge]:
    """Joins pieces that continue or cover each other; returns them by their place."""
    joined: list[Edge] = []
    for group in _by_place(sorted(edges, key=lambda edge: edge.at)):
        # The place of the longest piece, since it is a side of the table rather than of a cell.
        at = max(group, key=lambda edge: edge.end - edge.begin).at
        pieces = sorted(group, key=lambda edge: edge.begin)
        begin, end = pieces[0].begin, pieces[0].end
        for piece in pieces[1:]:
            if piece.begin > end + _SAME:
                joined.append(Edge(piece.is_horizontal, at, begin, end))
                begin, end = piece.begin, piece.end
            end = max(end, piece.end)
        joined.append(Edge(pieces[0].is_horizontal, at, begin, end))
    return joined


def _by_place(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    group: list[Edge] = []
    for edge in edges:
        if group and edge.at > group[0].at + _SAME:
            yield group
            group = []
        group.append(edge)
    if group:
        yield group


def _touching(across: Sequence[Edge], down: Sequence[Edge]) -> Iterator[list[Edge]]:
    """Yields the lines of each connected group."""
    lines = [*across, *down]
    parent = [*range(len(lines))]
    places = [edge.at for edge in down]
    for index, edge in enumerate(across):
        first = bisect_left(places, edge.begin - _SAME)
        for other in range(first, bisect_right(places, edge.end + _SAME)):
            if down[other].begin - _SAME <= edge.at <= down[other].end + _SAME:
                _union(parent, index, len(across) + other)
    groups = defaultdict[int, list[Edge]](list)
    for index, edge in enumerate(lines):
        groups[_root(parent, index)].append(edge)
    yield from groups.values()


def _grid(across: Sequence[Edge], down: Sequence[Edge]) -> Grid | None:
    columns, rows = _places(down, across), _places(across, down)
    width, height = len(columns) - 1, len(rows) - 1
    if width < 1 or height < 1 or not 1 < width * height <= _MAX_FIELDS:
        return None
    right_of = _separations(down, columns, rows)
    below = _separations(across, rows, columns)
    parent = [*range(width * height)]
    for row in range(height):
        for column in range(width):
            field = row * width + column
            if column + 1 < width and row not in right_of[column + 1]:
                _union(parent, field, field + 1)
            if row + 1 < height and column not in below[row + 1]:
                _union(parent, field, field + width)
    roots = [divmod(_root(parent, field), width) for field in range(width * height)]
    return Grid(
        columns, rows, [roots[start : start + width] for start in range(0, len(roots), width)]
    )


def _places(lines: Sequence[Edge], crossing: Sequence[Edge]) -> list[float]:
    """Returns the places of lines, and where the crossing lines begin and end beyond them.

    Many tables have no lines at their left and right.
    """
    places = sorted({edge.at for edge in lines})
    if not places or not crossing:
        return []
    first, last = min(edge.begin for edge in crossing), max(edge.end for edge in crossing)
    if first < places[0] - _SAME:
        places.insert(0, first)
    if last > places[-1] + _SAME:
        places.append(last)
    kept = places[:1]
    kept += [place for before, place in pairwise(places) if place - before > _SAME]
    return kept


def _separations(
    lines: Sequence[Edge], places: Sequence[float], spans: Sequence[float]
) -> list[set[int]]:
    """Returns, for each place of a line, the fields along it that it is a side of."""
    separated: list[set[int]] = [set() for _ in places]
    middles = [(one + other) / 2 for one, other in pairwise(spans)]
    for edge in lines:
        after = bisect_left(places, edge.at)
        index = min(
            range(max(after - 1, 0), min(after + 1, len(places))),
            key=lambda candidate: abs(places[candidate] - edge.at),
        )
        begin, end = bisect_left(middles, edge.begin), bisect_right(middles, edge.end)
        separated[index].update(range(begin, end))
    return separated


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _union(parent: list[int], one: int, other: int) -> None:
    """Joins two groups; the smaller number stays the root, as the first field of a cell."""
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first
