from __future__ import annotations

import random
from pathlib import Path

import pytest
from reportlab.lib import colors
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Spacer, Table

from managed_sync.documents.parsing.parsers.pdf.tables import drawings
from tests.documents.pdf_files import SENTENCE, drawn, grid, read, story, words

LIMITS = [["Property", "Value"], ["Load", "40 kg"], ["Reach", "2 m"]]
LIMITS_TEXT = "| Property | Value |\n| --- | --- |\n| Load | 40 kg |\n| Reach | 2 m |"


def test_a_ruled_table_stands_between_what_is_around_it() -> None:
    data = story(words("Limits", "Heading1"), grid(LIMITS), words("Ask before you exceed it."))
    assert read(data).strip() == f"# Limits\n\n{LIMITS_TEXT}\n\nAsk before you exceed it."


def test_a_cell_of_several_lines_is_one_cell() -> None:
    rows = [["Action", "Owner"], [words("Recall of all the connectors of lot 2547"), "Anouk"]]
    assert "| Recall of all the connectors of lot 2547 | Anouk |" in read(
        story(grid(rows, colWidths=[90, 90]))
    )


def test_merged_cells_leave_the_table_whole() -> None:
    rows = [["Robot", "", "Dock"], ["Load", "Reach", "Power"], ["40", "2", "18"], ["50", "", "20"]]
    text = read(story(grid(rows, ("SPAN", (0, 0), (1, 0)), ("SPAN", (1, 2), (1, 3)))))
    assert text.strip() == (
        "| Robot |  | Dock |\n| --- | --- | --- |\n| Load | Reach | Power |\n| 40 | 2 | 18 |\n"
        "| 50 |  | 20 |"
    )


def test_a_table_without_lines_at_its_sides_is_whole() -> None:
    style = [
        ("LINEABOVE", (0, 0), (-1, -1), 0.5, colors.black),
        ("LINEBELOW", (0, -1), (-1, -1), 0.5, colors.black),
        ("LINEAFTER", (0, 0), (0, -1), 0.5, colors.black),
    ]
    assert read(story(Table(LIMITS, style=style))).strip() == LIMITS_TEXT


def test_rows_without_lines_between_columns_stand_in_the_columns_of_the_titles() -> None:
    rows = [["Country", "Cases", "Share"], *([f"Land {row}", f"{row}00", "9.1"] for row in "1234")]
    style = [
        ("GRID", (0, 0), (-1, 0), 0.5, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.5, colors.black),
        ("LINEBEFORE", (0, 0), (0, -1), 0.5, colors.black),
        ("LINEAFTER", (-1, 0), (-1, -1), 0.5, colors.black),
    ]
    assert "| Land 1 | 100 | 9.1 |\n| Land 2 | 200 | 9.1 |" in read(story(Table(rows, style=style)))


def test_a_title_over_a_column_with_two_lines_at_its_side_stands_above_its_values() -> None:
    rows = [
        ["Measure", "Age 4", "", "Grade"],
        ["Letters", "", "0.25", "NA"],
        ["Names", "", "1", "2"],
    ]
    text = read(story(grid(rows, ("SPAN", (1, 0), (2, 0)), colWidths=[90, 8, 90, 60])))
    assert text.strip().split("\n") == [
        "| Measure | Age 4 | Grade |",
        "| --- | --- | --- |",
        "| Letters | 0.25 | NA |",
        "| Names | 1 | 2 |",
    ]


def test_a_frame_around_columns_without_lines_does_not_join_them() -> None:
    rows = [[f"Land {row}", f"{row}00", f"9.{row}", f"1{row} %"] for row in range(1, 7)]
    frame = [
        ("BOX", (0, 0), (-1, -1), 0.5, colors.black),
        ("LINEAFTER", (0, 0), (0, -1), 0.5, colors.black),
        ("LINEBELOW", (0, 2), (-1, 2), 0.5, colors.black),
    ]
    text = read(story(Table(rows, style=frame, colWidths=[90] * 4)))
    assert "| Land 1 | 100 | 9.1 | 11 % |" in text
    assert "| Land 6 | 600 | 9.6 | 16 % |" in text


def test_a_column_of_names_without_lines_stands_next_to_the_rows_beside_it() -> None:
    rows = [["Item", "Sum", "Share"], *([f"Item {row}", f"{row}00", "9.1"] for row in range(1, 7))]
    style = [
        ("GRID", (1, 0), (-1, -1), 0.5, colors.black),
        ("BOX", (0, 1), (0, -1), 0.5, colors.black),
        ("BOX", (0, 0), (0, 0), 0.5, colors.black),
    ]
    text = read(story(Table(rows, style=style)))
    assert "| Item 1 | 100 | 9.1 |\n| Item 2 | 200 | 9.1 |" in text


