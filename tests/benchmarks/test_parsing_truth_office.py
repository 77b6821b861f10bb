"""Tests the truths about slides, sheets, OpenDocument, RTF and books."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import datetime, time, timedelta

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from benchmarks.parsing.corpus.measures import measure
from benchmarks.parsing.truth.model import DamagedFileError, Truth
from benchmarks.parsing.truth.office.cell_texts import ways_to_write
from benchmarks.parsing.truth.office.old_office import slide_texts, without_fields
from benchmarks.parsing.truth.reading import read_truth


def _parts(truth: Truth) -> dict[str, str]:
    return {
        part: " ".join(text if isinstance(text, str) else text[0] for text in texts)
        for part, texts in truth.parts.items()
    }


def _archive(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_each_text_of_a_slide_belongs_to_its_part() -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Piers"
    inch = Inches(1)
    table = slide.shapes.add_table(1, 2, inch, inch, inch, inch).table
    table.cell(0, 0).text, table.cell(0, 1).text = "Oslo", "200"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(inch, inch, inch, inch).text_frame.text = "grouped"
    data = CategoryChartData()
    data.categories = ["spring"]
    data.add_series("boats", (4.5,))
    slide.shapes.add_chart(XL_CHART_TYPE.PIE, inch, inch, inch, inch, data)
    slide.notes_slide.notes_text_frame.text = "spoken"
    file = io.BytesIO()
    presentation.save(file)
    truth = read_truth(file.getvalue(), "pptx")
    parts = _parts(truth)
    assert set(parts.pop("charts").split()) == {"boats", "spring", "4.5"}
    assert parts == {
        "shapes": "Piers",
        "tables": "Oslo 200",
        "groups": "grouped",
        "notes": "spoken",
    }
    assert truth.headings == ["Piers"]
    kept = measure("# Piers\n\n| Oslo | 200 |\n\ngrouped", truth)
    assert (kept.rows.value, kept.parts["notes"].value) == (1.0, 0.0)
    assert kept.parts["charts"].value == 0.0


def _workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Rates"
    sheet.append(["Pier", "Share", "Since", "Open"])
    sheet.append(["four", 0.125, datetime(2026, 3, 1), True])
    sheet["B2"].number_format = "0.0%"
    sheet["C2"].number_format = "yyyy-mm-dd"
    sheet["A2"].comment = Comment("ask Ann", "Bo")
    book.create_sheet("Empty")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_each_cell_of_a_workbook_belongs_to_its_part() -> None:
    truth = read_truth(_workbook(), "xlsx")
    assert _parts(truth) == {
        "texts": "Pier Share Since Open four",
        "numbers": "12.5%",
        "dates": "2026-03-01",
        "booleans": "TRUE",
        "comments": "ask Ann",
        "sheet names": "Rates",
    }
    right = "| Pier | Share | Since | Open |\n| four | 12.5% | 2026-03-01 | TRUE |"
    assert measure(right, truth).rows.value == 1.0
    assert measure(right, truth).parts["comments"].value == 0.0
    assert measure(right.replace("12.5%", "0.125"), truth).rows.value == 0.5
    assert measure(right.replace("2026-03-01", "46082"), truth).parts["dates"].value == 0.0


@pytest.mark.parametrize(
    ("number", "code", "part", "way"),
    [
        ("0.125", "0.0%", "numbers", "12.5%"),
        ("1234.5", "#,##0.00 [$EUR]", "numbers", "1,234.50"),
        ("46082", "14", "dates", "2026-03-01"),
        ("46082.5", "d mmm yyyy h:mm AM/PM", "dates", "1 Mar 2026 12:00 PM"),
        ("0.75", "h:mm", "dates", "18:00"),
        ("1.5", "[h]:mm", "dates", "36:00"),
        ("-5.5", '#,##0.00_);(#,##0.00);"-"??_)', "numbers", "(5.50)"),
        ("5.5", '"CHF" 0.00', "numbers", "CHF 5.50"),
        ("1234567", "0.0,,", "numbers", "1.2"),
        ("100.125", "# ?/?", "numbers", "100 1/8"),
        ("-1.05", "#\\ ?/10", "numbers", "1 1/10"),
        ("-0.97", "# ??/??", "numbers", "32/33"),
        ("387862.5", "#,##0", "numbers", "387,863"),
        ("1021.02", '[>999]0.000,"K";0', "numbers", "1.021K"),
        ("46082.5", "yyyy-mm-dd", "dates", "2026-03-01"),
        ("12345.678999999", "h:mm:ss", "dates", "16:17:46"),
        ("0.5", "[=0]?;[hh]:mm", "dates", "12:00"),
        ("-3", "yyyy", "numbers", "-3"),
        ("0", "yyyy-mm-dd", "dates", "1900-01-00"),
        ("0.33333333333333331", "General", "numbers", "0.3333333333333333"),
    ],
)
def test_a_number_may_be_written_as_its_format_shows_it(
    number: str, code: str, part: str, way: str
) -> None:
    found, ways = ways_to_write(number, code)
    assert found == part
    assert way in ways


def test_a_zero_may_be_a_dash_or_nothing() -> None:
    assert ways_to_write("0", '0.0;-0.0;"-"??') == ("numbers", "-")
    assert ways_to_write("0", "#") == ("numbers", ("", "0", "0.0"))
    assert ways_to_write("1234", "#,##0") == ("numbers", ("1234", "1234.0", "1,234", "1234"))


def test_headers_with_numbers_of_pages_and_values_in_cells_are_no_text_of_a_workbook() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["pier", 4], ["quay", 5]):
        sheet.append(row)
    sheet.oddHeader.left.text = "Harbor"
    sheet.oddHeader.right.text = "Page &P"
    chart = BarChart()
    chart.title = "Boats"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=2))
    sheet.add_chart(chart, "D1")
    file = io.BytesIO()
    book.save(file)
    parts = _parts(read_truth(file.getvalue(), "xlsx"))
    assert parts["headers and footers"] == "Harbor"
    assert parts["charts"] == "Boats"


def test_times_and_durations_have_no_date() -> None:
    from benchmarks.parsing.truth.office.cell_texts import date_ways

    assert date_ways(time(7, 5)) == ("07:05:00", "07:05")
    assert date_ways(timedelta(hours=30))[0] == "30:00:00"


_ODF = (
    'xmlns:office="urn:office" xmlns:text="urn:text" xmlns:table="urn:table" xmlns:draw="urn:draw"'
)


def _open_document(body: str) -> bytes:
    content = f"<office:document-content {_ODF}><office:body>{body}</office:body>"
    return _archive({"content.xml": f"{content}</office:document-content>"})


def test_each_text_of_an_open_document_belongs_to_its_part() -> None:
    text = (
        "<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
        "<text:h>Piers</text:h><text:p>one<text:s/>two<text:note><text:note-body>"
        "<text:p>noted</text:p></text:note-body></text:note></text:p>"
        "<text:list><text:list-header><text:p>first</text:p></text:list-header></text:list>"
        "<text:p><draw:frame><draw:text-box><text:p>framed</text:p></draw:text-box></draw:frame>"
        "</text:p><table:table><table:table-row><table:table-cell><text:p>Oslo</text:p>"
        '</table:table-cell><table:table-cell table:number-columns-repeated="2">'
        "<text:p>1</text:p></table:table-cell></table:table-row></table:table>"
        "<text:p><draw:custom-shape><text:p>drawn</text:p></draw:custom-shape></text:p>"
        '<text:section text:display="none"><text:p>secret</text:p></text:section></office:text>'
    )
    truth = read_truth(_open_document(text), "odt")
    assert _parts(truth) == {
        "text": "Piers one two drawn",
        "notes": "noted",
        "lists": "first",
        "hidden text": "secret",
        "frames": "framed",
        "tables": "Oslo 1",
    }
    assert truth.headings == ["Piers"]
    assert truth.rows == [(("Oslo",), ("1",), ("1",))]


def test_a_cell_of_an_open_document_may_show_or_store_its_value() -> None:
    sheet = (
        '<office:spreadsheet><table:table table:name="Rates"><table:table-row>'
        '<table:table-cell office:value-type="percentage"><text:p>13%</text:p></table:table-cell>'
        '<table:table-cell office:value-type="date" office:date-value="2026-03-01">'
        "<text:p>1/3/26</text:p></table:table-cell></table:table-row></table:table>"
        "</office:spreadsheet>"
    )
    truth = read_truth(_open_document(sheet), "ods")
    assert set(truth.parts) == {"percents", "dates", "sheet names"}
    assert measure("| 13% | 2026-03-01 |", truth).rows.value == 1.0
    assert measure("| 0.125 | 2026-03-01 |", truth).rows.value == 0.0


def test_each_text_of_rich_text_belongs_to_its_part() -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}{\*\generator x;}"
        rb"\f0 \'cf\'f0 {\uc1\u8364?} a\~b\par {\footnote noted}{\header headed}"
        rb"{\deleted gone}{\v secret}{\*\bkmkstart mark}\emdash\bin3 {}}end}"
    )
    truth = read_truth(data, "rtf")
    parts = {part: text.split() for part, text in _parts(truth).items()}
    assert parts == {
        "text": ["Пр", "\u20ac", "a", "b", "\u2014end"],
        "footnotes": ["noted"],
        "headers and footers": ["headed"],
        "hidden text": ["secret"],
    }
    with pytest.raises(DamagedFileError):
        read_truth(b"no text", "rtf")


def test_an_old_presentation_has_the_texts_of_its_slides_but_not_of_its_template() -> None:
    def record(kind: int, content: bytes, version: int = 0) -> bytes:
        return struct.pack("<HHI", version, kind, len(content)) + content

    texts = record(0x0FA0, "Größe".encode("utf-16-le")) + record(0x0FA8, b"second")
    stream = record(0x03F8, record(0x0FA8, b"Click to edit"), 15)
    stream += record(0x03EE, record(0xF00D, texts, 15), 15)
    assert list(slide_texts(stream, 0, len(stream), is_slide=False)) == ["Größe", "second"]


def test_instructions_of_fields_are_no_text_of_an_old_word_file() -> None:
    for text, shown in {
        'HYPERLINK "mailto:ann@a.example" Ann': "Ann",
        "Date DATE \\@ dd/MM/yy 12/12/97": "Date 12/12/97",
        r"PAGE \* MERGEFORMAT 3": "3",
        "the TITLE of a DATE": "the TITLE of a DATE",
    }.items():
        assert without_fields(text).split() == shown.split()


def test_a_book_is_its_spine_in_order() -> None:
    package = (
        '<package><manifest><item id="a" href="a%20b.html" media-type="application/xhtml+xml"/>'
        '<item id="b" href="b.html" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>'
    )
    book = _archive(
        {
            "META-INF/container.xml": '<c><rootfile full-path="in/p.opf"/></c>',
            "in/p.opf": package,
            "in/a b.html": "<body><h1>Two</h1>second</body>",
            "in/b.html": "<body>first</body>",
        }
    )
    truth = read_truth(book, "epub")
    assert " ".join(truth.flow).split() == ["first", "Two", "second"]
    assert truth.headings == ["Two"]


def test_formats_of_text_have_their_parts() -> None:
    csv = read_truth(b"pier,boats\nfour,200\nfive,300\n", "csv")
    assert csv.rows[1] == (("four",), ("200",))
    assert measure("| pier | boats |\n| four | 200 |\n| five | 300 |", csv).recall.value == 1.0
    page = b"<!-- no -->pier <b>nine</b>\n\n```html\n<i>code</i>\n```\n"
    assert _parts(read_truth(page, "md"))["text"].split() == [
        *("pier", "nine", "```html", "<i>code</i>", "```"),
    ]
    notebook = (
        b'{"cells": [{"cell_type": "code", "source": ["a", " = 1"], "outputs": [{"text": "7"}]}]}'
    )
    assert _parts(read_truth(notebook, "ipynb")) == {"code cells": "a = 1", "outputs": "7"}
    event = b"BEGIN:VCALENDAR\r\nSUMMARY;LANGUAGE=en:Ferry\\, to Os\r\n lo\r\nEND:VCALENDAR\r\n"
    assert _parts(read_truth(event, "ics")) == {"summary": "Ferry, to Oslo"}
    alarm = b"BEGIN:VALARM\r\nDESCRIPTION:Soon\r\nEND:VALARM\r\nSUMMARY:Ferry\r\nEND:VCALENDAR\r\n"
    timed = read_truth(b"BEGIN:VCALENDAR\r\n" + alarm, "ics")
    assert _parts(timed) == {"alarms": "Soon", "summary": "Ferry"}
    assert "alarms" in timed.uncounted
    titled = read_truth(b"Boats,,\npier,boats,\nfour,200,9\n", "csv")
    assert [row[0] for row in titled.rows] == [("pier",), ("four",)]
    assert read_truth("pier,quay".encode("utf-32"), "csv").parts["text"] == ["pier quay"]
    card = b"BEGIN:VCARD\nitem1.TEL:12\nUID:x\nEND:VCARD\n"
    assert _parts(read_truth(card, "vcf")) == {"tel": "12"}
    archive = read_truth(_archive({"in/a.csv": "pier,boats\nfour,200\n", "b.bin": "no"}), "archive")
    assert _parts(archive) == {"members": "pier boats\nfour 200"}
    mails = b"From a@b\nSubject: One\n\nfirst\n\nFrom c@d\nSubject: Two\n\nsecond\n"
    assert _parts(read_truth(mails, "mbox"))["subject and addresses"] == "One Two"
    with pytest.raises(DamagedFileError, match="guess"):
        read_truth(b"caf\xe9", "txt")
