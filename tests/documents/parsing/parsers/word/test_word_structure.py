"""Headings, lists, tables and pages of Word files are as Word shows them."""

from __future__ import annotations

import pytest

from managed_sync.documents.parsing.parsers.word.document import parse_word
from tests.documents.growth import assert_linear
from tests.documents.word_files import cell, make_word, paragraph, run, table

BREAK = "<w:r><w:br w:type='page'/></w:r>"
RENDERED = "<w:r><w:lastRenderedPageBreak/></w:r>"


def text_of(body: str, **parts: str) -> str:
    return parse_word(make_word(body, parts=parts), name="a.docx")


def style(identifier: str, name: str, properties: str = "", based_on: str = "") -> str:
    return (
        f'<w:style w:type="paragraph" w:styleId="{identifier}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="{based_on}"/><w:pPr>{properties}</w:pPr></w:style>'
    )


def styled(text: str, identifier: str, properties: str = "") -> str:
    return paragraph(text, f'<w:pStyle w:val="{identifier}"/>{properties}')


def test_headings_are_found_by_name_level_and_the_style_below() -> None:
    styles = (
        style("berschrift1", "heading 1")
        + style("Own", "House style", based_on="berschrift1")
        + style("Level", "Clause", '<w:outlineLvl w:val="2"/>')
        + style("Body", "Body of clause", '<w:outlineLvl w:val="9"/>', based_on="Level")
        + style("Titel", "Title")
    )
    body = (
        styled("Title", "Titel")
        + styled("One", "berschrift1")
        + styled("Two", "Own")
        + styled("Three", "Level")
        + styled("Text", "Body")
        + styled("Four", "Body", '<w:outlineLvl w:val="1"/>')
        + styled("No heading", "berschrift1", '<w:outlineLvl w:val="9"/>')
        + styled("Without styles", "Heading2")
    )
    assert text_of(body, styles=styles) == (
        "# Title\n\n# One\n\n# Two\n\n### Three\n\nText\n\n## Four\n\nNo heading"
        "\n\n## Without styles"
    )


@pytest.mark.parametrize("name", ["Überschrift 2", "Titre 2", "标题 2", "heading 2,h2"])
def test_headings_are_found_by_names_in_other_languages(name: str) -> None:
    assert text_of(styled("A", "X"), styles=style("X", name)) == "## A"


def test_a_heading_of_many_lines_is_a_paragraph() -> None:
    long = "All of this text has the wrong style. " * 10
    assert text_of(styled(long, "Heading1")) == long.strip()


