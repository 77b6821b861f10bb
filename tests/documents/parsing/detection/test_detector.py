from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.detection.detector import detect_file_type
from managed_sync.documents.parsing.file_types import FileType
from managed_sync.errors import NotTextError, ParsingError
from tests.documents import sample_files

OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
GOOGLE = "application/vnd.google-apps."
NOTHING = 0xFFFFFFFF
UNKNOWN = "application/octet-stream"
TEXT = b"The gripper is inspected every week.\n"
MAIL = b"Received: from a\nMessage-ID: <1@a>\nFrom: a@b.example\nSubject: x\n\nHello\n"
DOCX, PPTX, XLSX = sample_files.make_docx(), sample_files.make_pptx(), sample_files.make_xlsx()
PDF = sample_files.make_pdf()
RANDOM = random.Random(1).randbytes(3000)


def zip_of(*names: str, media_type: str = "", **texts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if media_type:
            archive.writestr("mimetype", media_type)
        for name in names:
            archive.writestr(name, texts.get("text", "<x/>"))
    return buffer.getvalue()


def entry(name: str, *, right: int = NOTHING, child: int = NOTHING) -> bytes:
    encoded = name.encode("utf-16-le")
    numbers = struct.pack("<HBBIII", len(encoded) + 2, 1, 1, NOTHING, right, child)
    return (encoded.ljust(64, b"\0") + numbers).ljust(128, b"\0")


def compound_file(stream: str, below: str = "") -> bytes:
    """A file with a stream at its top, and a folder with another one."""
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6),
        *(0, 1, 1, 0, 4096, NOTHING, 0, NOTHING, 0),
    )
    table = struct.pack("<2I", 0xFFFFFFFD, 0xFFFFFFFE).ljust(512, b"\xff")
    directory = (
        entry("Root Entry", child=1)
        + entry(stream, right=2)
        + entry("Object", child=3)
        + entry(below or "Other")
    )
    return header + struct.pack("<I", 0).ljust(436, b"\xff") + table + directory


def old_tar() -> bytes:
    name = b"a.txt".ljust(148, b"\0")
    return (name + b"%06o\0 " % (sum(name) + 8 * 32)).ljust(1024, b"\0")


