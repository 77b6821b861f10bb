"""The blocks of a text, and how they are written: as Markdown, or inside the cell of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from managed_sync.documents.parsing import markdown_writer as markdown

__all__ = ["SET", "Block", "BlockKind", "add_running", "flat", "to_markdown", "write_pages"]

BlockKind: TypeAlias = Literal[
    "heading", "item", "paragraph", "table", "markdown", "page", "comment", "footnote", "endnote"
]

# The label of a page break that begins a page in any case. Others often repeat one.
SET = "set"
# A longer line is not a heading, even in the style of one.
_MAX_HEADING = 300
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Block:
    """A block of a text.

    Attributes:
        kind: ``"markdown"`` is a block that is written already, ``"page"`` the beginning of a page.
        text: The text, without marks of Markdown.
        level: The level of a heading, from 1, or the depth of a list item, from 0.
        label: The number of a list item or a heading.
        rows: The cells of a table.
    """

    kind: BlockKind
    text: str = ""
    level: int = 0
    label: str = ""
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def labeled(self) -> str:
        """The text after its number."""
        return f"{self.label} {self.text}" if self.label else self.text


def add_running(found: dict[str, Block], blocks: Iterable[Block]) -> None:
    """Adds a header or footer to those that were found, unless it is there or has no words.

    A page number alone says nothing.
    """
    text = to_markdown(blocks)
    if _LETTER.search(text):
        found.setdefault(text, Block("markdown", text))


def write_pages(
    blocks: Iterable[Block],
    *,
    headers: Iterable[Block],
    footers: Iterable[Block],
    boxes: Iterable[Block] = (),
) -> str:
    """Writes a document as Markdown.

    Args:
        blocks: Its text, with the marks of pages and with notes.
        headers: The blocks above the first page.
        footers: The blocks below the last page and the endnotes.
        boxes: The blocks between the last page and the endnotes.
    """
    blocks = list(blocks)
    pages = _pages_of(blocks)
    pages[0] = [*headers, *pages[0]]
    endnotes = (block for block in blocks if block.kind == "endnote")
    pages[-1] += [*boxes, *endnotes, *footers]
    return markdown.join_pages(map(to_markdown, pages))


def to_markdown(blocks: Iterable[Block]) -> str:
    """Writes blocks as Markdown; pages are for the caller to split."""
    return markdown.join_blocks(filter(None, map(_written, blocks)))


def _written(block: Block) -> str:
    match block.kind:
        case "heading" if len(block.text) <= _MAX_HEADING:
            return markdown.heading(block.labeled, block.level)
        case "item":
            return markdown.list_item(block.labeled, block.level)
        case "table":
            return markdown.table(block.rows)
        case "markdown":
            return block.text
        case "page":
            return ""
    return markdown.paragraph(block.labeled).strip()


def flat(blocks: Iterable[Block]) -> str:
    """Writes blocks as the text of a cell; the rows of an inner table become lists."""
    return " ".join(filter(None, (_flat(block).strip() for block in blocks)))


def _flat(block: Block) -> str:
    if block.kind == "table":
        return "; ".join(_row(block.rows))
    return block.labeled


def _row(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in rows:
        if text := ", ".join(filter(None, row)):
            yield text


def _pages_of(blocks: Iterable[Block]) -> list[list[Block]]:
    """Splits blocks into pages, each with its footnotes at its end.

    A mark of Word's layout begins no page right after another one: it repeats a break that the
    author set.
    """
    pages: list[list[Block]] = [[]]
    notes: list[Block] = []
    for block in blocks:
        match block.kind:
            case "page":
                if block.label == SET or pages[-1]:
                    pages[-1] += notes
                    notes = []
                    pages.append([])
            case "footnote":
                notes.append(block)
            case "endnote":
                pass
            case _:
                pages[-1].append(block)
    pages[-1] += notes
    while len(pages) > 1 and not pages[-1]:
        pages.pop()
    return pages
