"""Everything in a workbook that a reader sees is in its text."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.table import Table

from managed_sync.documents.parsing.registry import parse
from managed_sync.errors import EmptyContentError, ParsingError
from tests.documents.growth import calls_of

Sheet = Any


def workbook(fill: Callable[[Sheet], object], **options: Any) -> bytes:
    book = openpyxl.Workbook()
    if options.get("since_1904"):
        book.epoch = CALENDAR_MAC_1904
    fill(book.active)
    return saved(book)


def saved(book: Any) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def text_of(data: bytes) -> str:
    return parse(data, filename="a.xlsx")


def with_part(data: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """Changes a part of a file, or adds it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        before = old.read(part).decode() if part in old.namelist() else ""
        new.writestr(part, change(before))
    return buffer.getvalue()


def test_cells_are_shown_as_their_formats_show_them() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Path", "Money", "When", "Share", "Code", "Start", "Length", "Flag"])
        sheet.append(
            [
                r"\\server\share$\d+\(x\)",
                1234.5,
                datetime.datetime(2026, 3, 4, 5, 6, 7),
                0.125,
                "00123",
                datetime.time(9, 30),
                datetime.timedelta(hours=30),
                True,
            ]
        )
        sheet["B2"].number_format = '#,##0.00 "EUR"'
        sheet["C2"].number_format = "dd.mm.yyyy"
        sheet["D2"].number_format = "0.0%"

    assert (
        r"| \\server\share$\d+\(x\) | 1,234.50 EUR | 04.03.2026 | 12.5% | 00123 | 9:30:00 "
        "| 30:00:00 | TRUE |"
    ) in text_of(workbook(fill))


def test_dates_of_a_macintosh_are_right() -> None:
    data = workbook(
        lambda sheet: sheet.append([datetime.date(2026, 3, 4), datetime.time(9, 30)]),
        since_1904=True,
    )
    assert "| 2026-03-04 | 9:30:00 |" in text_of(data)


def test_errors_and_results_of_formulas_are_those_that_excel_saved() -> None:
    data = with_part(
        workbook(lambda sheet: sheet.append([1])),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(
            "<sheetData>.*</sheetData>",
            '<sheetData><row r="1"><c r="A1" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
            '<c r="B1" t="str"><f>A2&amp;"x"</f><v>7x</v></c><c r="C1"><f>3*4</f><v>12</v></c>'
            '<c r="D1" t="d"><v>2026-03-04T00:00:00</v></c>'
            '<c r="E1" t="inlineStr"><is><r><t>in </t></r><r><t>line</t></r>'
            "<rPh><t>reading</t></rPh></is></c>"
            '<c r="F1" t="str"><f>HYPERLINK("https://harbor.example/x","Port")</f><v>Port</v></c>'
            "</row></sheetData>",
            xml,
        ),
    )
    assert (
        "| #DIV/0! | 7x | 12 | 2026-03-04 | in line | [Port](https://harbor.example/x) |"
    ) in text_of(data)


def test_a_strict_workbook_is_read() -> None:
    data = workbook(lambda sheet: sheet.append(["Rent", 5]))
    for part in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        data = with_part(
            data,
            part,
            lambda xml: xml.replace(
                "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                "http://purl.oclc.org/ooxml/spreadsheetml/main",
            ).replace(
                "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                "http://purl.oclc.org/ooxml/officeDocument/relationships",
            ),
        )
    assert "| Rent | 5 |" in text_of(data)


def test_sheets_are_pages_with_their_names_and_hidden_ones_are_read() -> None:
    book = openpyxl.Workbook()
    book.active.title = "Plan|A"
    book.active.append(["a", "b"])
    hidden = book.create_sheet("Rates")
    hidden.append(["EUR", 1.1])
    hidden.sheet_state = "hidden"
    hidden.row_dimensions[1].hidden = True
    book.create_sheet("Empty")
    first, second = text_of(saved(book)).split("\f")
    assert first.startswith("# Plan|A\n")
    assert second == "# Rates\n\n| EUR | 1.1 |\n| --- | --- |\n"


def test_titles_above_a_table_and_tables_below_each_other_are_apart() -> None:
    def fill(sheet: Sheet) -> None:
        for row in [
            ["Sales 2026"],
            ["Region", "Units"],
            ["North", 5],
            [],
            ["South", 7],
            [],
            ["Person", "Town"],
            ["Ann", "Oslo"],
        ]:
            sheet.append(row)

    assert text_of(workbook(fill)) == (
        "# Sheet\n\nSales 2026\n\n"
        "| Region | Units |\n| --- | --- |\n| North | 5 |\n| South | 7 |\n\n"
        "| Person | Town |\n| --- | --- |\n| Ann | Oslo |\n"
    )