def test_tables_are_found_on_every_page_of_a_long_file() -> None:
    data = story(*(part for _ in range(400) for part in (grid(LIMITS), PageBreak())))
    assert read(data).count(LIMITS_TEXT) == 400


def test_several_tables_of_a_page_stay_apart() -> None:
    assert read(story(grid(LIMITS), Spacer(1, 20), grid(LIMITS))).count(LIMITS_TEXT) == 2


def test_random_tables_are_right_row_by_row() -> None:
    choice = random.Random(7)
    for _ in range(10):
        width = choice.randint(2, 6)
        rows = [
            [f"{choice.choice('abcdefgh')}{choice.randint(0, 999)}" for _ in range(width)]
            for _ in range(choice.randint(2, 30))
        ]
        lines = [line for line in read(story(grid(rows))).splitlines() if line.startswith("|")]
        assert lines.pop(1) == f"|{' --- |' * width}"
        assert lines == [f"| {' | '.join(row)} |" for row in rows]


def test_words_that_run_into_the_next_column_are_told_apart() -> None:
    def page(canvas: Canvas) -> None:
        canvas.grid([100, 130.5, 160], [660, 680, 700])
        canvas.drawString(102, 685, "Load")
        canvas.drawString(132, 685, "Reach")
        canvas.drawString(102.8, 665, "4000")
        canvas.drawString(131, 665, "2 m")

    assert "| 4000 | 2 m |" in read(drawn(page))


def test_a_table_from_right_to_left_has_its_first_column_first() -> None:
    # A font with Hebrew letters comes with matplotlib.
    matplotlib = pytest.importorskip("matplotlib")
    font = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    pdfmetrics.registerFont(TTFont("Hebrew", str(font)))

    def page(canvas: Canvas) -> None:
        canvas.setFont("Hebrew", 12)
        canvas.grid([100, 200, 300], [660, 680, 700])
        # A PDF shows letters where they stand, so the last letter of a word is drawn first.
        for row, (right, left) in enumerate([("עיר", "מחיר"), ("אוסלו", "נמוך")]):
            canvas.drawString(210, 685 - 20 * row, right[::-1])
            canvas.drawString(110, 685 - 20 * row, left[::-1])

    assert read(drawn(page)).strip() == "| עיר | מחיר |\n| --- | --- |\n| אוסלו | נמוך |"


def test_text_in_a_frame_is_no_table() -> None:
    assert read(story(grid([[words("Handle with care.")]]))).strip() == "Handle with care."


def test_the_frames_of_a_layout_are_no_table() -> None:
    column = words("Doors open at nine. " * 60)
    text = read(story(grid([["News", "Sport"], [column, column]])))
    assert "|" not in text
    assert text.count("Doors open at nine.") == 120


def test_the_grid_of_a_chart_is_no_table() -> None:
    def page(canvas: Canvas) -> None:
        canvas.grid(range(100, 500, 50), range(100, 500, 50))
        canvas.drawString(110, 110, "Sales by year")

    assert read(drawn(page)).strip() == "Sales by year"


def test_text_that_runs_over_a_drawing_is_kept_and_is_no_table() -> None:
    def page(canvas: Canvas) -> None:
        canvas.grid([200, 260, 320], [600, 700, 800])
        for row in range(8):
            canvas.drawString(72, 780 - 14 * row, SENTENCE)

    text = read(drawn(page))
    assert "|" not in text
    assert text.count("inspected every week") == 8


def test_a_drawing_with_more_lines_than_any_table_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = story(grid(LIMITS))
    monkeypatch.setattr(drawings, "_MAX_PIECES", 3)
    text = read(data)
    assert "|" not in text
    assert text.split() == ["Property", "Value", "Load", "40", "kg", "Reach", "2", "m"]


def test_the_background_of_words_is_no_cell_but_that_of_a_cell_is() -> None:
    def page(canvas: Canvas) -> None:
        canvas.setFillColor(colors.lightgrey)
        canvas.rect(108, 672, 80, 16, stroke=0, fill=1)
        canvas.rect(300, 660, 100, 40, stroke=0, fill=1)
        canvas.setFillColor(colors.black)
        canvas.grid([100, 200, 300], [620, 660, 700])
        for x, row in ((112, ["Load", "40 kg"]), (212, ["Reach", "2 m"]), (312, ["Weight", ""])):
            canvas.drawString(x, 676, row[0])
            canvas.drawString(x, 636, row[1])

    assert read(drawn(page)).strip() == (
        "| Load | Reach | Weight |\n| --- | --- | --- |\n| 40 kg | 2 m |  |"
    )
