"""Reads one page of a PDF: its lines, its ruled tables, and what is laid over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from managed_sync.documents.parsing.parsers.pdf import lines
from managed_sync.documents.parsing.parsers.pdf.annotations import Field, Overlay, read_overlay
from managed_sync.documents.parsing.parsers.pdf.geometry import Box
from managed_sync.documents.parsing.parsers.pdf.lines import Line
from managed_sync.documents.parsing.parsers.pdf.tables.drawings import Drawing
from managed_sync.documents.parsing.parsers.pdf.tables.grids import grids
from managed_sync.documents.parsing.parsers.pdf.tables.ruled import with_tables
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table

__all__ = ["Note", "Page", "read_page"]


@dataclass(frozen=True, slots=True)
class Note:
    """A comment on a page.

    Attributes:
        author: The name, or an empty string.
        text: The text.
        box: Where it is.
    """

    author: str
    text: str
    box: Box


@dataclass(slots=True)
class Page:
    """A page with its text, tables, comments and fields.

    Attributes:
        items: The lines and tables of its main direction, in the order in which it draws them.
        aside: The lines that run in another direction.
        height: Its extent in the direction in which lines follow each other.
        notes: The comments on it.
        fields: The fields of a form on it.
    """

    items: list[Line | Table] = field(default_factory=list)
    aside: list[Line] = field(default_factory=list)
    height: float = 0.0
    notes: list[Note] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)

    @property
    def lines(self) -> list[Line]:
        """The lines of its main direction that are in no table."""
        return [item for item in self.items if isinstance(item, Line)]


def read_page(document: Any, number: int) -> Page:
    """Reads a page.

    Args:
        document: The document.
        number: The index of the page.
    """
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    page = document[number]
    try:
        overlay = read_overlay(page, document.formenv.raw if document.formenv else None)
        if overlay.is_drawn and raw.FPDFPage_Flatten(page.raw, raw.FLAT_NORMALDISPLAY) == (
            raw.FLATTEN_SUCCESS
        ):
            # The text of stamps, signatures and filled fields is now text of the page.
            page.close()
            page = document[number]
        drawing = Drawing(page)
        drawing.widen_flat_text()
        text_page = page.get_textpage()
        try:
            return _read(page, text_page.raw, drawing, overlay)
        finally:
            text_page.close()
    finally:
        page.close()


def _read(page: Any, text_page: Any, drawing: Drawing, overlay: Overlay) -> Page:
    text = lines.read_text(page, text_page)
    frame = text.frame
    main = [line for line in text.lines if line.turns == frame.turns]
    aside = [line for line in text.lines if line.turns != frame.turns]
    overlay.mark_links(main, frame)
    items = with_tables(
        main,
        [*grids(drawing.edges(frame))] if main else [],
        letter_boxes=lambda word: lines.letter_boxes(page, text_page, word, frame),
    )
    for item in (*items, *aside):
        if isinstance(item, Line):
            item.release_words()
    shown = "".join("".join(line.text.split()) for line in text.lines) if overlay.comments else ""
    notes = [
        Note(comment.author, comment.text, frame.place(*comment.corners))
        for comment in overlay.comments
        if "".join(comment.text.split()) not in shown
    ]
    return Page(items, aside, frame.height, notes, overlay.fields)
