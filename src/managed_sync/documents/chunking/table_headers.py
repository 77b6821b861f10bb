"""Chooses the header that a passage carries if it begins inside a table.

The header is embedded and shown before the passage, so both together must fit into a chunk.

See ``docs/decisions/0039-documents-table-chunks.md``.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from managed_sync.documents.chunking.tables import Row, Tables, cells_of, row_of
from managed_sync.documents.chunking.tokens import EncodedText

__all__ = ["Header", "TableHeaders"]

# A longer header would leave too little of a chunk to the rows.
_LARGEST = 1 / 2
_SHORT_NAME = 40
# The first word after the line break may take a token more than without it.
_JOINT = 1


class Header(NamedTuple):
    """A header for a passage.

    Attributes:
        text: The names of the columns, as a row; empty if there are none.
        tokens: The tokens that the header takes, with the line break after it.
        within: The row that the passage begins inside of; ``None`` if it begins with a row.
        column: The number of the first column that it names.
    """

    text: str = ""
    tokens: int = 0
    within: Row | None = None
    column: int = 0

    @property
    def row_end(self) -> int | None:
        """The end of the row that the passage begins inside of."""
        return self.within and self.within.end


_NO_HEADER = Header()


class TableHeaders:
    """The headers of a text's tables.

    Args:
        text: The text.
        tables: Its tables.
        encoded: Its tokens.
        size: Maximum number of tokens in a passage with its header.
        above: The names of the columns of the table that the text begins inside of, as a row.
    """

    def __init__(
        self, text: str, tables: Tables, encoded: EncodedText, size: int, above: str = ""
    ) -> None:
        self._text = text
        self._tables = tables
        self._encoded = encoded
        self._size = size
        self._last: tuple[Row, _Names] | None = None
        self._above = _Names(above, encoded) if above else None

    def before(self, start: int) -> Header:
        """Returns the header of a passage that begins at an offset.

        A passage that begins inside a row ends in it, and has the names of the columns from there.
        """
        row = self._tables.row_at(start)
        if row is None:
            return _NO_HEADER
        header = self._tables.header_of(row, start)
        within = row if row.start < start else None
        if header is not None:
            columns = self._names(header)
        elif self._above and self._tables.is_headless_at_start(row):
            columns = self._above
        else:
            return Header(within=within)
        largest = int(self._size * _LARGEST) - _JOINT
        column = 0
        if within and self._tables.ends_header(row):
            # The rest of this line alone would be a passage without a word.
            within = None
        elif within:
            column = self._column(row, start)
        else:
            own = self._encoded.count_up_to(self._size, *row)
            if own is not None:
                # No row is split for its header.
                largest = min(largest, self._size - own - _JOINT)
        names, tokens = columns.fitting(column, largest)
        return Header(names, tokens + _JOINT if names else 0, within, column)

    def for_passage(self, header: Header, stop: int) -> str:
        """Returns a header's text without the columns after the last one of the passage."""
        if header.within is None or not header.text:
            return header.text
        columns = self._column(header.within, stop - 1) - header.column + 1
        return row_of(cells_of(header.text)[:columns])

    def _column(self, row: Row, offset: int) -> int:
        return max(0, self._tables.cells_before(row, offset + 1) - 1)

    def _names(self, header: Row) -> _Names:
        if self._last is None or self._last[0] != header:
            self._last = header, _Names(self._text[header.start : header.end], self._encoded)
        return self._last[1]


class _Names:
    """The names of a table's columns.

    Args:
        header: The first row of the table.
        encoded: Counts tokens.
    """

    def __init__(self, header: str, encoded: EncodedText) -> None:
        self._encoded = encoded
        self._cells = cells_of(header)
        self._short = [_shortened(cell) for cell in self._cells]
        # The tokens of a row's cells add up, since a space comes before each "|".
        self._sums = [
            list(accumulate((encoded.short(f" | {cell}") for cell in cells), initial=0))
            for cells in (self._cells, self._short)
        ]

    def fitting(self, column: int, largest: int) -> tuple[str, int]:
        """Returns the names from a column on that fit, as a row, and the tokens of that.

        If not all do, long names are shortened, and then the last ones are left out.
        """
        column = min(column, len(self._cells))
        for cells, sums in zip((self._cells, self._short), self._sums, strict=True):
            stop = bisect_right(sums, sums[column] + largest) - 1
            if stop < len(cells) and cells is self._cells:
                continue
            while stop > column:
                names = row_of(cells[column:stop])
                tokens = self._encoded.short(f"{names}\n")
                if tokens <= largest:
                    return names, tokens
                stop -= 1
        return "", 0


def _shortened(name: str) -> str:
    if len(name) <= _SHORT_NAME:
        return name
    return name[:_SHORT_NAME].rsplit(None, 1)[0].rstrip("\\") + "…"