def test_a_declared_table_begins_with_its_own_header() -> None:
    def fill(sheet: Sheet) -> None:
        for row in [["Unit", "EUR"], ["Name", "Pay"], ["Ann", 10]]:
            sheet.append(row)
        sheet.add_table(Table(displayName="Pay", ref="A2:B3"))

    assert "| Unit | EUR |\n| --- | --- |\n\n| Name | Pay |\n| --- | --- |" in text_of(
        workbook(fill)
    )


def test_merged_cells_keep_their_column() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Year", "2025", None, "2026"])
        sheet.append(["Half", "1", "2", "1"])
        sheet.merge_cells("B1:C1")

    assert "| Year | 2025 |  | 2026 |\n| --- | --- | --- | --- |\n| Half | 1 | 2 | 1 |" in text_of(
        workbook(fill)
    )


def test_comments_follow_the_table_of_their_cell() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Rent", 5])
        sheet["B1"].comment = Comment("Eva Berg:\nTo be checked", "Eva Berg")
        sheet["A9"] = "End"

    assert text_of(workbook(fill)).endswith(
        "| Rent | 5 |\n| --- | --- |\n\nComment (Eva Berg): To be checked\n\nEnd\n"
    )


THREAD = (
    '<ThreadedComments xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/'
    'threadedcomments"><threadedComment ref="A1" personId="{1}" id="{2}"><text>Too high?</text>'
    '</threadedComment><threadedComment ref="A1" personId="{1}" id="{3}" parentId="{2}">'
    "<text>No.</text></threadedComment></ThreadedComments>"
)


def test_threads_are_read_once_with_their_answers() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Rent"])
        sheet["A1"].comment = Comment("[Threaded comment] old versions see this", "tc={2}")

    relationship = (
        '<Relationship Id="rIdT" Target="../threadedComments/t1.xml" '
        'Type="http://schemas.microsoft.com/office/2017/10/relationships/threadedComment"/>'
    )
    data = workbook(fill)
    data = with_part(
        data,
        "xl/worksheets/_rels/sheet1.xml.rels",
        lambda xml: xml.replace("</Relationships>", f"{relationship}</Relationships>"),
    )
    data = with_part(data, "xl/threadedComments/t1.xml", lambda _: THREAD)
    assert text_of(data) == "# Sheet\n\nRent\n\nComment: Too high?\n\nComment: No.\n"


def test_links_keep_their_targets() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Plan", "x"])
        sheet["A1"].hyperlink = "https://harbor.example/plan"

    assert "| [Plan](https://harbor.example/plan) | x |" in text_of(workbook(fill))


DRAWING = (
    '<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><xdr:twoCellAnchor><xdr:sp>'
    '<xdr:nvSpPr><xdr:cNvPr id="2" name="TextBox 1" descr="A green box"/></xdr:nvSpPr><xdr:txBody>'
    "<a:p><a:r><a:t>Read this </a:t></a:r><a:r><a:t>first</a:t></a:r></a:p></xdr:txBody></xdr:sp>"
    "</xdr:twoCellAnchor></xdr:wsDr>"
)


@pytest.mark.parametrize(
    ("formula", "is_written"),
    [("Sheet!$B$1:$B$2", False), ("[1]Other!$B$1:$B$2", True), ("", True)],
)
def test_values_of_a_chart_are_written_if_no_cell_has_them(
    formula: str, *, is_written: bool
) -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["pier"])
        chart = BarChart()
        chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=2))
        sheet.add_chart(chart, "D1")

    points = '<c:pt idx="0"><c:v>71</c:v></c:pt><c:pt idx="1"><c:v>73</c:v></c:pt>'
    cached = f"<c:numRef><c:f>{formula}</c:f><c:numCache>{points}</c:numCache></c:numRef>"
    values = cached if formula else f"<c:numLit>{points}</c:numLit>"
    chart = (
        '<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"><c:chart>'
        f"<c:plotArea><c:barChart><c:ser><c:val>{values}</c:val></c:ser></c:barChart></c:plotArea>"
        "</c:chart></c:chartSpace>"
    )
    text = text_of(with_part(workbook(fill), "xl/charts/chart1.xml", lambda _: chart))
    assert ("71" in text, "73" in text) == (is_written, is_written)


def test_text_boxes_descriptions_and_titles_of_charts_are_read() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Q", "Units"])
        sheet.append(["Q1", 5])
        chart = BarChart()
        chart.title = "Units by quarter"
        chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=2), titles_from_data=True)
        sheet.add_chart(chart, "D1")

    assert text_of(workbook(fill)).endswith("| Q1 | 5 |\n\nUnits by quarter\n")
    data = with_part(workbook(fill), "xl/drawings/drawing1.xml", lambda _: DRAWING)
    assert "A green box\n\nRead this first\n" in text_of(data)


