"""Books are read chapter by chapter, in reading order."""

from __future__ import annotations

import io
import zipfile

import pytest

from managed_sync.documents import parse
from managed_sync.errors import ParsingError

EPUB = "application/epub+zip"
PAGE = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'
ENCRYPTED = '<encryption><EncryptionMethod Algorithm="{}"/></encryption>'


def make_epub(chapters: dict[str, str], spine: list[str], encryption: str = "") -> bytes:
    items = "".join(
        f'<item id="{name}" href="{name}%20.xhtml" media-type="application/xhtml+xml" '
        f'properties="{"nav" if name == "nav" else ""}"/>'
        for name in chapters
    )
    references = "".join(f'<itemref idref="{name}"/>' for name in spine)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", EPUB)
        archive.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "OPS/book.opf",
            f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
            f"<spine>{references}</spine></package>",
        )
        if encryption:
            archive.writestr("META-INF/encryption.xml", encryption)
        for name, text in chapters.items():
            archive.writestr(f"OPS/{name} .xhtml", PAGE.format(text))
    return buffer.getvalue()


CHAPTERS = {
    "two": '<h1>Two</h1><p>Then<a id="x"/> this.</p>',
    "one": "<h1>One</h1><p>First\u00a0this&nbsp;here.</p>",
    "nav": "<p>Contents</p>",
    "loose": "<p>Not in the book</p>",
}


def test_chapters_are_read_in_reading_order_without_the_table_of_contents() -> None:
    text = parse(make_epub(CHAPTERS, ["nav", "one", "two", "missing"]), content_type=EPUB)
    assert text.replace("\xa0", " ") == "# One\n\nFirst this here.\n\n# Two\n\nThen this.\n"


def test_a_chapter_that_a_reader_cannot_show_is_read_from_the_page_in_its_place() -> None:
    items = (
        b'<item id="film" href="film.mp4" media-type="video/mp4" fallback="script"/>'
        b'<item id="script" href="one%20.xhtml" media-type="application/xhtml+xml"/><item '
    )
    with zipfile.ZipFile(io.BytesIO(make_epub(CHAPTERS, ["film"]))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["OPS/book.opf"] = parts["OPS/book.opf"].replace(b"<item ", items, 1)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    assert "First" in parse(buffer.getvalue(), content_type=EPUB)


def test_a_book_whose_fonts_alone_are_obfuscated_is_read() -> None:
    encryption = ENCRYPTED.format("http://www.idpf.org/2008/embedding")
    assert "Then this." in parse(make_epub(CHAPTERS, ["two"], encryption), content_type=EPUB)


def test_a_book_that_is_protected_says_so() -> None:
    encryption = ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    with pytest.raises(ParsingError, match=r"^a\.epub is protected by its seller"):
        parse(make_epub(CHAPTERS, ["two"], encryption), content_type=EPUB, filename="a.epub")


def test_a_book_without_a_list_of_chapters_is_damaged() -> None:
    data = make_epub(CHAPTERS, ["one"]).replace(b"book.opf", b"book.xxx")
    with pytest.raises(ParsingError, match=r"^a\.epub is damaged"):
        parse(data, content_type=EPUB, filename="a.epub")
