"""Reads the tables of a PDF that people wrote down in a file next to it.

The table competition of ICDAR 2013 has such files: ``a-str.xml`` for ``a.pdf``, with the rows and
columns of each cell. The repositories of Camelot and Tabula hold them.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.parsing.truth.model import Cell, Row, Truth, Unspaced

__all__ = ["add_tables"]


def add_tables(truth: Truth, path: Path) -> None:
    """Adds the rows of the tables to the truth about a PDF, if they are known.

    Args:
        truth: The truth so far.
        path: The PDF.
    """
    described = path.with_name(f"{path.stem}-str.xml")
    if not described.is_file():
        return
    root = ElementTree.fromstring(described.read_bytes())  # noqa: S314 - a file of the benchmark
    for region in root.iter("region"):
        truth.rows += _rows(region)


def _rows(region: ElementTree.Element) -> list[Row]:
    places: dict[int, dict[int, Cell]] = defaultdict(dict)
    for cell in region.iter("cell"):
        # Of some files, the texts were written down without the blanks in them.
        text = Unspaced(cell.findtext("content") or "")
        top, left = int(cell.get("start-row", "0")), int(cell.get("start-col", "0"))
        bottom = int(cell.get("end-row", str(top)))
        right = int(cell.get("end-col", str(left)))
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                # A place that the cell covers may be blank or repeat it.
                places[row][column] = (text,) if (row, column) == (top, left) else ("", text)
    # A place without a cell has to stay blank, so that the others are in their columns.
    columns = sorted({column for row in places.values() for column in row})
    return [
        tuple(row.get(column, ("",)) for column in columns) for _, row in sorted(places.items())
    ]
