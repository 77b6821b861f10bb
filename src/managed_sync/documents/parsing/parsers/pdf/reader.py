r"""Reads a PDF: its pages as Markdown, with a form feed between them.

PDFium reads the letters and where they are. Everything else is decided by positions and type:
lines, paragraphs, columns, headings, ruled tables, and the headers and footers that repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.pdf import blocks as blocks_module
from managed_sync.documents.parsing.parsers.pdf import headings, outline
from managed_sync.documents.parsing.parsers.pdf.annotations import Field
from managed_sync.documents.parsing.parsers.pdf.attachments import attachments
from managed_sync.documents.parsing.parsers.pdf.blocks import Block, blocks, join
from managed_sync.documents.parsing.parsers.pdf.document import PDFIUM, opened
from managed_sync.documents.parsing.parsers.pdf.lines import BULLET, Line, joined
from managed_sync.documents.parsing.parsers.pdf.outline import OutlineHeading
from managed_sync.documents.parsing.parsers.pdf.pages import Note, Page, read_page
from managed_sync.documents.parsing.parsers.pdf.reading_order import in_reading_order
from managed_sync.documents.parsing.parsers.pdf.running_lines import line_numbers, running_lines
from managed_sync.documents.parsing.parsers.pdf.tables.aligned import with_aligned_tables
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table
from managed_sync.documents.parsing.parts import Container
from managed_sync.errors import ParsingError
from managed_sync.logs import get_logger

__all__ = ["parse_pdf"]

_logger = get_logger(__name__)

# Bookmarks replace guesses if this part of them is found on the pages.
_ENOUGH_BOOKMARKS = 0.3
_FEW_BOOKMARKS = 2


def parse_pdf(data: bytes, *, name: str) -> str | Container:
    """Reads a PDF; text in pictures is not read.

    Returns:
        The text, with the files that are attached to the document, if it has any.

    Raises:
        ParsingError: The file is damaged, or needs a password.
        MissingExtraError: ``pypdfium2`` is not installed.
    """
    with PDFIUM, opened(data, name=name) as document:
        count = document.count_attachments()
        pages = _read_pages(document, name)
        title = document.get_metadata_value("Title")
        marks = outline.bookmarks(document)
    body = headings.body_type(line for page in pages for line in page.lines)
    gone = line_numbers(pages) | running_lines(pages, body_size=body.size, title=title)
    for page in pages:
        page.items = [item for item in page.items if id(item) not in gone]
        page.items = in_reading_order(page.items)
    named = outline.matched(marks, [page.lines for page in pages])
    if len(named) < max(_FEW_BOOKMARKS, _ENOUGH_BOOKMARKS * len(marks)):
        named = []
    text = _markdown(pages, named, body)
    if count <= 0:
        return text
    members = attachments(data, name=name)
    return Container(text, members, "Attachment", "attachments", lists_members=True)


def _read_pages(document: Any, name: str) -> list[Page]:
    from pypdfium2 import PdfiumError  # noqa: PLC0415 - comes with an extra

    if document.get_formtype():
        document.init_forms()
    pages: list[Page] = []
    failed = 0
    for number in range(len(document)):
        try:
            pages.append(read_page(document, number))
        except PdfiumError as error:
            _logger.warning("%s: page %d could not be read (%s)", name, number + 1, error)
            failed += 1
            pages.append(Page())
    if failed == len(pages):
        raise ParsingError(f"{name} could not be read: all its pages are damaged.")
    return pages


def _markdown(
    pages: Sequence[Page], named: Sequence[OutlineHeading], body: headings.BodyType
) -> str:
    levels = _join_headings(pages, named)
    for page in pages:
        page.items = with_aligned_tables(page.items, apart=levels)
    breaks = _breaks(pages, levels)
    paged = [[*blocks(page.items, breaks=breaks)] for page in pages]
    if named:
        levels = {
            id(block): levels[id(block.lines[0])]
            for page in paged
            for block in page
            if isinstance(block, Block) and id(block.lines[0]) in levels
        }
    else:
        texts = [[block for block in page if isinstance(block, Block)] for page in paged]
        levels = headings.guessed_headings(texts, body)
    words = blocks_module.known_words(line.text for page in pages for line in page.lines)
    filled = any(field.is_filled for page in pages for field in page.fields)
    return markdown.join_pages(
        markdown.join_blocks(
            [
                *_with_comments(found, page.notes, levels, words),
                *(text for block in blocks(page.aside) for text in _block(block, 0, words)),
                _form(page.fields) if filled else "",
            ]
        )
        for page, found in zip(pages, paged, strict=True)
    )


def _join_headings(pages: Sequence[Page], named: Sequence[OutlineHeading]) -> dict[int, int]:
    """Makes one line of each heading of the outline; returns the levels by their ids."""
    replaced: dict[int, Line] = {}
    gone: set[int] = set()
    levels: dict[int, int] = {}
    for heading in named:
        line = joined(heading.lines)
        line.text = heading.title or line.text
        replaced[id(heading.lines[0])] = line
        gone.update(map(id, heading.lines[1:]))
        levels[id(line)] = heading.level
    for page in pages:
        page.items = [replaced.get(id(item), item) for item in page.items if id(item) not in gone]
    return levels


def _breaks(pages: Sequence[Page], levels: Mapping[int, int]) -> set[int]:
    """Returns the ids of the lines that are, or follow, a heading of the outline."""
    breaks = {*levels}
    for page in pages:
        breaks.update(id(after) for line, after in pairwise(page.lines) if id(line) in levels)
    return breaks


def _with_comments(
    found: Sequence[Block | Table],
    notes: Sequence[Note],
    levels: dict[int, int],
    words: Set[str],
) -> Iterator[str]:
    """Yields the text of the blocks; a comment follows the block that it is on or below."""
    after: dict[int, list[Note]] = {}
    for note in notes:
        top = note.box.middle[1]
        above = [index for index, block in enumerate(found) if _top(block) <= top]
        last = max(above, key=lambda index: _top(found[index]), default=len(found) - 1)
        after.setdefault(last, []).append(note)
    if not found:
        yield from map(_comment, notes)
    for index, block in enumerate(found):
        yield from _block(block, levels.get(id(block), 0), words)
        yield from map(_comment, after.get(index, ()))


def _top(block: Block | Table) -> float:
    return block.box.top if isinstance(block, Table) else block.lines[0].box.top


def _comment(note: Note) -> str:
    author = f" ({note.author})" if note.author else ""
    return markdown.paragraph(f"Comment{author}: {' '.join(note.text.split())}")


def _form(fields: Sequence[Field]) -> str:
    return markdown.paragraph(
        "\n".join(dict.fromkeys(f"{each.name}: {each.value}" for each in fields))
    )


def _block(block: Block | Table, level: int, words: Set[str]) -> Iterator[str]:
    """Yields the Markdown of a block."""
    if isinstance(block, Table):
        yield markdown.table([[_joined(cell, words) for cell in row] for row in block.rows])
        return
    if level:
        yield markdown.heading(_joined([line.text for line in block.lines], words), level)
        return
    text = join(
        (
            ("\n" if index and block.ends_on_purpose(index - 1) else " ", line.marked)
            for index, line in enumerate(block.lines)
        ),
        words,
    )
    if bullet := BULLET.match(text):
        yield markdown.list_item(text[bullet.end() :])
    else:
        yield markdown.paragraph(text)


def _joined(lines: Sequence[str], words: Set[str]) -> str:
    return join(((" ", line) for line in lines), words)
