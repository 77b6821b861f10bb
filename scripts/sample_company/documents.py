"""A source as a Word document."""

from __future__ import annotations

import io
from typing import Any

import docx

from scripts.sample_company.archive import fixed_archive
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


def write_docx(source: Source) -> bytes:
    """The bytes of a docx file."""
    document = docx.Document()
    properties = document.core_properties
    properties.title = source["title"]
    properties.author = properties.last_modified_by = source["author"]
    properties.created = properties.modified = source.date.replace(tzinfo=None)
    properties.comments = ""
    for block in source.blocks():
        _add(document, block)
    data = io.BytesIO()
    document.save(data)
    return fixed_archive(data.getvalue())


def _add(document: Any, block: Block) -> None:
    match block:
        case Heading(level, text):
            document.add_heading(text, level)
        case Paragraph(text):
            document.add_paragraph(text)
        case Note(text):
            document.add_paragraph(text, style="Intense Quote")
        case Bullets(items):
            for item in items:
                document.add_paragraph(item, style="List Bullet")
        case Table(rows):
            table = document.add_table(len(rows), len(rows[0]), style="Light Grid Accent 1")
            for cells, row in zip(table.rows, rows, strict=True):
                for cell, text in zip(cells.cells, row, strict=True):
                    cell.text = text
        case PageBreak():
            document.add_page_break()
