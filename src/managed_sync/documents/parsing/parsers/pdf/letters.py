"""The letters of a page, as PDFium holds them."""

from __future__ import annotations

import ctypes
import math
import re
from typing import Any

from managed_sync.documents.parsing.parsers.pdf.geometry import Box, Frame, quarter_turns

__all__ = ["Letters"]

_BOLD = re.compile(r"bold|black|heavy|demi(?!tal)|(?<![a-z])bd(?![a-z])", re.IGNORECASE)
_FORCE_BOLD = 1 << 18
_MAX_FONT_NAME = 100


class Letters:
    """Asks PDFium about single letters of a page.

    Args:
        text_page: PDFium's handle of the text of the page.
        shown: The part of the page that is shown.
    """

    def __init__(self, text_page: Any, shown: tuple[float, float, float, float]) -> None:
        from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

        self._raw = raw
        self._page = text_page
        self._rectangle = raw.FS_RECTF()
        self._name = ctypes.create_string_buffer(_MAX_FONT_NAME)
        self._flags = ctypes.c_int()
        self._matrix = raw.FS_MATRIX()
        self.frames = [Frame(turns, shown) for turns in range(4)]

    def text(self) -> str:
        """Returns the letters, exactly one character for each; halves of a pair count as two."""
        count = self._raw.FPDFText_CountChars(self._page)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (2 * count + 1))()
        written = self._raw.FPDFText_GetText(self._page, 0, count, buffer)
        if written - 1 == count:
            units = memoryview(buffer).cast("B")[: 2 * count].tobytes()
            try:
                text = units.decode("utf-16-le")
            except UnicodeDecodeError:
                text = ""
            if len(text) == count:
                return text
            return "".join(map(chr, buffer[:count]))
        codes = (self._raw.FPDFText_GetUnicode(self._page, index) for index in range(count))
        return "".join(chr(code) if code < 0x110000 else " " for code in codes)

    def box(self, first: int, last: int, frame: Frame) -> Box:
        """Returns where a run of letters is, with the height of their type."""
        rectangle = self._rectangle
        self._raw.FPDFText_GetLooseCharBox(self._page, first, rectangle)
        left, top = rectangle.left, rectangle.top
        right, bottom = rectangle.right, rectangle.bottom
        if last != first:
            self._raw.FPDFText_GetLooseCharBox(self._page, last, rectangle)
            left, right = min(left, rectangle.left), max(right, rectangle.right)
            top, bottom = max(top, rectangle.top), min(bottom, rectangle.bottom)
        return frame.place(left, top, right, bottom)

    def turns(self, first: int, last: int) -> int:
        """Returns the direction of a word: as its letters are turned, or down if they are not."""
        if self.are_stacked(first, last):
            return 3
        return quarter_turns(self._raw.FPDFText_GetCharAngle(self._page, first))

    def are_stacked(self, first: int, last: int) -> bool:
        """Tells whether letters that are not turned stand below each other."""
        if first == last or quarter_turns(self._raw.FPDFText_GetCharAngle(self._page, first)):
            return False
        one = self.box(first, first, self.frames[0])
        other = self.box(last, last, self.frames[0])
        aside = abs(other.middle[0] - one.middle[0])
        return other.top - one.top > max((one.bottom - one.top) / 2, 2 * aside)

    def size(self, index: int) -> float:
        """Returns the size of the type of a letter, as it is shown; 0 if it is unknown."""
        if not self._raw.FPDFText_GetMatrix(self._page, index, self._matrix):
            return 0.0
        scale = math.hypot(self._matrix.c, self._matrix.d)
        return float(self._raw.FPDFText_GetFontSize(self._page, index) * scale)

    def is_guessed(self, index: int) -> bool:
        """Tells whether the page has no such letter: PDFium puts blanks where there is a gap."""
        return bool(self._raw.FPDFText_IsGenerated(self._page, index) == 1)

    def is_bold(self, index: int) -> bool:
        """Tells whether the font of a letter is bold by its name or its flags."""
        size = self._raw.FPDFText_GetFontInfo(
            self._page, index, self._name, _MAX_FONT_NAME, self._flags
        )
        name = self._name.value if 0 < size <= _MAX_FONT_NAME else b""
        return bool(
            _BOLD.search(name.decode("utf-8", "replace")) or self._flags.value & _FORCE_BOLD
        )
