from __future__ import annotations

import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pypdf
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak

from managed_sync.documents.parsing.parsers.pdf import reader
from managed_sync.documents.parsing.parsers.pdf.pages import read_page
from managed_sync.errors import ParsingError
from tests.documents.pdf_files import SENTENCE, drawn, grid, read, story, words


def with_mapping(target: str) -> bytes:
    """A PDF of two pages that maps the tilde of the first one to a UTF-16 text."""
    mapping = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def "
        "/CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange "
        "1 beginbfrange <20> <7d> <0020> endbfrange "
        f"1 beginbfchar <7e> <{target}> endbfchar endcmap end end"
    ).encode()
    first = b"BT /F1 12 Tf 72 720 Td (The contract ends in March ~ 2027.) Tj ET"
    second = b"BT /F1 12 Tf 72 720 Td (The second page.) Tj ET"
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>"
    )
    stream = b"<</Length %d>>stream\n%s\nendstream"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 7 0 R]/Count 2>>",
        page % 4,
        stream % (len(first), first),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
        stream % (len(mapping), mapping),
        page % 8,
        stream % (len(second), second),
    ]
    body = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 9\n0000000000 65535 f \n"
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + table + b"trailer<</Size 9/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)


@pytest.mark.parametrize(
    ("target", "shown"),
    [("D83DDE00", " 😀 "), ("D800DF30", " \U00010330 "), ("D83D", " ")],
    ids=["emoji", "gothic", "half of a pair"],
)
def test_letters_beyond_16_bits_are_read_and_half_of_one_loses_only_itself(
    target: str, shown: str
) -> None:
    assert read(with_mapping(target)).strip() == (
        f"The contract ends in March{shown}2027.\n\n\fThe second page."
    )


def test_pages_keep_their_headings_paragraphs_and_lists() -> None:
    text = read(
        story(
            words("Inspection", "Title"),
            words(SENTENCE * 3),
            words("Tools", "Heading2"),
            words("gloves", "Bullet"),
            PageBreak(),
            words("Every day", "Heading2"),
            words(SENTENCE),
        )
    )
    paragraph = (SENTENCE * 3).strip()
    assert text.split("\n\n") == [
        "# Inspection",
        paragraph,
        "## Tools",
        "gloves",
        "\f## Every day",
        SENTENCE.strip(),
    ]


def test_a_page_without_text_is_still_a_page() -> None:
    def blank(canvas: Canvas) -> None:
        canvas.rect(50, 50, 100, 100)

    def page(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "Doors open at nine.")

    assert read(drawn(page, blank, page)).count("\f") == 2


def test_words_that_are_drawn_twice_to_look_bold_are_read_once() -> None:
    def page(canvas: Canvas) -> None:
        for moved in (0.0, 0.4):
            canvas.drawString(72 + moved, 700, "Stock code: 300218")
        canvas.drawString(72, 680, "The code is that of the code book.")

    assert read(drawn(page)).split("\n") == [
        "Stock code: 300218",
        "The code is that of the code book.",
    ]


@pytest.mark.parametrize("turned", [0, 90])
def test_words_beyond_the_edge_of_the_page_are_hidden_text(turned: int) -> None:
    def page(canvas: Canvas) -> None:
        canvas.setPageRotation(turned)
        canvas.drawString(20, 200, "On the page")
        canvas.drawString(20, 400, "Above the page")
        canvas.drawString(400, 200, "Beside the page")

    assert read(drawn(page, size=(300, 300))).strip() == "On the page"


def test_letters_that_are_set_widely_are_one_word() -> None:
    def page(canvas: Canvas) -> None:
        left = 72.0
        for word in ("North", "Buona", "Vista"):
            # The last letter is drawn on its own, as some programs for scans do.
            for part, space in ((word[:-1], 3), (f"{word[-1]} ", 0)):
                text = canvas.beginText(left, 700)
                text.setFont("Helvetica", 12)
                text.setCharSpace(space)
                text.textOut(part)
                canvas.drawText(text)
                left += canvas.stringWidth(part, "Helvetica", 12) + space * len(part)

    assert read(drawn(page)).strip() == "North Buona Vista"


def test_a_line_that_looks_like_markup_is_escaped() -> None:
    assert read(story(words("# of parts"))).strip() == "\\# of parts"


def test_two_columns_are_read_one_after_the_other() -> None:
    def page(canvas: Canvas) -> None:
        for left, name in ((320, "right"), (72, "left")):
            for row in range(8):
                canvas.drawString(left, 700 - 14 * row, f"The {name} column has the line {row}")

    text = read(drawn(page))
    assert text.index("left column has the line 7") < text.index("right column has the line 0")


def test_labels_and_values_that_are_drawn_apart_are_read_row_by_row() -> None:
    def page(canvas: Canvas) -> None:
        rows = [("Name", "Papa"), ("City", "Oslo"), ("Load", "40 kg"), ("Reach", "2 m")]
        for index in (0, 1):
            for row, cells in enumerate(rows):
                canvas.drawString(72 + 150 * index, 700 - 14 * row, cells[index])

    assert read(drawn(page)).strip() == (
        "| Name | Papa |\n| --- | --- |\n| City | Oslo |\n| Load | 40 kg |\n| Reach | 2 m |"
    )


