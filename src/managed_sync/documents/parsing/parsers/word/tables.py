"""Reads the tables of Word files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.word.attributes import value_of
from managed_sync.documents.parsing.parsers.word.blocks import Block
from managed_sync.documents.parsing.parsers.word.grid import Cell, arrange

__all__ = ["read_table"]

Blocks: TypeAlias = Callable[[Element], list[Block]]

# Word has no more columns than this.
_MAX_COLUMNS = 63
_WRAPPERS = {"w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo", "w:smartTag"}


def read_table(table: Element, read: Blocks) -> list[Block]:
    """Returns the blocks of a table; see :func:`grid.arrange`.

    Args:
        table: The table.
        read: Returns the blocks in a cell.
    """
    return arrange([_cells(row, read) for row in _through(table, "w:tr") if not _is_deleted(row)])


def _cells(row: Element, read: Blocks) -> list[Cell]:
    column = _number(row.find("w:trPr"), "w:gridBefore", 0)
    cells: list[Cell] = []
    for cell in _through(row, "w:tc"):
        properties = cell.find("w:tcPr")
        if properties is not None and properties.find("w:cellDel") is not None:
            continue
        merge = None if properties is None else properties.find("w:vMerge")
        cells.append(
            Cell(
                column=column,
                blocks=read(cell),
                is_continued=merge is not None and merge.get("w:val", "continue") == "continue",
            )
        )
        column += max(1, _number(properties, "w:gridSpan", 1))
    return cells


def _is_deleted(row: Element) -> bool:
    properties = row.find("w:trPr")
    return properties is not None and properties.find("w:del") is not None


def _through(element: Element, tag: str) -> Iterator[Element]:
    """Yields the children with a tag, also those within content controls and insertions."""
    waiting = [iter(element)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            waiting.append(iter(child))


def _number(properties: Element | None, name: str, default: int) -> int:
    text = value_of(properties, name)
    return min(int(text), _MAX_COLUMNS) if text.isascii() and text.isdecimal() else default
