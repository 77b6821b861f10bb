"""Workbooks in binary formats show what their XML twins show."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from managed_sync.documents.parsing.parsers.workbooks.biff12 import rk_number
from managed_sync.documents.parsing.parsers.workbooks.xls import parse_xls
from managed_sync.documents.parsing.registry import parse
from managed_sync.errors import ParsingError

CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"'
    "/></Types>"
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def relationships(**targets: str) -> str:
    entries = "".join(
        f'<Relationship Id="{kind}" Type="{OFFICE}/{kind}" Target="{target}"'
        f"{' TargetMode=' + chr(34) + 'External' + chr(34) if '://' in target else ''}/>"
        for kind, target in targets.items()
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{space}">{entries}</Relationships>'


def record(kind: int, data: bytes = b"") -> bytes:
    """A record of an .xlsb part."""
    number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, sizes = len(data), b""
    while size > 127:
        sizes += bytes([size & 0x7F | 0x80])
        size >>= 7
    return number + sizes + bytes([size]) + data


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def cell(column: int, style: int = 0) -> bytes:
    return struct.pack("<II", column, style)


def make_xlsb() -> bytes:
    style = struct.pack("<HH", 0, 164) + bytes(12)
    parts = {
        "[Content_Types].xml": CONTENT_TYPES.encode(),
        "_rels/.rels": relationships(officeDocument="xl/workbook.bin").encode(),
        "xl/_rels/workbook.bin.rels": relationships(
            worksheet="worksheets/sheet1.bin",
            sharedStrings="sharedStrings.bin",
            styles="styles.bin",
        ).encode(),
        "xl/workbook.bin": record(156, bytes(8) + wide("worksheet") + wide("Budget")),
        "xl/sharedStrings.bin": record(19, b"\0" + wide("Rent")),
        "xl/styles.bin": record(44, struct.pack("<H", 164) + wide("0.0%"))
        + record(617)
        + record(47, bytes(16))
        + record(47, style)
        + record(618),
        "xl/worksheets/_rels/sheet1.bin.rels": relationships(
            hyperlink="https://harbor.example/x", comments="../comments1.bin"
        ).encode(),
        "xl/worksheets/sheet1.bin": record(0, struct.pack("<I", 0) + bytes(20))
        + record(7, cell(0) + struct.pack("<I", 0))
        + record(5, cell(1, 1) + struct.pack("<d", 0.125))
        + record(2, cell(2) + struct.pack("<i", 1234 << 2 | 3))
        + record(3, cell(3) + b"\x07")
        + record(4, cell(4) + b"\x01")
        + record(8, cell(5) + wide("made") + b"\0\0")
        + record(62, cell(6) + b"\0" + wide("rich"))
        + record(494, struct.pack("<4I", 0, 0, 0, 0) + wide("hyperlink")),
        "xl/comments1.bin": record(632, wide("Eva"))
        + record(635, struct.pack("<5I", 0, 0, 0, 0, 0) + bytes(16))
        + record(637, b"\0" + wide("Check")),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_an_xlsb_workbook_is_read_with_formats_links_and_comments() -> None:
    assert parse(make_xlsb(), filename="a.xlsb") == (
        "# Budget\n\n"
        "| [Rent](https://harbor.example/x) | 12.5% | 12.34 | #DIV/0! | TRUE | made | rich |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n\n"
        "Comment (Eva): Check\n"
    )


@pytest.mark.parametrize(
    ("value", "number"),
    [(5 << 2 | 2, 5.0), (5 << 2 | 3, 0.05), (-(7 << 2) | 2, -7.0), (0x3FF00000, 1.0)],
)
def test_small_numbers_are_unpacked(value: int, number: float) -> None:
    assert rk_number(struct.pack("<i", value), 0) == number


def old_record(kind: int, data: bytes) -> bytes:
    """A record of an .xls stream."""
    return struct.pack("<HH", kind, len(data)) + data


def make_xls_stream() -> bytes:
    """The stream of an .xls workbook; xlrd reads it without the file around it."""

    def short(text: str) -> bytes:
        return struct.pack("<B", len(text)) + b"\0" + text.encode("latin-1")

    def long(text: str) -> bytes:
        return struct.pack("<H", len(text)) + b"\0" + text.encode("latin-1")

    def style(number: int) -> bytes:
        return old_record(0xE0, struct.pack("<HHH", 0, number, 0) + bytes(14))

    begin = struct.pack("<HH", 0x0600, 0x0005) + bytes(12)
    head = (
        old_record(0x809, begin)
        + old_record(0x22, struct.pack("<H", 0))
        + old_record(
            0x31, struct.pack("<HHHHHBBBB", 200, 0, 0, 400, 0, 0, 0, 0, 0) + short("Arial")
        )
        + old_record(0x41E, struct.pack("<H", 164) + long("0.0%"))
        + style(0)
        + style(164)
        + style(14)
    )
    sheet_name = short("Budget")
    end = old_record(0x0A, b"")
    start = len(head) + 4 + 6 + len(sheet_name) + len(end)
    sheet = (
        old_record(0x809, struct.pack("<HH", 0x0600, 0x0010) + bytes(12))
        + old_record(0x204, struct.pack("<HHH", 0, 0, 0) + long("Rent"))
        + old_record(0x203, struct.pack("<HHHd", 0, 1, 1, 0.125))
        + old_record(0x203, struct.pack("<HHHd", 0, 2, 2, 46085))
        + old_record(0x205, struct.pack("<HHHBB", 0, 3, 0, 7, 1))
        + end
    )
    return head + old_record(0x85, struct.pack("<IH", start, 0) + sheet_name) + end + sheet


def test_an_xls_workbook_is_read_with_its_formats() -> None:
    assert parse_xls(make_xls_stream(), name="a.xls") == (
        "# Budget\n\n| Rent | 12.5% | 2026-03-04 | #DIV/0! |\n| --- | --- | --- | --- |"
    )


def test_a_damaged_workbook_gives_one_reason() -> None:
    with pytest.raises(ParsingError, match=r"a\.xls is damaged, and cannot be read"):
        parse_xls(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), name="a.xls")