TYPES = [
    # Office, with its templates, macros and slide shows
    (f"{OFFICE}wordprocessingml.document", "a.docx", DOCX, FileType.DOCX),
    (f"{OFFICE}wordprocessingml.template", "a.dotx", DOCX, FileType.DOCX),
    ("application/vnd.ms-word.document.macroEnabled.12", "a.docm", DOCX, FileType.DOCX),
    ("application/vnd.ms-word.template.macroEnabled.12", "a.dotm", DOCX, FileType.DOCX),
    (f"{OFFICE}presentationml.presentation", "a.pptx", PPTX, FileType.PPTX),
    (f"{OFFICE}presentationml.slideshow", "a.ppsx", PPTX, FileType.PPTX),
    (f"{OFFICE}presentationml.template", "a.potx", PPTX, FileType.PPTX),
    ("application/vnd.ms-powerpoint.presentation.macroEnabled.12", "a.pptm", PPTX, FileType.PPTX),
    (f"{OFFICE}spreadsheetml.sheet", "a.xlsx", XLSX, FileType.XLSX),
    (f"{OFFICE}spreadsheetml.template", "a.xltx", XLSX, FileType.XLSX),
    ("application/vnd.ms-excel.sheet.macroEnabled.12", "a.xlsm", XLSX, FileType.XLSX),
    (
        "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
        "a.xlsb",
        zip_of("[Content_Types].xml", "xl/workbook.bin"),
        FileType.XLSB,
    ),
    ("application/x-zip-compressed", "a.docx", DOCX, FileType.DOCX),
    ("application/zip", "a.xlsx", XLSX, FileType.XLSX),
    ("application/msword", "a.docx", DOCX, FileType.DOCX),
    ("application/msword", "a.doc", compound_file("WordDocument"), FileType.DOC),
    ("application/vnd.ms-excel", "a.xls", compound_file("Workbook"), FileType.XLS),
    ("application/vnd.ms-powerpoint", "a.ppt", compound_file("PowerPoint Document"), FileType.PPT),
    # Documents in documents, and main parts with other names
    (UNKNOWN, "a", compound_file("Workbook", below="WordDocument"), FileType.XLS),
    (UNKNOWN, "a", compound_file("WordDocument", below="PowerPoint Document"), FileType.DOC),
    (UNKNOWN, "a", compound_file("WORDDOCUMENT"), FileType.DOC),
    (
        UNKNOWN,
        "a",
        zip_of("[content_types].xml", "x.xml", text=f"{OFFICE}spreadsheetml.sheet.main+xml"),
        FileType.XLSX,
    ),
    (
        UNKNOWN,
        "a",
        zip_of(
            *("[Content_Types].xml", "word/x.xml", "xl/x.xml"),
            text=f"ms-excel.sheet.binary.macroEnabled.12 {OFFICE}wordprocessingml.document.main",
        ),
        FileType.DOCX,
    ),
    ("application/vnd.ms-outlook", "a.msg", compound_file("__properties_version1.0"), FileType.MSG),
    # Programs write these under the names of old Office files
    ("application/msword", "a.doc", b"{\\rtf1 x}", FileType.RTF),
    ("application/msword", "a.doc", b"<html><p>x", FileType.HTML),
    ("application/msword", "a.doc", TEXT, FileType.TEXT),
    ("application/vnd.ms-excel", "a.xls", b"a\tb\n1\t2\n", FileType.CSV),
    ("application/vnd.ms-excel", "a.csv", b"a,b\n1,2\n", FileType.CSV),
    # OpenDocument and books
    (f"{OPEN_DOCUMENT}text", "a.odt", zip_of(media_type=f"{OPEN_DOCUMENT}text"), FileType.ODT),
    (
        f"{OPEN_DOCUMENT}text-template",
        "a.ott",
        zip_of(media_type=f"{OPEN_DOCUMENT}text-template"),
        FileType.ODT,
    ),
    (
        f"{OPEN_DOCUMENT}spreadsheet",
        "a.ods",
        zip_of(media_type=f"{OPEN_DOCUMENT}spreadsheet"),
        FileType.ODS,
    ),
    ("application/epub+zip", "a.epub", zip_of(media_type="application/epub+zip"), FileType.EPUB),
    (
        UNKNOWN,
        "a",
        zip_of(
            "META-INF/manifest.xml", text=f'<x media-type="{OPEN_DOCUMENT}text" full-path="/"/>'
        ),
        FileType.ODT,
    ),
    (UNKNOWN, "a", zip_of("META-INF/container.xml"), FileType.EPUB),
    (
        "text/xml",
        "a.fods",
        f'<?xml ?><office:document office:mimetype="{OPEN_DOCUMENT}spreadsheet">'.encode(),
        FileType.ODS,
    ),
    ("text/rtf", "a.rtf", b"{\\pard x}", FileType.RTF),
    ("application/x-pdf", "a.pdf", PDF, FileType.PDF),
    # Google's exports
    (f"{GOOGLE}document", "Plan", DOCX, FileType.DOCX),
    (f"{GOOGLE}document", "Plan", PDF, FileType.PDF),
    (f"{GOOGLE}document", "Plan", TEXT, FileType.TEXT),
    (f"{GOOGLE}spreadsheet", "Plan", b"a,b\n1,2\n", FileType.CSV),
    (f"{GOOGLE}presentation", "Plan", PPTX, FileType.PPTX),
    (f"{GOOGLE}drawing", "Plan", b"<svg xmlns='x'><text>x</text></svg>", FileType.SVG),
    (f"{GOOGLE}script", "Code.json", b'{"files": []}', FileType.CODE),
    # Text of every kind
    ("text/html", "a.html", b"<p>x</p>", FileType.HTML),
    ("application/xhtml+xml", "a.xhtml", b"<?xml version='1.0'?><html/>", FileType.HTML),
    ("text/xml", "a.xhtml", b"<?xml version='1.0'?><html/>", FileType.HTML),
    ("text/markdown", "a.md", TEXT, FileType.MARKDOWN),
    ("text/x-web-markdown", "a.md", TEXT, FileType.MARKDOWN),
    ("text/plain", "a.md", TEXT, FileType.MARKDOWN),
    ("text/plain", "a.csv", b"a,b\n1,2\n", FileType.CSV),
    ("text/csv", "a.txt", b"a,b\n1,2\n", FileType.CSV),
    ("text/x-python", "a.py", b"import os\n", FileType.CODE),
    ("application/x-python-code", "a.py", b"import os\n", FileType.CODE),
    ("application/x-sh", "a.sh", b"ls\n", FileType.CODE),
    ("application/ld+json", "a.jsonld", b"{}", FileType.CODE),
    ("application/geo+json", "a.geojson", b"{}", FileType.CODE),
    ("application/atom+xml", "a.atom", b"<feed/>", FileType.CODE),
    ("application/toml", "a.toml", b"a = 1\n", FileType.CODE),
    ("application/x-tex", "a.tex", b"\\section{One}\n", FileType.TEXT),
    ("text/x-rst", "a.rst", b"One\n===\n", FileType.TEXT),
    ("application/x-ipynb+json", "a.ipynb", b'{"cells": []}', FileType.NOTEBOOK),
    ("application/json", "a.ipynb", b'{"cells": []}', FileType.NOTEBOOK),
    ("image/svg+xml", "a.svg", b"<svg/>", FileType.SVG),
    ("video/mp2t", "a.ts", b"const a = 1\n", FileType.CODE),
    ("application/vnd.lotus-organizer", "a.org", b"* One\n", FileType.TEXT),
    ("image/png", "a.txt", TEXT, FileType.TEXT),
    ("image/png", "a.pdf", PDF, FileType.PDF),
    ("application/pdf", "a.txt", TEXT, FileType.TEXT),
    ("application/unheard-of", "notes", TEXT, FileType.TEXT),
    # Mail, calendars and cards
    ("message/rfc822", "a.eml", MAIL, FileType.EMAIL),
    ("message/global", "a", MAIL, FileType.EMAIL),
    ("message/rfc822", "a.eml", b"Subject: x\n\n" + RANDOM, FileType.EMAIL),
    ("application/vnd.ms-outlook", "a.msg", b"Subject: x\n\ny", FileType.EMAIL),
    (UNKNOWN, "", MAIL, FileType.EMAIL),
    (UNKNOWN, "a.msg", MAIL, FileType.EMAIL),
    (UNKNOWN, "a.eml", MAIL + RANDOM, FileType.EMAIL),
    ("application/mbox", "a.mbox", b"From a@b Mon Nov  2 10:00:00 2026\n" + MAIL, FileType.MBOX),
    (UNKNOWN, "", b"From a@b Mon Nov  2 10:00:00 2026\n" + MAIL, FileType.MBOX),
    ("multipart/related", "a.mhtml", MAIL, FileType.MHT),
    ("message/rfc822", "a.mht", MAIL, FileType.MHT),
    ("text/calendar", "a.ics", b"BEGIN:VCALENDAR\n", FileType.ICS),
    (UNKNOWN, "", b"BEGIN:VCALENDAR\n", FileType.ICS),
    ("text/x-vcard", "a.vcf", b"BEGIN:VCARD\n", FileType.VCF),
    # A whole page, calendar or card is no table
    ("text/csv", "export", b"<!DOCTYPE html><html><body>a,b</body></html>", FileType.HTML),
    ("text/csv", "export", b"BEGIN:VCARD\r\nFN:Eva\r\nEND:VCARD\r\n", FileType.VCF),
    ("text/csv", "export", b"<b>,name\n1,Eva\n", FileType.CSV),
    # Archives and pictures
    ("application/zip", "a.zip", zip_of("a.txt"), FileType.ARCHIVE),
    ("application/gzip", "a.tar.gz", b"\x1f\x8b\x08\0", FileType.ARCHIVE),
    ("application/x-tar", "a.tar", bytes(257) + b"ustar\0" + bytes(300), FileType.ARCHIVE),
    (UNKNOWN, "a", old_tar(), FileType.ARCHIVE),
    ("image/png", "a.png", sample_files.PNG, FileType.IMAGE),
    ("image/jpeg", "a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0", FileType.IMAGE),
    (UNKNOWN, "a.webp", b"RIFF\0\0\0\0WEBPVP8 ", FileType.IMAGE),
]


