"""A source as a PDF file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from reportlab import platypus
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import StyleSheet1, getSampleStyleSheet
from reportlab.lib.units import cm

from scripts.sample_company.source import (
    Block,
    Bullets,
    Heading,
    Note,
    PageBreak,
    Paragraph,
    Source,
    Table,
)

_WIDTH = A4[0] - 5 * cm


def write_pdf(source: Source) -> bytes:
    """The bytes of a PDF file with the title and the page number at the foot of each page.

    The text is drawn with a font that every reader has, so it is limited to Windows-1252.
    """
    source.text.encode("cp1252")
    styles = getSampleStyleSheet()
    for name in ("BodyText", "Bullet", "Italic"):
        styles[name].fontSize, styles[name].leading, styles[name].spaceAfter = 10.5, 14.5, 5
    data = io.BytesIO()
    template = platypus.BaseDocTemplate(
        data,
        pagesize=A4,
        leftMargin=2.5 * cm,
        rightMargin=2.5 * cm,
        title=source["title"],
        author=source["author"],
        invariant=1,
        pageCompression=0,
    )

    def draw_foot(canvas: Any, document: Any) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(2.5 * cm, 1.5 * cm, f"{source['title']} - page {document.page}")

    story = [part for block in source.blocks() for part in _parts(block, styles)]
    frame = platypus.Frame(
        template.leftMargin, template.bottomMargin, template.width, template.height
    )
    # At the end, so that the foot comes last when text is taken out of the page.
    template.addPageTemplates(platypus.PageTemplate(frames=[frame], onPageEnd=draw_foot))
    template.build(story)
    return data.getvalue()


def _parts(block: Block, styles: StyleSheet1) -> Iterator[Any]:
    match block:
        case Heading(level, text):
            yield platypus.Paragraph(escape(text), styles[f"Heading{level}"])
        case Paragraph(text):
            yield platypus.Paragraph(escape(text), styles["BodyText"])
        case Note(text):
            yield platypus.Paragraph(escape(text), styles["Italic"])
        case Bullets(items):
            for item in items:
                yield platypus.Paragraph(escape(item), styles["Bullet"], bulletText="•")
        case Table(rows):
            yield _table(rows, styles)
            yield platypus.Spacer(1, 8)
        case PageBreak():
            yield platypus.PageBreak()


def _table(rows: tuple[tuple[str, ...], ...], styles: StyleSheet1) -> Any:
    cells = [[platypus.Paragraph(escape(text), styles["BodyText"]) for text in row] for row in rows]
    table = platypus.Table(cells, colWidths=[_WIDTH / len(rows[0])] * len(rows[0]), repeatRows=1)
    table.setStyle(
        platypus.TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.4, colors.gray),
                ("BACKGROUND", (0, 0), (-1, 0), colors.lightgrey),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table
