"""Reads ``.odp`` presentations."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import (
    heading,
    join_blocks,
    join_pages,
    paragraph,
)
from managed_sync.documents.parsing.parsers.office.odf_blocks import (
    annotation,
    plain_inline,
)
from managed_sync.documents.parsing.parsers.office.odf_document import opened
from managed_sync.documents.parsing.parsers.office.odf_drawings import DrawingReader

__all__ = ["parse_odp"]

# Numbers of pages, dates, and the small picture of the slide on its notes.
_CHANGING = {"page-number", "date-time", "page", "header", "footer"}
_REPEATED = {"presentation:footer-decl", "presentation:header-decl"}


def parse_odp(data: bytes, *, name: str) -> str:
    """Reads a presentation, with a page for each slide.

    Raises:
        ParsingError: The file is damaged or protected.
    """
    with opened(data, name=name) as document:
        root = document.content
        drawings = DrawingReader(document, with_values=True)
        pages = [join_blocks(_slide(page, drawings)) for page in root.iter("drawing:page")]
        footers = [paragraph(plain_inline(one)) for one in root.iter() if one.tag in _REPEATED]
        if pages and footers:
            pages[0] = join_blocks([pages[0], *footers])
        return join_pages(page for page in pages if page)


def _slide(page: Element, drawings: DrawingReader) -> Iterator[str]:
    blocks: list[str] = []
    title = ""
    for shape in page:
        kind = shape.get("presentation:class", "")
        if kind in _CHANGING or not shape.tag.startswith("drawing:"):
            continue
        if shape.get("presentation:placeholder") == "true":
            # Its text invites to click.
            continue
        if kind == "title" and not title:
            title = "\n".join(plain_inline(one) for one in shape.iter("text:p"))
        else:
            blocks += drawings.blocks(shape)
    yield heading(title, 1)
    yield from blocks
    for notes in page:
        if notes.tag == "presentation:notes":
            text = join_blocks(
                block
                for shape in notes
                if shape.get("presentation:class", "") not in _CHANGING
                for block in drawings.blocks(shape)
            )
            yield f"Notes: {text}" if text else ""
    for comment in page:
        if comment.tag == "office:annotation":
            words, author = annotation(comment)
            yield paragraph(f"Comment ({author}): {words}" if author else f"Comment: {words}")