@pytest.mark.parametrize(
    ("content_type", "filename", "data", "expected"),
    TYPES,
    ids=[f"{content_type} {filename} {kind}" for content_type, filename, _, kind in TYPES],
)
def test_content_type_name_and_bytes_are_weighed_together(
    content_type: str, filename: str, data: bytes, expected: FileType
) -> None:
    assert detect_file_type(data, content_type=content_type, filename=filename) is expected


@pytest.mark.parametrize(
    ("filename", "data", "kind"),
    [
        (filename, data, kind)
        for content_type, filename, data, kind in TYPES
        if content_type != "text/csv" and not content_type.startswith(GOOGLE)
    ],
)
def test_name_and_bytes_are_enough_without_a_content_type(
    filename: str, data: bytes, kind: FileType
) -> None:
    assert detect_file_type(data, content_type=UNKNOWN, filename=filename) is kind


@pytest.mark.parametrize(
    ("content_type", "filename"),
    [
        (UNKNOWN, "blob.bin"),
        (UNKNOWN, "data.dat"),
        ("", ""),
        ("application/unheard-of", "a.foo"),
        ("text/plain", "fake.txt"),
        ("text/markdown", "fake.md"),
        ("application/json", "fake.json"),
        (sample_files.DOCX, "fake.docx"),
        ("image/png", "fake.png"),
    ],
)
def test_bytes_of_no_known_format_are_never_text(content_type: str, filename: str) -> None:
    with pytest.raises(ParsingError) as caught:
        parse(RANDOM, content_type=content_type, filename=filename)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "filename", "remedy"),
    [
        (b"7z\xbc\xaf\x27\x1c" + RANDOM, "a.7z", "pack its files as ZIP"),
        (b"PAR1" + RANDOM, "a.parquet", "export it as CSV"),
        (b"%!PS-Adobe-3.0\n", "a.eps", "save it as PDF"),
        (zip_of("Index/Document.iwa"), "a.pages", "export it as PDF"),
        (RANDOM, "a.bin", "save it as text, PDF or an Office file"),
    ],
)
def test_a_format_that_is_not_read_is_refused_with_a_remedy(
    data: bytes, filename: str, remedy: str
) -> None:
    with pytest.raises(ParsingError, match=rf"{filename}.*{remedy}"):
        parse(data, content_type=UNKNOWN, filename=filename)


