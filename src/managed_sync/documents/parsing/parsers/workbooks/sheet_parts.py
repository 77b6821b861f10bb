"""Reads the parts that belong to a sheet of ``.xlsx`` and ``.xlsb`` workbooks alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.office.charts import chart_blocks
from managed_sync.documents.parsing.parsers.office.diagrams import diagram_blocks
from managed_sync.documents.parsing.parsers.office.drawing_text import drawing_blocks
from managed_sync.documents.parsing.parsers.office.package import Package, Relationship
from managed_sync.documents.parsing.parsers.workbooks.cells import CellRange
from managed_sync.documents.parsing.parsers.workbooks.comments import read_comments
from managed_sync.documents.parsing.parsers.workbooks.sheets import Sheet

__all__ = ["SHEETS", "add_parts", "link_cells"]

SHEETS = {"worksheet", "chartsheet", "dialogsheet", "xlMacrosheet", "macrosheet"}
# A link on a range of blank cells, as on a whole column, says nothing about most of them.
_MAX_LINKED_CELLS = 10_000


def add_parts(sheet: Sheet, package: Package, part: str) -> None:
    """Adds the comments and the drawings that belong to a sheet's part."""
    sheet.comments += read_comments(package, part)
    sheet.others += _drawings(package, part)


def link_cells(
    sheet: Sheet,
    links: Iterable[tuple[CellRange, str]],
    relationships: Mapping[str, Relationship],
) -> None:
    """Adds the targets of links, which are given by range and id, to the text of cells."""
    left = _MAX_LINKED_CELLS
    for (first_row, first_column, last_row, last_column), key in links:
        found = relationships.get(key)
        size = max(1, last_row - first_row + 1) * max(1, last_column - first_column + 1)
        if found is None or not found.is_external or size > _MAX_LINKED_CELLS:
            continue
        # Many links on large ranges must not take longer than the sheet itself.
        left -= size
        if left < -_MAX_LINKED_CELLS * 100:
            return
        for number in range(first_row, last_row + 1):
            row = sheet.rows.get(number, {})
            for column in range(first_column, last_column + 1):
                if column in row:
                    row[column] = link(row[column], found.target)


def _drawings(package: Package, part: str) -> Iterator[str]:
    """Yields the text boxes, the descriptions of pictures, diagrams, and the titles of charts."""
    for drawing in package.related(part, "drawing"):
        root = package.xml(drawing)
        if root is None:
            continue
        yield from drawing_blocks(root, package.relationships(drawing))
        for data in package.related(drawing, "diagramData"):
            if (diagram := package.xml(data)) is not None:
                yield from diagram_blocks(diagram)
        for name in [*package.related(drawing, "chart"), *package.related(drawing, "chartEx")]:
            if (chart := package.xml(name)) is not None:
                yield from chart_blocks(chart, with_values=False)