def level(number: int, style: str, text: str, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/>{more}<w:numFmt w:val="{style}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


NUMBERING = (
    '<w:abstractNum w:abstractNumId="5">'
    + level(0, "decimal", "%1.", '<w:pStyle w:val="Clause"/>')
    + level(1, "lowerLetter", "(%2)")
    + level(2, "upperRoman", "%1.%3")
    + "</w:abstractNum>"
    + f'<w:abstractNum w:abstractNumId="6">{level(0, "bullet", "o")}{level(1, "bullet", "o")}'
    + "</w:abstractNum>"
    + '<w:num w:numId="1"><w:abstractNumId w:val="5"/></w:num>'
    + '<w:num w:numId="2"><w:abstractNumId w:val="6"/></w:num>'
    + '<w:num w:numId="3"><w:abstractNumId w:val="5"/><w:lvlOverride w:ilvl="0">'
    + '<w:startOverride w:val="7"/></w:lvlOverride></w:num>'
)


def item(text: str, number: int, depth: int = 0) -> str:
    return paragraph(
        text, f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    )


def test_items_have_the_numbers_that_word_shows() -> None:
    body = "".join(
        [
            *(item("Open it", 1), item("the door", 1, 1), item("the lid", 1, 1)),
            *(item("Close it", 1), item("the lid", 1, 1), item("at once", 1, 2)),
            *(
                item("Gloves", 2),
                item("size 9", 2, 1),
                item("Start again", 3),
                item("And go on", 3),
            ),
            *(item("No item", 0), item("Lost", 99)),
        ]
    )
    assert text_of(body, numbering=NUMBERING).split("\n") == [
        "1. Open it",
        "  - (a) the door",
        "  - (b) the lid",
        "2. Close it",
        "  - (a) the lid",
        "    - 2.I at once",
        "- Gloves",
        "  - size 9",
        "7. Start again",
        "8. And go on",
        "",
        "No item",
        "",
        "- Lost",
    ]


def test_an_empty_item_is_counted_and_not_written() -> None:
    body = item("One", 1) + item("", 1) + item("Three", 1)
    assert text_of(body, numbering=NUMBERING) == "1. One\n3. Three"


def test_headings_have_the_numbers_of_their_style() -> None:
    styles = style("Clause", "heading 1", '<w:numPr><w:numId w:val="1"/></w:numPr>')
    body = styled("Scope", "Clause") + styled("Terms", "Clause")
    assert text_of(body, styles=styles, numbering=NUMBERING) == "# 1. Scope\n\n# 2. Terms"


SPAN = '<w:gridSpan w:val="{}"/>'.format
FIRST, NEXT = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"


def test_each_cell_is_under_its_column() -> None:
    body = table(
        cell("Region") + cell("Sales", SPAN(2)) + cell("Note"),
        cell("North", FIRST) + cell("1") + cell("2") + cell("a"),
        cell("", NEXT) + cell("3", SPAN(2)) + cell("b"),
        '<w:trPr><w:gridBefore w:val="1"/></w:trPr>' + cell("4") + cell("5") + cell("c"),
    )
    assert text_of(body).split("\n") == [
        "| Region | Sales |  | Note |",
        "| --- | --- | --- | --- |",
        "| North | 1 | 2 | a |",
        "| North | 3 |  | b |",
        "|  | 4 | 5 | c |",
    ]


def test_columns_in_which_no_cell_begins_are_left_out() -> None:
    body = table(cell("A", SPAN(5)) + cell("B", SPAN(7)), cell("1", SPAN(5)) + cell("2", SPAN(7)))
    assert text_of(body) == "| A | B |\n| --- | --- |\n| 1 | 2 |"


def test_a_long_text_over_several_rows_is_not_repeated() -> None:
    long = "Everything about the north. " * 10
    rows = text_of(table(cell(long, FIRST) + cell("1"), cell("", NEXT) + cell("2"))).split("\n")
    assert rows[-1] == "|  | 2 |"


def test_rows_and_cells_in_content_controls_are_rows_and_cells() -> None:
    control = "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>".format
    row = f"<w:tr>{cell('c')}{control(cell('d'))}</w:tr>"
    deleted = f"<w:tr><w:trPr><w:del w:id='1'/></w:trPr>{cell('x')}{cell('y')}</w:tr>"
    body = table(cell("a") + cell("b")).replace("</w:tbl>", f"{control(row)}{deleted}</w:tbl>")
    assert text_of(body) == "| a | b |\n| --- | --- |\n| c | d |"


def test_paragraphs_lists_and_tables_in_a_cell_are_one_line() -> None:
    inner = table(cell("k") + cell("v"), cell("m") + cell("w"))
    body = table(
        cell(paragraph("One.") + item("Two", 1) + item("Three", 2)) + cell("b") + cell("c"),
        cell(paragraph("d") + inner) + cell("e | f") + cell(""),
    )
    assert text_of(body, numbering=NUMBERING).split("\n") == [
        "| One. 1. Two Three | b | c |",
        "| --- | --- | --- |",
        r"| d k, v; m, w | e \| f |  |",
    ]


def test_a_table_that_only_arranges_its_content_is_written_as_the_content() -> None:
    inner = table(cell("k") + cell("v"), cell("m") + cell("w"))
    assert (
        text_of(table(cell(styled("Frame", "Heading1") + paragraph("Text")))) == "# Frame\n\nText"
    )
    assert text_of(table(cell(paragraph("Left") + inner) + cell("Right"))) == (
        "Left\n\n| k | v |\n| --- | --- |\n| m | w |\n\nRight"
    )


def test_pages_begin_where_the_author_or_word_says() -> None:
    body = (
        paragraph(run("One") + BREAK + RENDERED + run("Two"))
        + paragraph(RENDERED + run("Three"))
        + paragraph(run("Cut ") + RENDERED + run("nowhere"))
        + paragraph("Five")
        + paragraph("Six", "<w:pageBreakBefore/>")
        + paragraph(RENDERED + run("Seven"), "<w:pageBreakBefore/>")
        + paragraph(BREAK)
        + paragraph(BREAK)
        + paragraph("Nine")
    )
    pages = [page.strip() for page in text_of(body).split("\f")]
    assert pages == ["One", "Two", "Three\n\nCut nowhere", "Five", "Six", "Seven", "", "Nine"]


def test_a_section_begins_a_page_unless_it_goes_on() -> None:
    section = "<w:sectPr><w:type w:val='{}'/></w:sectPr>".format
    body = (
        paragraph("One", section("nextPage"))
        + paragraph("Still one", section("continuous"))
        + paragraph("Two")
        + section("nextPage")
    )
    assert text_of(body) == "One\n\nStill one\n\n\fTwo"


def test_a_page_that_begins_in_a_table_begins_after_it() -> None:
    body = table(
        cell("a") + cell("b"),
        cell(paragraph(RENDERED + run("c"))) + cell(paragraph(RENDERED + run("d"))),
    ) + paragraph("After")
    assert text_of(body) == "| a | b |\n| --- | --- |\n| c | d |\n\n\fAfter"


def test_a_long_file_is_read_in_time_proportional_to_its_size() -> None:
    row = cell("a") + cell("b", NEXT) + cell("c")
    body = table(*[row] * 20) + item("x", 1) * 80 + paragraph(run("a ") * 20) * 20

    assert_linear(
        lambda times: parse_word(
            make_word(body * times, parts={"numbering": NUMBERING}), name="a.docx"
        ),
        2,
    )
