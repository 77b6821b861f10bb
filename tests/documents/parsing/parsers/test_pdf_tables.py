from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

from managed_sync.documents.parsing.base import run_parser
from managed_sync.documents.parsing.parsers import pdf_tables
from managed_sync.documents.parsing.parsers.pdf_tables import find_tables, with_tables
from managed_sync.documents.parsing.registry import chosen_parser
from tests.documents.sample_files import PDF

STYLES = getSampleStyleSheet()
GRID = [("GRID", (0, 0), (-1, -1), 0.5, colors.black)]
LIMITS = [["Property", "Value"], ["Load", "40 kg"], ["Reach", "2 m"]]


def pdf(*story: Any) -> bytes:
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4).build(list(story))
    return buffer.getvalue()


def drawn(draw: Callable[[Canvas], None]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    draw(canvas)
    canvas.save()
    return buffer.getvalue()


def words(text: str, style: str = "Normal") -> Paragraph:
    return Paragraph(text, STYLES[style])


def grid(rows: Sequence[Sequence[Any]], *more: Any, **options: Any) -> Table:
    return Table(rows, style=[*GRID, *more], **options)


def read(data: bytes) -> str:
    return run_parser(chosen_parser(None), data, content_type=PDF, filename="arm.pdf")


def test_a_ruled_table_stands_between_what_is_around_it() -> None:
    text = read(pdf(words("Limits", "Heading1"), grid(LIMITS), words("Ask before you exceed it.")))
    assert text.strip() == (
        "# Limits\n\n| Property | Value |\n| --- | --- |\n| Load | 40 kg |\n| Reach | 2 m |\n\n"
        "Ask before you exceed it."
    )


def test_a_cell_of_several_lines_is_one_cell() -> None:
    rows = [["Action", "Owner"], [words("Recall of all the connectors of lot 2547"), "Anouk"]]
    text = read(pdf(words("Actions", "Heading1"), grid(rows, colWidths=[90, 90])))
    assert "| Recall of all the connectors of lot 2547 | Anouk |" in text


def test_merged_cells_leave_the_table_whole() -> None:
    rows = [["Robot", "", "Dock"], ["Load", "Reach", "Power"], ["40", "2", "18"]]
    text = read(pdf(words("Sizes", "Heading1"), grid(rows, ("SPAN", (0, 0), (1, 0)))))
    assert "| Robot |  | Dock |\n| --- | --- | --- |\n| Load | Reach | Power |" in text


def test_tables_are_found_on_the_pages_they_are_on() -> None:
    data = pdf(words("No table here."), PageBreak(), grid(LIMITS), Spacer(1, 20), grid(LIMITS))
    assert find_tables(data, name="arm.pdf") == {2: [LIMITS, LIMITS]}
    assert [page.count("| --- |") for page in read(data).split("\f")] == [0, 2]


def test_a_numbered_title_below_a_table_is_a_heading() -> None:
    sentence = words("The customer pays for the arm, its transport and its installation. " * 3)
    text = read(pdf(words("Arm", "Title"), grid(LIMITS), words("4. Cost", "Heading2"), sentence))
    assert "| Reach | 2 m |\n\n## 4. Cost" in text


def test_text_in_a_frame_is_no_table() -> None:
    text = read(pdf(grid([[words("Handle with care.")]])))
    assert text.strip().removeprefix("# ") == "Handle with care."


def test_the_frames_of_a_layout_are_no_table() -> None:
    column = words("Doors open at nine. " * 60)
    assert find_tables(pdf(grid([["News", "Sport"], [column, column]])), name="n.pdf") == {1: []}


def test_the_grid_of_a_chart_is_no_table() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.grid(range(100, 500, 50), range(100, 500, 50))
        canvas.drawString(110, 110, "Sales by year")

    assert find_tables(drawn(draw), name="chart.pdf") == {1: []}


@pytest.mark.parametrize("limit", ["_MAX_SHAPES", "_MAX_LINES", "_MAX_LETTERS"])
def test_a_page_with_more_on_it_than_any_table_is_not_looked_at(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pdf(grid(LIMITS))
    assert find_tables(data, name="arm.pdf")
    monkeypatch.setattr(pdf_tables, limit, 3)
    assert find_tables(data, name="arm.pdf") == {}


def test_where_looking_would_take_too_long_the_first_pages_have_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = pdf(*(part for _ in range(5) for part in (grid(LIMITS), PageBreak())))
    assert len(find_tables(data, name="arm.pdf")) == 5
    # A page has 37 letters, and 14 lines that count as 5 letters each.
    monkeypatch.setattr(pdf_tables, "_MAX_WORK", 3 * (37 + 14 * 5))
    assert list(find_tables(data, name="arm.pdf")) == [1, 2, 3]
    assert read(data).count("| Load | 40 kg |") == 3
    assert read(data).count("Load 40 kg") == 2


def test_threads_may_look_at_the_same_time() -> None:
    """Without a lock this ends the process: PDFium takes one call at a time."""
    data = pdf(*(part for _ in range(30) for part in (words("No table."), PageBreak())))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: find_tables(data, name="arm.pdf"), range(300)))
    assert found == [{}] * 300


def test_a_damaged_file_has_no_tables_and_raises_nothing() -> None:
    data = pdf(grid(LIMITS))
    assert find_tables(data[: len(data) // 2], name="half.pdf") == {}
    assert find_tables(b"%PDF-1.7 and nothing else", name="none.pdf") == {}


def test_a_table_that_the_lines_do_not_have_changes_nothing() -> None:
    lines = ["Limits", "Load 40 kg", "and Reach 2 m"]
    assert with_tables(lines, [LIMITS]) == lines


@given(st.lists(st.text("ab ", max_size=6), min_size=1, max_size=9), st.data())
def test_a_table_is_found_wherever_its_lines_are_and_no_letter_is_lost(
    lines: list[str], data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, len(lines) - 1))
    row = lines[begin : data.draw(st.integers(begin + 1, len(lines)))]
    assume("".join(row).strip())

    found = with_tables(lines, [[["x", "y"], row]])
    assert found == lines, "no line has the letters of its head"
    found = with_tables(lines, [[row, []]])

    assert sum("\n" in line for line in found) == 1
    kept = "".join(found).replace("---", "")
    assert sorted(filter(str.isalpha, kept)) == sorted(filter(str.isalpha, "".join(lines)))


def test_columns_that_run_together_in_the_lines_are_told_apart() -> None:
    assert with_tables(["Load Reach", "402"], [[["Load", "Reach"], ["40", "2"]]]) == [
        "| Load | Reach |\n| --- | --- |\n| 40 | 2 |"
    ]


def test_a_ligature_counts_as_what_it_joins() -> None:
    assert with_tables(["Of\ufb01ce Desk", "1 2"], [[["Office", "Desk"], ["1", "2"]]]) == [
        "| Office | Desk |\n| --- | --- |\n| 1 | 2 |"
    ]
