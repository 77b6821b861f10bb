"""The straight lines that are drawn on a page, and text that PDFium would overlook.

A ruled table is drawn as lines, as rectangles, or as one path around each cell. All of them become
edges: horizontal or vertical pieces of a line.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from managed_sync.documents.parsing.parsers.pdf.geometry import Frame

__all__ = ["Drawing", "Edge"]

# A drawing with more pieces than this is a picture or a map, and no table.
_MAX_PIECES = 20_000
_MAX_DEPTH = 4
_MAX_OBJECTS = 100_000
# A piece may be this much out of the straight, in points.
_STRAIGHT = 1.0
_SHORTEST = 1.0
# A line may be a filled box of this width.
_THIN = 3.0
_NO_WIDTH = 0.02
_SLANT = 0.001


class Edge(NamedTuple):
    """A piece of a horizontal or vertical line.

    Attributes:
        is_horizontal: Its direction.
        at: Its place in the other direction.
        begin: Where it begins.
        end: Where it ends.
    """

    is_horizontal: bool
    at: float
    begin: float
    end: float


class _Matrix(NamedTuple):
    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Returns the position that the matrix moves a point to."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def after(self, inner: _Matrix) -> _Matrix:
        """Returns the matrix that applies the inner one first."""
        x, y = self.point(inner.e, inner.f)
        return _Matrix(
            self.a * inner.a + self.c * inner.b,
            self.b * inner.a + self.d * inner.b,
            self.a * inner.c + self.c * inner.d,
            self.b * inner.c + self.d * inner.d,
            x,
            y,
        )


_UNMOVED = _Matrix(1, 0, 0, 1, 0, 0)


class Drawing:
    """The drawing of a page, as PDFium holds it.

    Args:
        page: The page.
    """

    def __init__(self, page: Any) -> None:
        from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

        self._texts: list[Any] = []
        self._paths: list[tuple[Any, _Matrix]] = []
        self._left = _MAX_OBJECTS
        count = raw.FPDFPage_CountObjects(page.raw)
        self._collect(page.raw, count, raw.FPDFPage_GetObject, _UNMOVED, 0)

    def widen_flat_text(self) -> None:
        """Slants text that has no width by a hair, since PDFium leaves it out otherwise.

        Lines of vertical Japanese have none: all their letters have the same horizontal position.
        It has to be called before PDFium reads the text.
        """
        from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

        left, bottom, right, top = bounds = [ctypes.c_float() for _ in range(4)]
        for handle in self._texts:
            if not raw.FPDFPageObj_GetBounds(handle, *bounds):
                continue
            if right.value - left.value < _NO_WIDTH < top.value - bottom.value:
                raw.FPDFPageObj_Transform(handle, 1, 0, _SLANT, 1, 0, 0)

    def edges(self, frame: Frame) -> list[Edge]:
        """Returns the lines that are drawn and the sides of filled cells, or none if too many."""
        from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

        drawn: list[Edge] = []
        areas: list[list[Edge]] = []
        pieces = 0
        for handle, matrix in self._paths:
            count = raw.FPDFPath_CountSegments(handle)
            pieces += count
            if pieces > _MAX_PIECES:
                return []
            is_filled, is_stroked = _draw_mode(handle)
            if count > 1 and (is_filled or is_stroked):
                found = [*_path(handle, count, matrix, frame)]
                if not is_stroked and _is_thick(found):
                    areas.append(found)
                else:
                    drawn += found
        # An area between the lines of a cell is the background of some words.
        places = sorted(edge.at for edge in drawn if not edge.is_horizontal)
        cells = [area for area in areas if not places or _is_beside_line(area, places)]
        return [*drawn, *(edge for area in cells for edge in area)]

    def _collect(self, parent: Any, size: int, get: Any, matrix: _Matrix, depth: int) -> None:
        """Notes the objects of a page or a form, with the matrix of the form."""
        from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

        for index in range(min(size, self._left)):
            self._left -= 1
            handle = get(parent, index)
            kind = raw.FPDFPageObj_GetType(handle)
            if kind == raw.FPDF_PAGEOBJ_TEXT:
                self._texts.append(handle)
            elif kind == raw.FPDF_PAGEOBJ_PATH:
                self._paths.append((handle, matrix))
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _MAX_DEPTH:
                self._collect(
                    handle,
                    raw.FPDFFormObj_CountObjects(handle),
                    raw.FPDFFormObj_GetObject,
                    matrix.after(_matrix(handle)),
                    depth + 1,
                )


def _matrix(handle: Any) -> _Matrix:
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    matrix = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(handle, matrix):
        return _UNMOVED
    return _Matrix(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _draw_mode(handle: Any) -> tuple[bool, bool]:
    """Tells whether a path is filled, and whether its line is drawn."""
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not raw.FPDFPath_GetDrawMode(handle, fill, stroke):
        return True, True
    return bool(fill.value), bool(stroke.value)


def _is_thick(found: Sequence[Edge]) -> bool:
    """Tells whether edges are around an area, and not the sides of a thin line."""
    extents = [
        max((edge.at for edge in found if edge.is_horizontal is direction), default=0.0)
        - min((edge.at for edge in found if edge.is_horizontal is direction), default=0.0)
        for direction in (True, False)
    ]
    return min(extents) > _THIN


def _is_beside_line(area: Sequence[Edge], places: Sequence[float]) -> bool:
    """Tells whether the left or right side of an area is at one of some vertical lines."""
    for edge in area:
        if not edge.is_horizontal:
            index = bisect_left(places, edge.at - _THIN)
            if index < len(places) and places[index] <= edge.at + _THIN:
                return True
    return False


def _path(handle: Any, count: int, outer: _Matrix, frame: Frame) -> Iterator[Edge]:
    """Yields the straight pieces of a path."""
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    matrix = outer.after(_matrix(handle))
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(handle, index)
        if not raw.FPDFPathSegment_GetPoint(segment, x, y):
            continue
        point = matrix.point(x.value, y.value)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield from _edge(last, point, frame)
        last = point
        if raw.FPDFPathSegment_GetClose(segment):
            yield from _edge(last, start, frame)
            last = start


def _edge(one: tuple[float, float], other: tuple[float, float], frame: Frame) -> Iterator[Edge]:
    box = frame.place(*one, *other)
    width, height = box.right - box.left, box.bottom - box.top
    if height <= _STRAIGHT and width > max(height, _SHORTEST):
        yield Edge(True, (box.top + box.bottom) / 2, box.left, box.right)
    elif width <= _STRAIGHT and height > max(width, _SHORTEST):
        yield Edge(False, (box.left + box.right) / 2, box.top, box.bottom)
