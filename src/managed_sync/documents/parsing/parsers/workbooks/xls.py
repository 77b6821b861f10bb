"""Reads ``.xls`` workbooks, which Excel wrote before 2007, with ``olefile`` and ``xlrd``."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from managed_sync.documents.parsing.base import missing_parser, unreadable
from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.office.number_formats.formats import (
    FIXED_FORMATS,
    NumberFormat,
    general,
)
from managed_sync.documents.parsing.parsers.workbooks.sheets import (
    Comment,
    Figure,
    Sheet,
    comment,
    write_workbook,
)
from managed_sync.errors import ParsingError

__all__ = ["parse_xls"]

_DATE = NumberFormat("yyyy-mm-dd h:mm:ss")


def parse_xls(data: bytes, *, name: str) -> str:
    """Reads a workbook, with a page, a heading and tables for each sheet.

    Raises:
        ParsingError: The file is damaged or protected.
        MissingExtraError: ``xlrd`` or ``olefile`` is not installed.
    """
    try:
        import olefile  # noqa: PLC0415 - comes with an extra
        import xlrd  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    try:
        # xlrd can open the file around the records, too, but does not end on damaged ones.
        stream = _stream(data, olefile) if data.startswith(olefile.MAGIC) else data
    except Exception as error:
        # olefile fails with errors of all kinds on damaged files.
        raise ParsingError(f"{name} is damaged, and cannot be read as a workbook.") from error
    failure: Exception | None = None
    # A few sound files have formats or formulas that xlrd fails on, and are read without them.
    for with_formats in (True, False):
        try:
            book = xlrd.open_workbook(
                file_contents=stream,
                formatting_info=with_formats,
                ragged_rows=True,
                logfile=io.StringIO(),
            )
            return write_workbook(_sheets(book, xlrd.error_text_from_code))
        except ParsingError as error:
            raise unreadable(name, error) from error
        except Exception as error:  # noqa: BLE001 - it fails with errors of all kinds
            failure = failure or error
            if isinstance(error, xlrd.XLRDError):
                break
    if isinstance(failure, xlrd.XLRDError):
        raise unreadable(name, failure) from failure
    raise ParsingError(f"{name} is damaged, and cannot be read as a workbook.") from failure


def _stream(data: bytes, olefile: Any) -> bytes:
    """Returns the records of a workbook without the file around them."""
    with olefile.OleFileIO(io.BytesIO(data)) as file:
        name = "Workbook" if file.exists("Workbook") else "Book"
        content: bytes = file.openstream(name).read()
        return content


def _sheets(book: Any, errors: dict[int, str]) -> Iterator[Sheet]:
    formats: dict[int, NumberFormat] = {}

    def format_of(style: int | None) -> NumberFormat | None:
        """Returns the number format of a cell style."""
        if style is None:
            return None
        if style not in formats:
            key = book.xf_list[style].format_key if 0 <= style < len(book.xf_list) else 0
            found = book.format_map.get(key)
            code = FIXED_FORMATS.get(key, found.format_str if found else "General")
            formats[style] = NumberFormat(code, since_1904=bool(book.datemode))
        return formats[style]

    for source in book.sheets():
        yield _sheet(source, format_of, errors)


def _sheet(
    source: Any, format_of: Callable[[int | None], NumberFormat | None], errors: dict[int, str]
) -> Sheet:
    sheet = Sheet(source.name)
    for number in range(source.nrows):
        cells = {}
        for column, cell in enumerate(source.row(number)):
            text = _shown(cell, format_of(cell.xf_index), errors)
            if text and not text.isspace():
                target = source.hyperlink_map.get((number, column))
                address = target.url_or_path if target else None
                cells[column + 1] = link(text, address) if isinstance(address, str) else text
        if cells:
            sheet.rows[number + 1] = cells
    for (row, _), note in sorted(source.cell_note_map.items()):
        sheet.comments.append(Comment(row + 1, comment(note.text or "", note.author or "")))
    return sheet


def _shown(cell: Any, shown: NumberFormat | None, errors: dict[int, str]) -> str:
    match cell.ctype:
        case 1:
            return shown.show_text(cell.value) if shown else str(cell.value)
        case 2:
            return Figure(shown.show(cell.value) if shown else general(cell.value))
        case 3:
            return Figure((shown or _DATE).show(cell.value))
        case 4:
            return Figure("TRUE" if cell.value else "FALSE")
        case 5:
            return Figure(errors.get(cell.value, "#ERROR"))
    return ""
