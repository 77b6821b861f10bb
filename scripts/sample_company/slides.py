"""A source as slides: each heading of level 1 or 2 starts one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pptx
from pptx.util import Inches, Pt

from scripts.sample_company.archive import fixed_archive
from scripts.sample_company.source import Block, Bullets, Heading, Note, Paragraph, Source, Table

_TITLE_SLIDE, _TITLE_AND_CONTENT = 0, 1


def write_pptx(source: Source) -> bytes:
    """The bytes of a pptx file."""
    presentation = pptx.Presentation()
    properties = presentation.core_properties
    properties.title = source["title"]
    properties.author = properties.last_modified_by = source["author"]
    properties.created = properties.modified = source.date.replace(tzinfo=None)
    for heading, blocks in _slides(source):
        layout = _TITLE_SLIDE if heading.level == 1 else _TITLE_AND_CONTENT
        slide = presentation.slides.add_slide(presentation.slide_layouts[layout])
        slide.shapes.title.text = heading.text
        _fill(slide, blocks)
    data = io.BytesIO()
    presentation.save(data)
    return fixed_archive(data.getvalue())


def _slides(source: Source) -> Iterator[tuple[Heading, list[Block]]]:
    slides: list[tuple[Heading, list[Block]]] = []
    for block in source.blocks():
        if isinstance(block, Heading) and block.level <= 2:
            slides.append((block, []))
        elif slides:
            slides[-1][1].append(block)
        else:
            raise ValueError(f"{source.path}: slides start with a heading, not {block}.")
    yield from slides


def _fill(slide: Any, blocks: list[Block]) -> None:
    body = slide.placeholders[1]
    lines = list(_lines(blocks))
    for number, (text, is_heading) in enumerate(lines):
        frame = body.text_frame
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        run = paragraph.add_run()
        run.text, run.font.size, run.font.bold = text, Pt(18), is_heading
    tables = [block for block in blocks if isinstance(block, Table)]
    if tables and lines:
        body.left, body.top, body.width, body.height = (Inches(size) for size in (0.5, 1.5, 9, 2.2))
    elif tables:
        body.element.getparent().remove(body.element)
    top = 3.9 if lines else 1.6
    for table in tables:
        _add_table(slide, table, top)
        top += 0.4 * len(table.rows) + 0.2
    notes = [block.text for block in blocks if isinstance(block, Note)]
    if notes:
        slide.notes_slide.notes_text_frame.text = "\n".join(notes)


def _lines(blocks: list[Block]) -> Iterator[tuple[str, bool]]:
    for block in blocks:
        match block:
            case Heading(_, text):
                yield text, True
            case Paragraph(text):
                yield text, False
            case Bullets(items):
                yield from ((item, False) for item in items)


def _add_table(slide: Any, table: Table, top: float) -> None:
    rows, columns = len(table.rows), len(table.rows[0])
    shape = slide.shapes.add_table(
        rows, columns, Inches(0.5), Inches(top), Inches(9), Inches(0.4 * rows)
    )
    for row, cells in enumerate(table.rows):
        for column, text in enumerate(cells):
            cell = shape.table.cell(row, column)
            cell.text = text
            cell.text_frame.paragraphs[0].runs[0].font.size = Pt(13)
