"""Reads the references to cells, and the escapes in their text, of ``.xlsx`` workbooks."""

from __future__ import annotations

import re

__all__ = ["MAX_ROWS", "CellRange", "cell_position", "cell_range", "margin_texts", "unescape"]

CellRange = tuple[int, int, int, int]
"""First row, first column, last row and last column, counted from 1."""

MAX_ROWS = 1_048_576
_MAX_COLUMNS = 16_384
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# "&L" begins the left part; "&P" is the number of the page, "&D" the date of the print.
_PARTS = re.compile(r"&[LCR]")
_CHANGING = re.compile(r"&[PNDT]")
_CODES = re.compile(r'&"[^"]*"|&K[0-9A-Fa-f]{6}|&\d+|&[A-Za-z]')


def margin_texts(code: str) -> list[str]:
    """Returns the texts of a header or footer that are the same on every printed page.

    Examples:
        >>> margin_texts('&L&"Arial,Bold"Harbor AG&CPage &P of &N&R&12R&&D')
        ['Harbor AG', 'R&D']
    """
    parts = [part.replace("&&", "\0") for part in _PARTS.split(code)]
    # Pictures and the names of sheet and file are left out, but not the words beside them.
    texts = [_CODES.sub("", part) for part in parts if not _CHANGING.search(part)]
    return [text.replace("\0", "&").strip() for text in texts if text.strip()]


def cell_position(reference: str) -> tuple[int, int] | None:
    """Returns the row and the column of a cell, counted from 1, or ``None`` if it is no cell.

    Examples:
        >>> cell_position("AB12")
        (12, 28)
    """
    found = _REFERENCE.fullmatch(reference)
    if not found:
        return None
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - 64
    row = int(found[2])
    return (row, column) if 1 <= row <= MAX_ROWS and column <= _MAX_COLUMNS else None


def cell_range(reference: str) -> CellRange | None:
    """Returns first row, first column, last row and last column of a range such as ``A1:C9``."""
    first, _, last = reference.partition(":")
    start, end = cell_position(first), cell_position(last or first)
    return (*start, *end) if start and end else None


def unescape(text: str) -> str:
    """Replaces Excel's own escapes of characters that XML has not, such as ``_x000D_``."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
