"""A source as a workbook: each heading of level 1 starts a sheet."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

import openpyxl
from openpyxl.styles import Font

from scripts.sample_company.archive import fixed_archive
from scripts.sample_company.source import Block, Bullets, Heading, Note, Paragraph, Source, Table

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_PROPERTIES = "docProps/core.xml"


def write_xlsx(source: Source) -> bytes:
    """The bytes of an xlsx file; cells that look like numbers are numbers."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    properties = workbook.properties
    properties.title, properties.creator = source["title"], source["author"]
    properties.created = source.date.replace(tzinfo=None)
    sheet = None
    for block in source.blocks():
        if isinstance(block, Heading) and block.level == 1:
            sheet = workbook.create_sheet(block.text)
            continue
        if sheet is None:
            raise ValueError(f"{source.path}: a sheet starts with a heading, not {block}.")
        for row, is_bold in _rows(block):
            sheet.append([_value(cell) for cell in row])
            for cell in sheet[sheet.max_row]:
                cell.font = Font(bold=is_bold)
        sheet.column_dimensions["A"].width = 34
    data = io.BytesIO()
    workbook.save(data)
    return fixed_archive(data.getvalue(), {_PROPERTIES: _fixed_properties(data, source)})


def _rows(block: Block) -> Iterator[tuple[tuple[str, ...], bool]]:
    match block:
        case Table(rows):
            yield from ((row, number == 0) for number, row in enumerate(rows))
        case Heading(_, text):
            yield (text,), True
        case Paragraph(text) | Note(text):
            yield (text,), False
        case Bullets(items):
            yield from (((item,), False) for item in items)


def _value(cell: str) -> str | int | float:
    if not _NUMBER.fullmatch(cell):
        return cell
    return float(cell) if "." in cell else int(cell)


def _fixed_properties(data: io.BytesIO, source: Source) -> bytes:
    # openpyxl writes the present time as the time of the last change, whatever it is told.
    with zipfile.ZipFile(data) as archive:
        properties = archive.read(_PROPERTIES)
    moment = f"{source.date:%Y-%m-%dT%H:%M:%SZ}".encode()
    return re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, properties)
