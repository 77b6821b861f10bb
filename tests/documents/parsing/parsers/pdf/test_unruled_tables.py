"""Tables without lines around all their cells."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from reportlab.pdfgen.canvas import Canvas

from managed_sync.documents.parsing.parsers.pdf.geometry import Box
from managed_sync.documents.parsing.parsers.pdf.lines import Line, Word
from managed_sync.documents.parsing.parsers.pdf.tables import aligned
from managed_sync.documents.parsing.parsers.pdf.tables.aligned import with_aligned_tables
from tests.documents.pdf_files import drawn, grid, read, story, words

COSTS = [
    ("Item", "2024", "2025"),
    ("Revenue", "1,200", "1,450"),
    ("Cost of sales", "(700)", "(810)"),
]
COSTS_TEXT = (
    "| Item | 2024 | 2025 |\n| --- | --- | --- |\n| Revenue | 1,200 | 1,450 |\n"
    "| Cost of sales | (700) | (810) |"
)
LEFT, TOP, PITCH = (76, 300, 420), 700, 16
ACROSS = (TOP + 13, TOP - 4, TOP - 2 * PITCH - 4)


def show(canvas: Canvas, rows: Sequence[Sequence[str]], top: float = TOP) -> None:
    for row, cells in enumerate(rows):
        for x, cell in zip(LEFT, cells, strict=False):
            canvas.drawString(x, top - PITCH * row, cell)


def rule(canvas: Canvas, *heights: float) -> None:
    for y in heights:
        canvas.line(72, y, 520, y)


def rule_columns(canvas: Canvas, bottom: float) -> None:
    for x in (72, 290, 410, 520):
        canvas.line(x, TOP + 13, x, bottom)


@pytest.mark.parametrize(
    "draw",
    [
        lambda canvas: None,
        lambda canvas: rule(canvas, *ACROSS),
        lambda canvas: rule(canvas, *ACROSS, TOP - PITCH - 4),
        lambda canvas: rule_columns(canvas, ACROSS[-1]),
    ],
    ids=["no rules", "three rules", "a rule for each row", "rules between columns"],
)
def test_a_table_without_all_its_rules_is_a_table(draw: Callable[[Canvas], None]) -> None:
    def page(canvas: Canvas) -> None:
        draw(canvas)
        show(canvas, COSTS)

    assert read(drawn(page)).strip() == COSTS_TEXT


def test_the_cells_of_a_table_that_are_drawn_column_by_column_stay_in_their_rows() -> None:
    def page(canvas: Canvas) -> None:
        for column, x in enumerate(LEFT):
            for row, cells in enumerate(COSTS):
                canvas.drawString(x, TOP - PITCH * row, cells[column])

    assert read(drawn(page)).strip() == COSTS_TEXT


def test_text_around_a_table_is_not_in_it() -> None:
    sentence = "All amounts are in thousands of euros and were reviewed in the second week of May."

    def page(canvas: Canvas) -> None:
        canvas.drawString(76, TOP + PITCH, sentence)
        show(canvas, COSTS)
        canvas.drawString(76, TOP - 3 * PITCH, sentence)

    assert read(drawn(page)).strip() == f"{sentence}\n\n{COSTS_TEXT}\n\n{sentence}"


def test_titles_that_span_columns_stand_above_the_table() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(76, TOP + PITCH, "Region")
        canvas.drawString(300, TOP + PITCH, "Amounts of both of the last years")
        show(canvas, COSTS)

    first, second, third = read(drawn(page)).splitlines()[:3]
    assert first == "| Region | Amounts of both of the last years |  |"
    assert second == "| --- | --- | --- |"
    assert third == "| Item | 2024 | 2025 |"


def test_rows_that_are_too_few_for_a_table_are_lines_of_their_own() -> None:
    def page(canvas: Canvas) -> None:
        show(canvas, COSTS[:2])

    assert read(drawn(page)).strip() == "Item 2024 2025\nRevenue 1,200 1,450"


def test_numbered_items_with_a_wide_indent_are_no_table() -> None:
    def page(canvas: Canvas) -> None:
        for row in range(4):
            canvas.drawString(72, TOP - PITCH * row, f"{row + 1}.")
            canvas.drawString(108, TOP - PITCH * row, "Close the valve of the tank")

    text = read(drawn(page))
    assert "|" not in text
    assert text.count("Close the valve of the tank") == 4


def test_a_table_with_one_rule_below_its_titles_has_its_rows() -> None:
    def page(canvas: Canvas) -> None:
        rule(canvas, *ACROSS)
        rule_columns(canvas, ACROSS[-1])
        show(canvas, COSTS)

    assert read(drawn(page)).strip() == COSTS_TEXT


def test_cells_of_text_that_runs_over_several_lines_stay_one_row() -> None:
    text = "Recall all the connectors of this lot and send them back to the plant"
    rows = [["Action", "Reason", "Owner"], [words(text), words(text), words(text)]]
    assert f"| {text} | {text} | {text} |" in read(story(grid(rows, colWidths=[90, 90, 90])))


def test_lists_in_cells_stay_in_their_cells() -> None:
    one, other = "• oil\n• felt\n• tape", "• drill\n• lamp\n• saw"
    text = read(story(grid([["Parts", "Tools"], [one, other]])))
    assert "| • oil • felt • tape | • drill • lamp • saw |" in text


def test_the_work_grows_with_the_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = random.Random(3)

    def line(row: int) -> Line:
        found = Line([Word("x", Box(0, 0, 5, 10), 0, 1)], 0, 10)
        at = 0.0
        for _ in range(choice.randint(1, 4)):
            at += choice.randint(1, 90)
            found.pieces.append(
                Line([Word("x", Box(at, 12 * row, at + 5, 12 * row + 10), 0, 1)], 0, 10)
            )
            at += 30
        found.box = Box(found.pieces[0].box.left, 12 * row, at, 12 * row + 10)
        return found

    merged = aligned._merged
    calls = 0

    def count(
        columns: Sequence[tuple[float, float]], row: Sequence[Line]
    ) -> list[tuple[float, float]]:
        nonlocal calls
        calls += 1
        return merged(columns, row)

    monkeypatch.setattr(aligned, "_merged", count)
    assert with_aligned_tables([line(row) for row in range(3_000)])
    assert calls < 6 * 3_000


def test_figures_that_stand_near_to_each_other_are_in_columns_of_their_own() -> None:
    def page(canvas: Canvas) -> None:
        for row, name in enumerate(["Northeast", "Maine", "Vermont"]):
            for x, cell in ((76, name), (200, f"48{row},670"), (253, f"50{row},528")):
                canvas.drawString(x, TOP - PITCH * row, cell)

    assert read(drawn(page)).strip().endswith("| Vermont | 482,670 | 502,528 |")


def test_figures_at_the_side_of_their_column_are_rows_without_a_rule() -> None:
    def page(canvas: Canvas) -> None:
        rule(canvas, TOP + 13, TOP - 4, TOP - 4 * PITCH - 4)
        for x in (72, 160, 216):
            canvas.line(x, TOP + 13, x, TOP - 4 * PITCH - 4)
        rows = [("Age", "People"), *((f"{age} years", "9,760,120") for age in (1, 2, 3, 4))]
        for row, (name, count) in enumerate(rows):
            canvas.drawString(76, TOP - PITCH * row, name)
            canvas.drawRightString(215, TOP - PITCH * row, count)

    assert read(drawn(page)).strip().endswith("| 4 years | 9,760,120 |")
