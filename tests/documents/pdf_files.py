"""PDF files that tests draw, and the text that is read from them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from managed_sync.documents.parsing.parsers.pdf.reader import parse_pdf

STYLES = getSampleStyleSheet()
GRID = [("GRID", (0, 0), (-1, -1), 0.5, colors.black)]
SENTENCE = "The gripper is inspected every week by the person who runs the cell. "


def story(*parts: Any) -> bytes:
    """Returns a PDF that is laid out from parts, such as paragraphs and tables."""
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4).build(list(parts))
    return buffer.getvalue()


def drawn(*pages: Callable[[Canvas], object], size: tuple[float, float] = A4) -> bytes:
    """Returns a PDF whose pages are drawn by functions."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=size)
    for page in pages:
        page(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def words(text: str, style: str = "Normal") -> Paragraph:
    """Returns a paragraph."""
    return Paragraph(text, STYLES[style])


def grid(rows: Sequence[Sequence[Any]], *more: Any, **options: Any) -> Table:
    """Returns a table with lines around all cells."""
    return Table(rows, style=[*GRID, *more], **options)


def read(data: bytes) -> str:
    """Returns the text of a PDF as Markdown."""
    text = parse_pdf(data, name="arm.pdf")
    assert isinstance(text, str)
    return text