@pytest.mark.parametrize("content_type", ["video/mp4", "audio/mpeg", "image/png"])
def test_media_without_a_name_and_bytes_of_their_own_are_refused(content_type: str) -> None:
    with pytest.raises(NotTextError, match=f"no text can be read from {content_type}"):
        parse(TEXT, content_type=content_type)


def test_a_message_is_one_under_any_name_if_it_is_declared_as_one() -> None:
    data = b"From: a@b.example\n\nHello\n"

    assert detect_file_type(data, content_type="message/rfc822", filename="a.txt") == "eml"
    assert detect_file_type(data, content_type="text/plain", filename="a.txt") == "txt"


def test_an_archive_of_an_impossible_version_is_damaged() -> None:
    data = bytearray(zip_of("a.txt"))
    data[data.index(b"PK\x01\x02") + 6] = 99

    with pytest.raises(ParsingError, match=r"a\.zip is damaged"):
        detect_file_type(bytes(data), content_type="application/zip", filename="a.zip")


@pytest.mark.parametrize("digits", [b"49942261", b"88888888", b"00000000", b"1234567 "])
def test_numbers_where_old_archives_have_their_sum_are_numbers(digits: bytes) -> None:
    data = b"n," * 74 + digits + b",1\n" * 200

    assert detect_file_type(data, content_type="text/csv", filename="a.csv") is FileType.CSV


