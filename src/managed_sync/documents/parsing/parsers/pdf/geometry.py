"""Positions on a page, measured the way that its text runs.

A PDF measures from the lower left corner of a page that may be shown turned. Everything else here
measures in a frame: text runs from left to right, lines follow from top to bottom, and both grow.
A page has the frame of most of its text. Vertical Japanese is text that runs downwards, so its
frame is turned by a quarter, and its lines follow each other in it like any others.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Box", "Frame", "quarter_turns"]

_QUARTERS = 4


class Box(NamedTuple):
    """A rectangle in a frame."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """The point in the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def contains(self, point: tuple[float, float], tolerance: float = 0.0) -> bool:
        """Tells whether a point lies inside."""
        return (
            self.left - tolerance <= point[0] <= self.right + tolerance
            and self.top - tolerance <= point[1] <= self.bottom + tolerance
        )


class Frame(NamedTuple):
    """A way to measure a page.

    Attributes:
        turns: Quarter turns, counterclockwise on the unturned page, of the direction in which the
            text runs.
        box: The part of the page that is shown, as left, bottom, right and top.
    """

    turns: int
    box: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        """The extent of the page in the direction in which lines follow each other."""
        left, bottom, right, top = self.box
        return right - left if self.turns % 2 else top - bottom

    def shows(self, box: Box) -> bool:
        """Tells whether any part of a rectangle is on the page; all is on one without a size."""
        left, bottom, right, top = self.box
        width = abs(top - bottom if self.turns % 2 else right - left)
        return not (width and self.height) or (
            box.left < width and box.right > 0 and box.top < abs(self.height) and box.bottom > 0
        )

    def place(self, x1: float, y1: float, x2: float, y2: float) -> Box:
        """Returns a rectangle of the page, given by two opposite corners, in this frame."""
        left, bottom, right, top = self.box
        x1, x2 = (x1, x2) if x1 < x2 else (x2, x1)
        y1, y2 = (y1, y2) if y1 < y2 else (y2, y1)
        if self.turns == 0:
            return Box(x1 - left, top - y2, x2 - left, top - y1)
        if self.turns == 1:
            return Box(y1 - bottom, x1 - left, y2 - bottom, x2 - left)
        if self.turns == 2:
            return Box(right - x2, y1 - bottom, right - x1, y2 - bottom)
        return Box(top - y2, right - x2, top - y1, right - x1)


def quarter_turns(angle: float) -> int:
    """Returns the number of quarter turns, 0 to 3, for PDFium's clockwise angle in radians."""
    return round(-angle / (math.pi / 2)) % _QUARTERS
