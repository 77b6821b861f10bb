"""Reads the text of OpenDocument files: paragraphs, lists and tables."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import (
    heading,
    list_item,
    paragraph,
    table,
)
from managed_sync.documents.parsing.parsers.office.odf_text import inline_text

__all__ = ["annotation", "body_blocks", "body_text", "plain_inline"]

# Their text is no part of the paragraph that they stand in.
_ELSEWHERE = {
    "office:annotation",
    "office:annotation-end",
    "text:note",
    "text:page-number",
    "drawing:frame",
    "drawing:g",
}
_MAX_BLANKS = 1000


def plain_inline(element: Element) -> str:
    """Returns the text of a paragraph, without the notes, comments and frames in it."""
    return inline_text(element, lambda child: "" if child.tag in _ELSEWHERE else None).strip(" ")


def body_text(parent: Element) -> str:
    """Returns the paragraphs of a cell or a text box, one a line."""
    lines = []
    for child in parent:
        if child.tag in {"text:p", "text:h"}:
            lines.append(plain_inline(child))
        elif child.tag in {"text:list", "text:list-item", "text:list-header", "text:section"}:
            lines.append(body_text(child))
    return "\n".join(line for line in lines if line.strip())


def body_blocks(parent: Element, depth: int = -1) -> Iterator[str]:
    """Yields the paragraphs, headings, list items and tables in an element as Markdown.

    Args:
        parent: The element.
        depth: The depth of the list that the element is in; -1 outside of lists.
    """
    for child in parent:
        match child.tag:
            case "text:p" if depth >= 0:
                yield list_item(plain_inline(child), depth)
            case "text:p":
                yield paragraph(plain_inline(child))
            case "text:h":
                level = child.get("text:outline-level", "1")
                yield heading(plain_inline(child), int(level) if level.isdigit() else 1)
            case "text:list":
                yield from body_blocks(child, depth + 1)
            case "text:list-item" | "text:list-header" | "text:section":
                yield from body_blocks(child, depth)
            case "table:table":
                yield table(_rows(child))


def annotation(element: Element) -> tuple[str, str]:
    """Returns the text and the author of a comment."""
    author = next((one.text or "" for one in element if one.tag == "dc:creator"), "")
    return body_text(element), author


def _rows(element: Element) -> Iterator[list[str]]:
    """Yields the rows of a table; the cells that a merged cell covers are blank."""
    for row in element.iter("table:table-row"):
        cells = []
        for cell in row:
            repeated = cell.get("table:number-columns-repeated", "1")
            count = min(int(repeated), _MAX_BLANKS) if repeated.isdigit() else 1
            if cell.tag == "table:table-cell":
                cells += [body_text(cell)] * count
            elif cell.tag == "table:covered-table-cell":
                cells += [""] * count
        while cells and not cells[-1]:
            cells.pop()
        yield cells
