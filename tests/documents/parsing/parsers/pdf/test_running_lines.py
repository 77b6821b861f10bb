from __future__ import annotations

import re
from collections.abc import Callable

from reportlab.pdfgen.canvas import Canvas

from tests.documents.pdf_files import SENTENCE, drawn, read


def report(*, foot: str, title: str = "", pages: int = 4) -> bytes:
    """A report whose pages have figures alone on their lines, and a line at their foot."""

    def page(number: int) -> Callable[[Canvas], None]:
        def draw(canvas: Canvas) -> None:
            canvas.setTitle(title)
            canvas.setFont("Helvetica-Bold", 16)
            canvas.drawString(72, 780, f"Chapter {number}")
            canvas.setFont("Helvetica", 11)
            lines = [
                "Accidents in the year:",
                f"{4100 + number}",
                "Claims paid:",
                f"{700 + number}",
            ]
            for row, line in enumerate([*lines, "Oslo", f"{1500 + number}", SENTENCE]):
                canvas.drawString(72, 750 - 20 * row, line)
            canvas.drawCentredString(300, 40, foot.format(number))

        return draw

    return drawn(*(page(number) for number in range(1, pages + 1)))


def test_figures_that_stand_alone_stay_on_every_page_and_page_numbers_go() -> None:
    pages = read(report(foot="{}")).split("\f")
    for number, page in enumerate(pages, 1):
        figures = [f"{4100 + number}", f"{700 + number}", f"{1500 + number}"]
        assert [word for word in page.split() if word.isdigit()] == [f"{number}", *figures]
        assert page.lstrip().startswith(f"# Chapter {number}\n")


def test_a_footer_is_kept_once_if_it_says_something_of_its_own() -> None:
    text = read(report(foot="Nordfracht - page {} of 4"))
    assert text.count("Nordfracht") == 1
    assert "Nordfracht" in text.split("\f")[0]
    assert "of 4" not in text.split("\f", 1)[1]


def test_a_footer_that_repeats_the_title_is_not_kept() -> None:
    text = read(report(foot="Yearly report - page {}", title="Yearly report"))
    assert re.findall(r"Chapter \d|Yearly|page", text) == [
        f"Chapter {page}" for page in (1, 2, 3, 4)
    ]


def test_numbers_at_the_foot_that_do_not_count_the_pages_are_kept() -> None:
    def page(sum_: int) -> Callable[[Canvas], None]:
        def draw(canvas: Canvas) -> None:
            canvas.drawString(72, 700, "Sum of all claims")
            canvas.drawString(72, 40, str(sum_))

        return draw

    text = read(drawn(page(812), page(77), page(4093)))
    assert [word for word in text.split() if word.isdigit()] == ["812", "77", "4093"]


def test_pages_that_are_alike_lose_nothing() -> None:
    def draw(canvas: Canvas) -> None:
        for row in range(3):
            canvas.drawString(72, 780 - 14 * row, SENTENCE)

    assert read(drawn(draw, draw, draw)).count(SENTENCE.strip()) == 9


def numbered(draw_row: Callable[[Canvas, int], None], *, pages: int = 4) -> bytes:
    """Pages whose rows have numbers at their left side."""

    def page(canvas: Canvas) -> None:
        for row in range(12):
            canvas.drawString(40, 700 - 20 * row, f"{row + 1}")
        for row in range(12):
            draw_row(canvas, row)

    return drawn(*[page] * pages)


def test_the_numbers_of_lines_do_not_stand_between_the_words_of_a_sentence() -> None:
    def line(canvas: Canvas, row: int) -> None:
        canvas.drawString(90, 700 - 20 * row, "and the parties agree upon the terms of the con-")

    text = read(numbered(line))
    assert not re.search(r"\d", text)
    assert text.split("\f")[0].strip().count("\n") == 0


def test_the_numbers_of_rows_and_of_a_list_are_kept() -> None:
    def row(canvas: Canvas, row: int) -> None:
        for column, text in enumerate(["Oslo", "Harbor", "Crane"]):
            canvas.drawString(90 + 150 * column, 700 - 20 * row, f"{text} {100 + row}")

    def item(canvas: Canvas, row: int) -> None:
        canvas.drawString(90, 700 - 20 * row, "The crane lifts the load, and then")
        canvas.drawString(90, 690 - 20 * row, "it turns to the ship at the quay.")

    for draw in (row, item):
        text = read(numbered(draw))
        assert all(re.search(rf"\b{number}\b", text) for number in range(1, 13))