def test_headers_of_printed_pages_are_read_but_not_their_numbers() -> None:
    def fill(sheet: Sheet) -> None:
        sheet.append(["Rent", 5])
        sheet.oddHeader.left.text = "Research && Development"
        sheet.oddHeader.left.font = "Arial,Bold"
        sheet.oddHeader.right.text = "&G Harbor AG"
        sheet.oddFooter.center.text = "Page &P of &N"

    text = text_of(workbook(fill))
    assert text.endswith("| --- | --- |\n\nResearch & Development\n\nHarbor AG\n")


@pytest.mark.parametrize("far", ["A1048576", "ZZ50000", "XFD1048576", "B70000"])
def test_a_lone_cell_far_away_costs_nothing(far: str) -> None:
    def fill(sheet: Sheet) -> None:
        sheet["A1"] = "first"
        sheet[far] = "far"

    data = workbook(fill)
    assert text_of(data) == "# Sheet\n\nfirst\n\nfar\n"
    # The sheet has up to a million rows.
    assert calls_of(lambda: text_of(data)) < 20_000


def test_cells_on_a_diagonal_stay_short() -> None:
    def fill(sheet: Sheet) -> None:
        for number in range(1, 1001):
            sheet.cell(number, number, number)

    text = text_of(workbook(fill))
    assert len(text) < 20_000
    assert "| 777 |" in text


def test_sentences_below_each_other_are_paragraphs() -> None:
    sentence = "Fill in the yellow cells only, and send the file back before the end of the month."
    data = workbook(lambda sheet: [sheet.append([sentence]) for _ in range(2)])
    assert text_of(data) == f"# Sheet\n\n{sentence}\n\n{sentence}\n"


def with_shared_text(text: str, cells: int) -> bytes:
    """A workbook with a column of cells that all name the same text."""
    column = "".join(f'<c r="A{row}" t="s"><v>0</v></c>' for row in range(1, cells + 1))
    data = with_part(
        workbook(lambda sheet: sheet.append([1])),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub("<sheetData>.*</sheetData>", f"<sheetData>{column}</sheetData>", xml),
    )
    relationship = (
        '<Relationship Id="rIdS" Target="sharedStrings.xml" Type="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships/sharedStrings"/>'
    )
    data = with_part(
        data,
        "xl/_rels/workbook.xml.rels",
        lambda xml: xml.replace("</Relationships>", f"{relationship}</Relationships>"),
    )
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return with_part(
        data, "xl/sharedStrings.xml", lambda _: f'<sst xmlns="{space}"><si>{text}</si></sst>'
    )


def test_shared_texts_are_read_without_the_readings_above_them() -> None:
    text = "<r><t>東</t></r><r><t>京_x000D_</t></r><rPh sb='0' eb='2'><t>トウキョウ</t></rPh>"
    assert text_of(with_shared_text(text, 1)) == "# Sheet\n\n東京\n"


def test_a_long_text_in_very_many_cells_gives_one_reason() -> None:
    data = with_shared_text(f"<t>{'x' * 100_000}</t>", 2000)
    with pytest.raises(ParsingError, match=r"a\.xlsx could not be read: its cells hold more than"):
        text_of(data)


def test_a_workbook_without_text_says_so() -> None:
    with pytest.raises(EmptyContentError, match="no text in it"):
        text_of(workbook(lambda _: None))


@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        ("xl/workbook.xml", "<workbook", "not well formed"),
        ("xl/worksheets/sheet1.xml", "<worksheet><sheetData>", "XML is not well formed"),
        (
            "xl/worksheets/sheet1.xml",
            '<!DOCTYPE x [<!ENTITY a "b">]><worksheet>&a;</worksheet>',
            "declares entities",
        ),
    ],
)
def test_a_damaged_workbook_gives_one_reason(part: str, content: str, reason: str) -> None:
    data = with_part(workbook(lambda sheet: sheet.append([1])), part, lambda _: content)
    with pytest.raises(ParsingError, match=f"a.xlsx.*{reason}"):
        text_of(data)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [(None, "Name"), (0, "Ann"), (1, "Bob")],
            "|  | Name |\n| --- | --- |\n| 0 | Ann |\n| 1 | Bob |\n",
        ),
        ([("Item",), ("a", 1)], "| Item |  |\n| --- | --- |\n| a | 1 |\n"),
        (
            [("Prices",), ("Item", "Price"), ("a", 1)],
            "Prices\n\n| Item | Price |\n| --- | --- |\n| a | 1 |\n",
        ),
        ([("Prices",), ("a", 1, 2)], "Prices\n\n| a | 1 | 2 |\n| --- | --- | --- |\n"),
    ],
)
def test_the_name_of_a_single_column_is_no_title(rows: list[Any], expected: str) -> None:
    def fill(sheet: Sheet) -> None:
        for row in rows:
            sheet.append(row)

    assert text_of(workbook(fill)).partition("\n\n")[2] == expected
