from __future__ import annotations

from reportlab.pdfgen.canvas import Canvas

from tests.documents.pdf_files import SENTENCE, drawn, read, story, words

TEXT = words(SENTENCE * 4)


def headings(text: str) -> list[str]:
    return [line for line in text.replace("\f", "").splitlines() if line.startswith("#")]


def test_larger_type_is_a_higher_level() -> None:
    parts = [
        words("Report", "Title"),
        words("Limits", "Heading2"),
        TEXT,
        words("Speed", "Heading3"),
    ]
    assert headings(read(story(*parts, TEXT))) == ["# Report", "## Limits", "### Speed"]


def test_bold_lines_are_headings_but_bold_words_are_not() -> None:
    parts = [words("<b>Limits</b>"), TEXT, words("<b>Never</b> exceed it."), TEXT]
    assert headings(read(story(*parts))) == ["# Limits"]


def test_a_heading_that_takes_two_lines_is_one() -> None:
    title = "INC-2026-012: charging dock overheating at Baltic Freight in Tallinn on 14 February"
    assert headings(read(story(words(title, "Heading1"), TEXT))) == [f"# {title}"]


def test_an_abbreviation_does_not_make_a_title_a_sentence() -> None:
    title = "Master agreement between Harbor Robotics B.V. and Nordfracht AG"
    assert headings(read(story(words(title, "Heading1"), TEXT))) == [f"# {title}"]


def test_sentences_and_figures_in_large_type_are_no_headings() -> None:
    parts = [words("Stop at once.", "Heading1"), TEXT, words("4,711", "Heading1"), TEXT]
    assert not headings(read(story(*parts)))


def test_numbered_titles_are_headings_where_all_type_is_the_same() -> None:
    parts = [words("2. Limits"), TEXT, words("2.1 Speed"), TEXT]
    items = [words("1. Open the door"), words("2. Press the button"), TEXT]
    assert headings(read(story(*parts, *items))) == ["# 2. Limits", "## 2.1 Speed"]


def outlined(*titles: tuple[str, int]) -> bytes:
    def page(canvas: Canvas) -> None:
        for title, level in titles:
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(title, title, level)
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(72, 760, "A word in large type")
        canvas.setFont("Helvetica", 11)
        lines = ["1 Limits", SENTENCE, "1.1 Speed of", "the arm", SENTENCE, SENTENCE]
        for row, line in enumerate(lines):
            canvas.drawString(72, 720 - 14 * row, line)

    return drawn(page)


def test_bookmarks_name_the_headings_if_there_are_any() -> None:
    text = read(outlined(("Limits", 0), ("1.1 Speed of the arm", 1)))
    assert headings(text) == ["# 1 Limits", "## 1.1 Speed of the arm"]
    assert "A word in large type" in text


def test_a_number_may_be_in_the_bookmark_or_on_the_page_alone() -> None:
    text = read(outlined(("Exhibit 2.3-1 Limits", 0), ("Speed of the arm", 1)))
    assert headings(text) == ["# Exhibit 2.3-1 Limits", "## 1.1 Speed of the arm"]


def test_bookmarks_that_are_not_on_their_pages_change_nothing() -> None:
    text = read(outlined(("Cover", 0), ("Scan 1", 0), ("Scan 2", 0)))
    assert headings(text) == ["# A word in large type"]
