"""Reads the binary formats of Office with ``catdoc``, ``xlrd``, ``pyxlsb`` and ``olefile``."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import olefile
import xlrd

from benchmarks.parsing.truth.html import html_text, parsed_html
from benchmarks.parsing.truth.model import (
    Cell,
    DamagedFileError,
    Text,
    Truth,
    UnsupportedFileError,
)
from benchmarks.parsing.truth.office.cell_texts import number_ways, ways_to_write
from benchmarks.parsing.truth.office.workbook import grid_rows

__all__ = [
    "read_binary_workbook",
    "read_doc",
    "read_msg",
    "read_ppt",
    "read_xls",
    "slide_texts",
    "without_fields",
]

_ADDRESS = re.compile(r"\[(?:https?|cid|mailto):[^\]\s]*\]|<(?:https?|cid|mailto):[^>\s]*>")
_SECONDS = 30
# The tags of PidTagMessageCodepage and PidTagInternetCodepage, as numbers of the file.
_PAGE_OF_TEXTS = b"\x03\x00\xfd\x3f"
_PAGE_OF_HTML = b"\x03\x00\xde\x3f"
# What catdoc prints of fields before their results: their instructions.
_SWITCH = r'(?: +"[^"\n]*"| +\\[a-z*@#]+(?: +(?:"[^"\n]*"|MERGEFORMAT|[djmyaMhs/.:]+(?=\s)))?)'
_FIELD = re.compile(
    r"\b(?:HYPERLINK|INCLUDEPICTURE|PAGEREF|REF|MACROBUTTON|DOCPROPERTY|DATE|TIME|SAVEDATE|TOC"
    rf"|AUTHOR|FILENAME|TITLE|SUBJECT|PAGE|NUMPAGES|SEQ|STYLEREF)(?: +\w+(?= +\\))?{_SWITCH}+"
    r"|\bMACROBUTTON +\w+|\b(?:NUMPAGES|FILENAME)\b"
)
# How pyxlsb writes errors, and a day in 2173, after which numbers are hardly dates.
_ERROR = re.compile(r"0x[0-9a-f]{1,2}")
_LAST_DAY = 100_000
# Slides and the outlines of their texts, but not their templates.
_SLIDES = {0x03EE, 0x0FF0}
_TEXTS = {0x0FA0: "utf-16-le", 0x0FA8: "latin-1"}
_FIELDS = {"0037": "subject and addresses", "0C1A": "subject and addresses",
           "0E04": "subject and addresses", "0E03": "subject and addresses",
           "1000": "plain"}  # fmt: skip


def read_doc(data: bytes) -> Truth:
    """Returns the truth about an old Word file, which ``catdoc`` reads.

    Raises:
        DamagedFileError: It is damaged or protected.
        UnsupportedFileError: ``catdoc`` is not installed.
    """
    return _printed(["catdoc", "-d", "utf-8", "-w"], data)


def read_ppt(data: bytes) -> Truth:
    """Returns the truth about an old PowerPoint file: the texts of its slides, each once.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    try:
        file = olefile.OleFileIO(io.BytesIO(data))
        stream = file.openstream("PowerPoint Document").read()
    except Exception as error:
        raise DamagedFileError(str(error)) from error
    truth = Truth()
    for text in dict.fromkeys(slide_texts(stream, 0, len(stream), is_slide=False)):
        truth.add("text", text.replace("\v", " "))
    return truth


def slide_texts(stream: bytes, start: int, end: int, *, is_slide: bool) -> Iterator[str]:
    """Yields the texts of slides in the records of a stream.

    Args:
        stream: The stream.
        start: The place of the first record.
        end: The end of the last one.
        is_slide: The records belong to a slide.
    """
    while start + 8 <= end:
        version, kind, size = struct.unpack_from("<HHI", stream, start)
        start += 8
        if version & 15 == 15:  # a record of records
            inside = is_slide or kind in _SLIDES
            yield from slide_texts(stream, start, min(start + size, end), is_slide=inside)
        elif is_slide and kind in _TEXTS:
            yield stream[start : start + size].decode(_TEXTS[kind], "replace")
        start += size


def _printed(command: Sequence[str], data: bytes) -> Truth:
    if not shutil.which(command[0]):
        raise UnsupportedFileError("install it with apt-get install catdoc")
    if not olefile.isOleFile(io.BytesIO(data)):
        raise DamagedFileError("not of the old format")
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        run = subprocess.run(
            [*command, file.name], capture_output=True, check=False, timeout=_SECONDS
        )
    text = without_fields(run.stdout.decode("utf-8", "replace"))
    if run.returncode or "encrypted" in run.stderr.decode("utf-8", "replace").lower():
        raise DamagedFileError(f"{command[0]} cannot read it")
    truth = Truth(flow=[text])
    truth.add("text", text)
    return truth


def without_fields(text: str) -> str:
    """Returns a text without the instructions of fields, which no reader sees.

    Examples:
        >>> without_fields('by HYPERLINK "mailto:ann@a.example" Ann').split()
        ['by', 'Ann']
    """
    return _FIELD.sub(" ", text)