CELLS = "<tr><td>Name</td><td>Pay</td></tr><tr><td>Ann</td><td>10</td></tr></table>"


@pytest.mark.parametrize(
    "start",
    [
        *("<table>", '<TABLE border="1">', "\ufeff<table>", "\r\n\r\n  <table>", "<div\n><table>"),
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8"><table>',
        "<style>td {}</style><table>",
        "<!-- report --><table>",
        f"<!-- {'x' * 20_000} --><table>",
        '<?xml version="1.0"?><div><table>',
        "<!DOCTYPE x><table>",
    ],
)
@pytest.mark.parametrize("filename", ["a.xls", "a.doc", "a.xlsx"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_part_of_a_page_with_the_name_of_an_office_file_is_a_page(
    start: str, filename: str, encoding: str
) -> None:
    data = (start + CELLS).encode(encoding)

    text = parse(data, content_type=UNKNOWN, filename=filename)

    assert text == "| Name | Pay |\n| --- | --- |\n| Ann | 10 |\n"


def test_a_tag_that_no_page_has_is_text_of_an_old_office_file() -> None:
    data = b"<bold>,2\n<pay>,3\n"

    assert detect_file_type(data, content_type="", filename="a.xls") is FileType.CSV


ARCHIVE = (
    b"MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: multipart/related;\n\tboundary=b"
)
PAGE = b"\n\n--b\nContent-Type: text/html\n\n<table><tr><td>Cell<td>5</table>\n--b--\n"


@pytest.mark.parametrize(
    "headers",
    [
        ARCHIVE,
        b"From: <Saved by Blink>\n" + ARCHIVE,
        b"Date: Mon, 5 Jan 2026 10:00:00 +0000\nMessage-ID: <1@wiki>\n" + ARCHIVE,
    ],
)
@pytest.mark.parametrize("filename", ["a.xls", "a.doc", "a"])
def test_a_page_kept_as_a_message_is_a_web_archive_under_any_name(
    headers: bytes, filename: str
) -> None:
    text = parse(headers + PAGE, content_type=UNKNOWN, filename=filename)

    assert text == "| Cell | 5 |\n| --- | --- |\n"


def test_a_message_with_pictures_in_its_text_is_no_web_archive() -> None:
    data = b"From: a@b.example\nMessage-ID: <1@a>\n" + ARCHIVE + PAGE

    assert detect_file_type(data, content_type=UNKNOWN, filename="") is FileType.EMAIL


@pytest.mark.parametrize(
    ("data", "damage"),
    [
        (compound_file("WordDocument")[:1000], "it is cut short"),
        (compound_file("Other")[:1024] + bytes(512), "the list of what is in it cannot be read"),
    ],
)
def test_a_damaged_compound_file_is_no_other_format(data: bytes, damage: str) -> None:
    with pytest.raises(ParsingError, match=rf"^a\.doc is damaged: {damage}\.$"):
        detect_file_type(data, content_type="application/msword", filename="a.doc")


@pytest.mark.parametrize(
    ("root", "suffix"),
    [
        ('Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"', ".xlsx"),
        ('ss:Workbook xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"', ".xlsx"),
        ('w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml"', ".docx"),
        (
            'pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage"',
            ".docx, .xlsx or .pptx",
        ),
    ],
)
@pytest.mark.parametrize("filename", ["a.xls", "a.doc", "a.xml", "a"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_office_file_in_a_single_xml_file_is_refused_with_a_remedy(
    root: str, suffix: str, filename: str, encoding: str
) -> None:
    start = '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'

    with pytest.raises(ParsingError, match=rf"{filename} is an Office file .* as {suffix} to"):
        parse(f"{start}<{root}>".encode(encoding), content_type=UNKNOWN, filename=filename)


@pytest.mark.parametrize("digits", [b"00000009", b"12345678", b"000 0000"])
def test_digits_where_an_old_archive_has_its_sum_are_text(digits: bytes) -> None:
    data = b"a".ljust(148, b".") + digits + b"b".ljust(400, b".")

    assert detect_file_type(data, content_type="", filename="a.txt") is FileType.TEXT
