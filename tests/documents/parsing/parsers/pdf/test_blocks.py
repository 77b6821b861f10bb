from __future__ import annotations

import pytest
from reportlab.pdfgen.canvas import Canvas

from managed_sync.documents.parsing.parsers.pdf.blocks import join, known_words
from tests.documents.pdf_files import SENTENCE, drawn, read, story, words


@pytest.mark.parametrize(
    ("first", "second", "known", "joined"),
    [
        ("a for-", "mula for two", {"two"}, "a formula for two"),
        ("a for-", "mula for two", {"for", "formula", "mula"}, "a formula for two"),
        ("a well-", "known one", {"well", "known"}, "a well-known one"),
        ("a well-", "known one", {"well-known"}, "a well-known one"),
        ("the Rhine-", "Ruhr area", set(), "the Rhine-Ruhr area"),
        ("pages 3-", "4 of it", set(), "pages 3- 4 of it"),
        ("from 3 -", "and on", set(), "from 3 - and on"),
        ("人が", "作業", set(), "人が作業"),
        ("사람이", "작업", set(), "사람이 작업"),
        ("one", "two", set(), "one two"),
    ],
)
def test_a_word_that_a_line_end_breaks_is_whole_again(
    first: str, second: str, known: set[str], joined: str
) -> None:
    assert join([(" ", first), (" ", second)], known) == joined


def test_the_halves_of_a_broken_word_are_no_known_words() -> None:
    assert known_words(["a well-known for-", "Mula"]) == {"a", "well-known", "mula"}


def test_lines_are_joined_to_paragraphs_and_rows_stay_lines() -> None:
    def page(canvas: Canvas) -> None:
        lines = [
            "The gripper is inspected every week by the person who runs the well-",
            "maintained cell, and who signs the form for it.",
            "Oslo 1501",
            "Rome 2601",
            "Bonn 3701",
        ]
        for row, line in enumerate(lines):
            canvas.drawString(72, 700 - 14 * row, line)
        canvas.drawString(72, 580, "A paragraph of its own.")

    assert read(drawn(page)).strip().split("\n\n") == [
        "The gripper is inspected every week by the person who runs the wellmaintained cell, "
        "and who signs the form for it.",
        "Oslo 1501\nRome 2601\nBonn 3701",
        "A paragraph of its own.",
    ]


def test_bullets_become_items_of_a_list() -> None:
    def page(canvas: Canvas) -> None:
        for row, line in enumerate([SENTENCE, "• gloves", "• helmet"]):
            canvas.drawString(72, 700 - 14 * row, line)

    assert read(drawn(page)).strip().endswith("\n\n- gloves\n- helmet")


def test_a_fraction_stays_in_its_line() -> None:
    text = read(story(words("Up to <super>1</super>/<sub>4</sub> inch. " * 3)))
    assert text.strip() == " ".join(["Up to 1/4 inch."] * 3)