def read_xls(data: bytes) -> Truth:
    """Returns the truth about an old Excel file, which ``xlrd`` reads.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    try:
        book = xlrd.open_workbook(
            file_contents=data, formatting_info=True, logfile=io.StringIO(), on_demand=False
        )
    except NotImplementedError as error:
        raise UnsupportedFileError(str(error)) from error
    except Exception as error:
        raise DamagedFileError(f"xlrd cannot read it: {error}") from error
    truth = Truth(uncounted=frozenset({"hidden cells"}))
    for sheet in book.sheets():
        cells: dict[int, dict[int, Cell]] = {}
        for number in range(sheet.nrows):
            for column, cell in enumerate(sheet.row(number)):
                part, ways = _xls_cell(book, cell)
                if ways:
                    truth.add("hidden cells" if sheet.visibility else part, ways)
                    texts = (ways,) if isinstance(ways, str) else ways
                    cells.setdefault(number, {})[column] = texts
                    truth.flow.append(texts[0])
        if cells and not sheet.visibility:
            truth.add("sheet names", sheet.name)
            truth.rows += [] if sheet.merged_cells else grid_rows(cells)
        for note in sheet.cell_note_map.values():
            truth.add("comments", note.text)
    return truth


def _xls_cell(book: Any, cell: Any) -> tuple[str, Text]:
    match cell.ctype:
        case xlrd.XL_CELL_TEXT:
            return "texts", str(cell.value)
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            style = book.xf_list[cell.xf_index]
            code = book.format_map[style.format_key].format_str if style else "General"
            return ways_to_write(f"{cell.value:.17g}", code, is_1904=bool(book.datemode))
        case xlrd.XL_CELL_BOOLEAN:
            return "booleans", ("TRUE", "1") if cell.value else ("FALSE", "0")
        case xlrd.XL_CELL_ERROR:
            return "errors", str(xlrd.error_text_from_code.get(cell.value, ""))
    return "", ""


def read_binary_workbook(data: bytes) -> Truth:
    """Returns the truth about a binary Excel file, which ``pyxlsb`` reads.

    Raises:
        DamagedFileError: It is damaged or protected.
        UnsupportedFileError: ``pyxlsb`` is not installed.
    """
    try:
        open_workbook: Any = import_module("pyxlsb").open_workbook
    except ImportError as error:
        raise UnsupportedFileError("install it with pip install pyxlsb") from error
    truth = Truth()
    try:
        with open_workbook(io.BytesIO(data)) as book:
            for name in book.sheets:
                with book.get_sheet(name) as sheet:
                    for row in sheet.rows(sparse=True):
                        for cell in row:
                            _add_binary_cell(truth, cell.v)
    except Exception as error:
        raise DamagedFileError(f"pyxlsb cannot read it: {error}") from error
    return truth


def _add_binary_cell(truth: Truth, value: object) -> None:
    if isinstance(value, str):
        code = int(value, 16) if _ERROR.fullmatch(value) else None
        error = xlrd.error_text_from_code.get(code, value)
        truth.add("texts" if code is None else "errors", error)
    elif isinstance(value, float) and value and value == int(value):
        # Its format is not known: a number may be a date or a share, and a zero is often a dash.
        ways = number_ways(f"{value:.15g}", value, "")
        dates = ways_to_write(f"{value:.15g}", "yyyy-mm-dd")[1] if value < _LAST_DAY else ()
        truth.add("whole numbers", (*ways, f"{value:.0%}", *dates))


def read_msg(data: bytes) -> Truth:
    """Returns the truth about a message of Outlook, from its storage.

    Raises:
        DamagedFileError: It is damaged, or no message.
    """
    try:
        file = olefile.OleFileIO(io.BytesIO(data))
    except Exception as error:
        raise DamagedFileError(str(error)) from error
    truth = Truth(uncounted=frozenset({"names of attachments"}))
    html = b""
    charset = _charset(file)
    for path in file.listdir():
        name = path[-1].upper()
        if not name.startswith("__SUBSTG1.0_") or len(path) > 2:
            continue
        code, kind = name[12:16], name[16:20]
        content = file.openstream(path).read()
        if len(path) == 1 and code in _FIELDS:
            truth.add(_FIELDS[code], _string(content, kind, charset))
        elif len(path) == 1 and code == "1013":
            html = (
                content if kind == "0102" else _string(content, kind, charset).encode("utf-8-sig")
            )
        elif code == "3707" and path[0].startswith("__attach"):
            truth.add("names of attachments", _string(content, kind, charset))
    if not truth.parts and not html:
        raise DamagedFileError("no message in it")
    if html and "plain" in truth.parts:
        # Outlook adds the addresses of pictures and links when it makes plain text of HTML.
        plain = [_ADDRESS.sub(" ", str(text)) for text in truth.parts.pop("plain")]
        for text in plain:
            truth.add("plain", text)
    elif html:
        truth.add("html", html_text(parsed_html(html)))
    return truth


def _charset(file: olefile.OleFileIO) -> str:
    """The charset that the message states: of its texts, or else of its HTML."""
    if not file.exists("__properties_version1.0"):
        return "cp1252"
    data = file.openstream("__properties_version1.0").read()
    entries = (data[start : start + 16] for start in range(32, len(data) - 15, 16))
    pages = {entry[:4]: int.from_bytes(entry[8:12], "little") for entry in entries}
    name = f"cp{pages.get(_PAGE_OF_TEXTS) or pages.get(_PAGE_OF_HTML) or 1252}"
    try:
        "".encode(name)
    except LookupError:
        return "utf-8" if name == "cp65001" else "cp1252"
    return name


def _string(content: bytes, kind: str, charset: str) -> str:
    return content.decode("utf-16-le" if kind == "001F" else charset, "replace").rstrip("\0")
