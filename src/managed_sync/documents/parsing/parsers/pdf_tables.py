"""The ruled tables of a PDF: grids of drawn lines, with text in their cells.

``pdfplumber`` finds them, from where lines and letters stand. It takes many times as long as
reading the text, so it looks only at pages on which something is drawn, and not at drawings so rich
that they are no table.
"""

from __future__ import annotations

import io
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.errors import MissingExtraError
from managed_sync.logs import get_logger

__all__ = ["Table", "find_tables", "with_tables"]

_logger = get_logger(__name__)

Table: TypeAlias = list[list[str]]

# PDFium, which counts what is on a page, brings the whole process down if two threads call it.
_pdfium = threading.Lock()

# The whole grid may be one shape, and each side of each cell another one.
_MOST_SHAPES = 3_000
_FEWEST_LINES, _MOST_LINES = 8, 20_000
_MOST_LETTERS = 50_000
# What all pages together may cost, in letters: some 20 seconds, well below the limit of a file.
_MOST_WORK = 750_000
_WORK_OF_A_LINE = 5
# A chart's grid has cells too, and few of them have text; frames of a layout have whole columns.
_FEWEST_FILLED = 0.4
_LONGEST_CELL = 1_000


def find_tables(data: bytes, *, name: str) -> dict[int, list[Table]]:
    """The tables of each page that has some, by its number from 1; cells in rows.

    Whatever goes wrong, the text of the tables is still in the lines of the page.

    Raises:
        MissingExtraError: ``pdfplumber`` is not installed.
    """
    try:
        import pdfplumber  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise MissingExtraError(f"Reading {name}", "parsers") from error
    tables: dict[int, list[Table]] = {}
    try:
        with _pdfium:
            numbers = _pages_with_lines(data)
        if numbers:
            with pdfplumber.open(io.BytesIO(data), pages=numbers) as document:
                for page in document.pages:
                    tables[page.page_number] = [*_tables_of(page)]
                    page.close()
    except Exception as error:  # noqa: BLE001 - damaged files raise anything
        _logger.debug("%s: its tables stay lines of text (%s)", name, error)
    return tables


def _pages_with_lines(data: bytes) -> list[int]:
    """The numbers of the pages where tables may be, as far as there is time to look at them."""
    import pypdfium2  # noqa: PLC0415 - comes with pdfplumber

    numbers: list[int] = []
    left = _MOST_WORK
    document = pypdfium2.PdfDocument(data)
    try:
        for number, page in enumerate(document, start=1):
            work = _work(page)
            page.close()
            left -= work
            if left < 0:
                break
            if work:
                numbers.append(number)
    finally:
        document.close()
    return numbers


def _work(page: Any) -> int:
    """What looking for tables on a page costs, in letters; 0 where there are none to be found."""
    from pypdfium2 import raw  # noqa: PLC0415 - comes with pdfplumber

    shapes = list(islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]), _MOST_SHAPES + 1))
    lines = sum(raw.FPDFPath_CountSegments(shape.raw) for shape in shapes)
    if len(shapes) > _MOST_SHAPES or not _FEWEST_LINES <= lines <= _MOST_LINES:
        return 0
    letters: int = page.get_textpage().count_chars()
    return letters + _WORK_OF_A_LINE * lines if 0 < letters <= _MOST_LETTERS else 0


def _tables_of(page: Any) -> Iterator[Table]:
    for found in page.find_tables():
        rows = [[cell or "" for cell in row] for row in found.extract()]
        cells = [cell.strip() for row in rows for cell in row]
        if (
            len(rows) > 1
            and max(map(len, rows)) > 1
            and sum(map(bool, cells)) >= _FEWEST_FILLED * len(cells)
            and max(map(len, cells)) <= _LONGEST_CELL
        ):
            yield rows


def with_tables(lines: Sequence[str], tables: Sequence[Table]) -> list[str]:
    r"""A page's lines, in which the lines of each table have become one of several rows.

    Lines and tables were read by different means, so they are held against each other: a table
    takes the place of lines one after another that have exactly its letters. Words may differ, for
    narrow columns run together in the lines. One that has no such lines is left out, for all its
    letters are in the lines.

    Examples:
        >>> with_tables(["Prices", "Arm 10", "Hand 20"], [[["Arm", "10"], ["Hand", "20"]]])
        ['Prices', '| Arm | 10 |\n| --- | --- |\n| Hand | 20 |']
    """
    replaced = list(lines)
    letters = [_letters(line) for line in lines]
    for table in tables:
        begin, end = _place(letters, _letters(*(cell for row in table for cell in row)))
        if begin < end:
            rendered = markdown.table(table)
            replaced[begin:end] = [rendered]
            letters[begin:end] = [_letters(rendered)]
    return replaced


def _place(lines: Sequence[Counter[str]], wanted: Counter[str]) -> tuple[int, int]:
    """Where the lines with exactly these letters begin and end; nowhere is ``(0, 0)``.

    One pass: lines are taken in at the end, and given back at the beginning when they have too
    many of a letter, or none.
    """
    missing = Counter(wanted)
    begin = 0
    for end, line in enumerate(lines, start=1):
        missing.subtract(line)
        while begin < end and (not lines[begin] or min(missing.values()) < 0):
            missing.update(lines[begin])
            begin += 1
        if begin < end and not any(missing.values()):
            return begin, end
    return 0, 0


def _letters(*texts: str) -> Counter[str]:
    """The letters; a ligature counts as what it joins."""
    text = unicodedata.normalize("NFKC", markdown.clean(" ".join(texts)))
    return Counter("".join(text.split()))
