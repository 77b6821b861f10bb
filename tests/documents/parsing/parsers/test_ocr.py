"""Tests that text in pictures and scans is read if its languages are named."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from managed_sync.documents import (
    DocumentLoader,
    FileParser,
    KreuzbergParser,
    UnstructuredParser,
)
from managed_sync.documents.parsing.parsers import ocr
from managed_sync.errors import ConfigurationError, EmptyContentError, ParsingError
from managed_sync.indexing.fingerprint import fingerprint
from tests.support.record_source import RecordSource

_FOLDERS = (*Path("/usr/share/tesseract-ocr").glob("*/tessdata"), Path("/usr/share/tessdata"))
needs_english = pytest.mark.skipif(
    not any((folder / "eng.traineddata").exists() for folder in _FOLDERS),
    reason="needs tesseract-ocr-eng",
)


def _picture(text: str, *, size: tuple[int, int] = (900, 160)) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((30, 50), text, font=ImageFont.load_default(48), fill="black")
    return picture


def _encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _scan() -> bytes:
    """A PDF with a page of text, a scanned page, and a page of text."""
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.drawString(72, 700, "Written with letters")
    canvas.showPage()
    scanned = ImageReader(io.BytesIO(_encoded(_picture("The ferry leaves pier nine"), "PNG")))
    canvas.drawImage(scanned, 72, 600, 450, 80)
    canvas.showPage()
    canvas.drawString(72, 700, "Third page")
    canvas.save()
    return file.getvalue()


@needs_english
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_text_in_a_picture_is_read(form: str) -> None:
    data = _encoded(_picture("The ferry leaves pier nine"), form)
    assert FileParser(ocr=("eng",))(data, filename="a.png") == "The ferry leaves pier nine\n"


@needs_english
def test_the_frames_of_a_fax_are_pages() -> None:
    pages = [_picture("First page"), _picture("Second page")]
    data = _encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert FileParser(ocr="eng")(data, filename="a.tiff") == "First page\n\n\fSecond page\n"


@needs_english
def test_only_pages_without_text_are_scans() -> None:
    pages = FileParser(ocr=("eng",))(_scan(), filename="a.pdf").split("\f")
    assert [page.strip() for page in pages] == [
        "Written with letters",
        "The ferry leaves pier nine",
        "Third page",
    ]


@needs_english
def test_the_sides_of_a_transparent_picture_are_white() -> None:
    picture = Image.new("RGBA", (900, 160))
    ImageDraw.Draw(picture).text(
        (30, 50), "The ferry leaves", font=ImageFont.load_default(48), fill="black"
    )
    assert FileParser(ocr="eng")(_encoded(picture, "PNG")) == "The ferry leaves\n"


@needs_english
def test_a_stamp_on_a_scan_does_not_hide_its_text() -> None:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(600, 200))
    scanned = ImageReader(io.BytesIO(_encoded(_picture("The ferry leaves pier nine"), "PNG")))
    canvas.drawImage(scanned, 20, 40, 560, 140)
    canvas.drawString(20, 10, "ABC000121")
    canvas.save()

    assert "ferry leaves pier nine" in FileParser(ocr=("eng",))(file.getvalue(), filename="a.pdf")
    assert FileParser()(file.getvalue(), filename="a.pdf") == "ABC000121\n"


def test_pictures_and_scans_are_not_read_without_languages() -> None:
    picture = _encoded(_picture("The ferry leaves"), "PNG")
    with pytest.raises(ParsingError, match=r"no text can be read from image/png"):
        FileParser()(picture, filename="a.png")
    assert FileParser()(_scan(), filename="a.pdf").split("\f")[1].strip() == ""


def test_a_scan_says_how_it_can_be_read() -> None:
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.rect(72, 600, 100, 100)
    canvas.save()
    with pytest.raises(EmptyContentError, match=r"FileParser\(ocr=\.\.\.\), or index --ocr"):
        FileParser()(file.getvalue(), filename="a.pdf")


def test_missing_data_of_a_language_says_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r"apt-get install tesseract-ocr-xyz-vert"):
        FileParser(ocr=("xyz_vert",))(_encoded(_picture("a"), "PNG"), filename="a.png")


@pytest.mark.parametrize("languages", [("en",), ("../eng",), (7,), "eng+deu", ("",)])
def test_a_language_is_a_code_of_tesseract(languages: object) -> None:
    with pytest.raises(ConfigurationError, match="codes of Tesseract's languages"):
        FileParser(ocr=languages)  # type: ignore[arg-type]


def test_a_damaged_picture_has_one_clear_error() -> None:
    data = _encoded(_picture("The ferry leaves"), "PNG")[:300]
    with pytest.raises(ParsingError, match=r"^a\.png could not be read: "):
        FileParser(ocr=("eng",))(data, filename="a.png")


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ocr, "_MAX_DECODED", 1000)
    with pytest.raises(ParsingError, match="too large to be read: it has 900 x 160 pixels"):
        FileParser(ocr=("eng",))(_encoded(_picture("a"), "PNG"), filename="a.png")


def test_an_index_notices_that_the_languages_change() -> None:
    def settings(parser: FileParser) -> str:
        loader = DocumentLoader(RecordSource([], {}), parser=parser)
        return fingerprint(loader=loader, chunker=None, target=None)

    assert "eng+deu" not in settings(FileParser())
    assert "FileParser(ocr=eng+deu)" in settings(FileParser(ocr=("eng", "deu")))
    assert "ocr=eng" in UnstructuredParser(ocr=("eng",)).fingerprint
    assert UnstructuredParser().fingerprint == "UnstructuredParser()"


@pytest.mark.parametrize("parser", [FileParser, KreuzbergParser, UnstructuredParser])
def test_every_parser_reads_pictures_in_a_worker(parser: type[FileParser]) -> None:
    picture = _encoded(_picture("a"), "PNG")
    made = parser(ocr=("eng",))
    assert not made.is_quick(picture, content_type="image/png", filename="a.png")
    assert pickle.dumps(made)
