"""The paragraphs and tables of an RTF file's text, header, note or text box."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from managed_sync.documents.parsing.parsers.rtf.tables import Row, RowShape, rows_to_blocks
from managed_sync.documents.parsing.parsers.word.blocks import Block

__all__ = ["Paragraph", "Story"]

_BULLETS = re.compile(r"[·•o§▪◦■□●○❖➢✓⁃Øü\-–—*\uf000-\uf0ff]?")  # noqa: RUF001


@dataclass
class Paragraph:
    """The properties of a paragraph.

    Attributes:
        level: The level of a heading, 0 if only its style tells.
        style: The number of its style.
        depth: The depth of a list item.
        in_table: Tells whether it is in a cell.
        label: The number or bullet of a list item, ``None`` for other paragraphs.
    """

    level: int = 0
    style: int = -1
    depth: int = 0
    in_table: bool = False
    label: str | None = None


@dataclass
class Story:
    """A sequence of paragraphs and tables that is being read.

    Attributes:
        levels: The levels of headings by the numbers of their styles.
        parts: The text of the paragraph so far.
        following: Notes, comments and text boxes at places in the paragraph.
        paragraph: The properties of the paragraph.
    """

    levels: Mapping[int, int]
    parts: list[str] = field(default_factory=list)
    following: list[Block] = field(default_factory=list)
    paragraph: Paragraph = field(default_factory=Paragraph)
    _blocks: list[Block] = field(default_factory=list)
    _cell: list[Block] = field(default_factory=list)
    _row: list[list[Block]] = field(default_factory=list)
    _rows: list[Row] = field(default_factory=list)

    def end_paragraph(self) -> None:
        """Ends the paragraph."""
        blocks = self._take()
        if self.paragraph.in_table or self._row:
            self._cell += blocks
        else:
            self._end_table()
            self._blocks += blocks

    def end_cell(self) -> None:
        """Ends the cell of a table."""
        self._row.append([*self._cell, *self._take()])
        self._cell = []

    def end_row(self, shape: RowShape) -> None:
        """Ends the row of a table."""
        if self._row:
            self._rows.append(Row(shape, self._row))
        self._row = []

    def add(self, block: Block) -> None:
        """Adds a block after what came so far."""
        self._end_table()
        self._blocks.append(block)

    def finished(self, shape: RowShape) -> list[Block]:
        """Ends everything that has begun, and returns the blocks."""
        self.end_paragraph()
        if self._cell:
            self._row.append(self._cell)
            self._cell = []
        self.end_row(shape)
        self._end_table()
        return self._blocks

    def _take(self) -> list[Block]:
        text = _joined(self.parts)
        self.parts = []
        following, self.following = self.following, []
        paragraph = self.paragraph
        label, paragraph.label = paragraph.label, None
        if not text:
            return following
        level = paragraph.level or self.levels.get(paragraph.style, 0)
        if level and not paragraph.in_table:
            return [Block("heading", text, level, label or ""), *following]
        if label is not None:
            number = "" if _BULLETS.fullmatch(label) else label
            return [Block("item", text, paragraph.depth, number), *following]
        return [Block("paragraph", text), *following]

    def _end_table(self) -> None:
        if self._rows:
            self._blocks += rows_to_blocks(self._rows)
            self._rows = []


def _joined(parts: list[str]) -> str:
    """Returns a text in which two halves of a character, each written as a number, are one."""
    text = "".join(parts).strip()
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