def test_a_column_of_single_figures_is_no_word_that_runs_downwards() -> None:
    def page(canvas: Canvas) -> None:
        for row in range(4):
            canvas.drawString(72, 700 - 14 * row, f"{row + 1}")
        for row, name in enumerate(["Oslo", "Bergen", "Harbor", "Stavanger"]):
            canvas.drawString(120, 700 - 14 * row, name)

    assert re.findall(r"\w+", read(drawn(page))) == [
        *("1", "Oslo", "2", "Bergen", "3", "Harbor", "4", "Stavanger")
    ]


def test_columns_that_are_drawn_line_by_line_are_read_one_after_the_other() -> None:
    def page(canvas: Canvas) -> None:
        for row in range(10):
            for left, name in ((72, "left"), (320, "right")):
                canvas.drawString(
                    left, 700 - 14 * row, f"the {name} text of this page goes on {row}"
                )

    text = read(drawn(page))
    assert (
        text.split()
        == " ".join(
            f"the {name} text of this page goes on {row}"
            for name in ("left", "right")
            for row in range(10)
        ).split()
    )


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_is_turned_reads_like_any_other(turn: int) -> None:
    data = story(words("Limits", "Heading1"), words(SENTENCE * 4), grid([["a", "b"], ["1", "2"]]))
    writer = pypdf.PdfWriter(io.BytesIO(data))
    writer.pages[0].rotate(turn)
    turned = io.BytesIO()
    writer.write(turned)
    assert read(turned.getvalue()) == read(data)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_text_that_is_turned_on_the_page_reads_like_any_other(turn: int) -> None:
    def page(canvas: Canvas) -> None:
        canvas.translate(300, 300)
        canvas.rotate(turn)
        canvas.drawString(0, 40, "The arm lifts forty kilograms, but only")
        canvas.drawString(0, 26, "when nobody is in the cell.")

    assert read(drawn(page, size=(600, 600))).strip() == (
        "The arm lifts forty kilograms, but only when nobody is in the cell."
    )


def test_vertical_japanese_is_read_from_right_to_left() -> None:
    font = UnicodeCIDFont("HeiseiMin-W3", isVertical=True)
    pdfmetrics.registerFont(font)

    def page(canvas: Canvas) -> None:
        canvas.setFont(font.fontName, 14)
        for column, line in enumerate(["人が作業エリアに入ると", "ロボットは停止します。"]):
            canvas.drawString(350 - 24 * column, 380, line)

    assert read(drawn(page, size=(400, 400))).strip() == (
        "人が作業エリアに入るとロボットは停止します。"
    )


def test_a_file_that_needs_a_password_says_so_and_one_that_needs_none_is_read() -> None:
    def encrypted(user: str) -> bytes:
        buffer = io.BytesIO()
        canvas = Canvas(buffer, encrypt=StandardEncryption(user, ownerPassword="owner"))
        canvas.drawString(72, 700, "Doors open at nine.")
        canvas.save()
        return buffer.getvalue()

    assert read(encrypted("")).strip() == "Doors open at nine."
    with pytest.raises(ParsingError, match=r"^arm\.pdf could not be read: it is protected with a"):
        read(encrypted("user"))


def test_a_damaged_file_has_one_clear_reason() -> None:
    for data in (b"%PDF-1.7 and nothing else", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF"):
        with pytest.raises(ParsingError, match=r"^arm\.pdf could not be read: it is damaged$"):
            read(data)


def test_a_file_that_lost_its_end_is_read_as_far_as_it_goes() -> None:
    data = drawn(lambda canvas: canvas.drawString(72, 700, "Doors open at nine."))
    assert read(data[: data.rindex(b"xref")]).strip() == "Doors open at nine."


def test_a_page_that_cannot_be_read_loses_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pypdfium2 import PdfiumError

    def failing(document: Any, number: int) -> Any:
        if number == 0:
            raise PdfiumError("Failed to load page.")
        return read_page(document, number)

    monkeypatch.setattr(reader, "read_page", failing)
    data = story(words("One."), PageBreak(), words("Two."))
    with caplog.at_level("WARNING"):
        assert read(data).split() == ["Two."]
    assert "arm.pdf: page 1 could not be read" in caplog.text
    monkeypatch.setattr(reader, "read_page", lambda document, number: failing(document, 0))
    with pytest.raises(ParsingError, match="all its pages are damaged"):
        read(data)


def test_threads_may_read_at_the_same_time() -> None:
    """Without a lock this ends the process: PDFium takes one call at a time."""
    data = story(*(part for _ in range(5) for part in (words("No table."), PageBreak())))
    begin = threading.Barrier(8)

    def run(number: int) -> str:
        if number < 8:
            begin.wait()
        return read(data)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(run, range(80))) == {read(data)}
