"""Finds the ruled tables of a PDF: grids of drawn lines, with text in their cells.

``pdfplumber`` finds them by the positions of lines and letters. It takes many times as long as
reading the text, so it reads only pages with drawings, and no drawings that are too rich to be a
table.
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

# PDFium, which counts the objects on a page, crashes the process if two threads call it.
_pdfium = threading.Lock()

# A grid may be one shape, or have a shape for each side of each cell.
_MAX_SHAPES = 3_000
_MIN_LINES, _MAX_LINES = 8, 20_000
_MAX_LETTERS = 50_000
# The cost of all pages together, in letters: some 20 seconds, well below the limit of a file.
_MAX_WORK = 750_000
_WORK_OF_A_LINE = 5
# The grid of a chart has cells, few of them with text; a frame of a layout holds whole columns.
_MIN_FILLED = 0.4
_MAX_CELL = 1_000


def find_tables(data: bytes, *, name: str) -> dict[int, list[Table]]:
    """Returns the tables of each page that has any, by its number from 1, with cells in rows.

    If anything fails, the text of the tables is still in the lines of the page.

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
        _logger.debug("%s: tables are kept as lines of text (%s)", name, error)
    return tables


def _pages_with_lines(data: bytes) -> list[int]:
    """Returns the numbers of the pages that may have tables, up to the limit of work."""
    import pypdfium2  # noqa: PLC0415 - comes with pdfplumber

    numbers: list[int] = []
    left = _MAX_WORK
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
    """Returns the cost of finding tables on a page, in letters; 0 if it cannot have any."""
    from pypdfium2 import raw  # noqa: PLC0415 - comes with pdfplumber

    shapes = list(islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH]), _MAX_SHAPES + 1))
    lines = sum(raw.FPDFPath_CountSegments(shape.raw) for shape in shapes)
    if len(shapes) > _MAX_SHAPES or not _MIN_LINES <= lines <= _MAX_LINES:
        return 0
    letters: int = page.get_textpage().count_chars()
    return letters + _WORK_OF_A_LINE * lines if 0 < letters <= _MAX_LETTERS else 0


def _tables_of(page: Any) -> Iterator[Table]:
    for found in page.find_tables():
        rows = [[cell or "" for cell in row] for row in found.extract()]
        cells = [cell.strip() for row in rows for cell in row]
        if (
            len(rows) > 1
            and max(map(len, rows)) > 1
            and sum(map(bool, cells)) >= _MIN_FILLED * len(cells)
            and max(map(len, cells)) <= _MAX_CELL
        ):
            yield rows


def with_tables(lines: Sequence[str], tables: Sequence[Table]) -> list[str]:
    r"""Replaces the lines of each table on a page by one line of several rows.

    Lines and tables were read by different libraries, so they are compared: a table replaces
    consecutive lines that have exactly its letters. Words may differ, because narrow columns run
    together in the lines. A table without such lines is left out, since the lines have its text.

    Examples:
        >>> with_tables(["Prices", "Arm 10", "Hand 20"], [[["Arm", "10"], ["Hand", "20"]]])
        ['Prices', '| Arm | 10 |\n| --- | --- |\n| Hand | 20 |']
    """
    replaced = list(lines)
    letters = [_letters(line) for line in lines]
    for table in tables:
        begin, end = _matching_lines(letters, _letters(*(cell for row in table for cell in row)))
        if begin < end:
            rendered = markdown.table(table)
            replaced[begin:end] = [rendered]
            letters[begin:end] = [_letters(rendered)]
    return replaced


def _matching_lines(lines: Sequence[Counter[str]], wanted: Counter[str]) -> tuple[int, int]:
    """Returns the range of lines with exactly these letters, or ``(0, 0)``.

    It takes one pass: lines are added at the end, and removed at the beginning while they have too
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
    """Counts the letters; a ligature counts as the letters that it joins."""
    text = unicodedata.normalize("NFKC", markdown.clean(" ".join(texts)))
    return Counter("".join(text.split()))
