"""Every place where an RTF file keeps text is read."""

from __future__ import annotations

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.parsers.rtf.reader import parse_rtf
from tests.documents.growth import assert_linear


def text_of(body: str, head: str = r"\ansi\ansicpg1252") -> str:
    data = rf"{{\rtf1{head}{{\fonttbl{{\f0 Arial;}}}}{body}}}".encode("latin-1")
    return parse_rtf(data, name="a.rtf")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"5\~000 e\_mail co\-op \{a\\b\}", "5\xa0000 e-mail coop {a\\b}"),
        (r"\'e9t\'e9 \u8364? \uc2\u8220??x\uc0\u8221 y", "été € “x”y"),
        (r"\u-10179?\u-8704?", "\U0001f600"),
        (r"a\tab b\line c\emdash d\lquote e\rquote", "a\tb\nc—d‘e’"),
        (r"{\upr{plain}{\*\ud{\u20013?}}}", "中"),
        (r"\u8217 \endash\u8217\endash x", "’’x"),
        (r"shown {\v hidden}{\deleted gone}text", "shown text"),
        (r"a{\*\unknown b}{\info{\title c}}{\pict 00ff}d{\bkmkstart e}", "ad"),
        (r"a\bin3 }}}b", "ab"),
        (r"{\b0\*\cs7 shown}", "shown"),
    ],
)
def test_characters_are_text(body: str, text: str) -> None:
    assert text_of(body) == text


@pytest.mark.parametrize(
    ("charset", "written", "text"),
    [
        (204, r"\'cf\'f0\'e8\'e2\'e5\'f2", "Привет"),
        (128, r"\'93\'fa\'96\'7b", "日本"),
        (128, r"\'83\\", "ソ"),
        (238, r"za\'bf\'f3\'b3\'e6", "zażółć"),
        (2, r"\'a3", "£"),
    ],
)
def test_a_font_has_its_character_set(charset: int, written: str, text: str) -> None:
    assert text_of(rf"{{\fonttbl{{\f1\fcharset{charset} X;}}}}\f1 {written}") == text


def test_the_characters_of_symbol_fonts_are_translated() -> None:
    fonts = r"{\fonttbl{\f1\fcharset2 Symbol;}{\f2\fcharset2 Wingdings;}}"
    assert text_of(fonts + r"\f1 \'a3a\f2 \'fc") == "≤α✓"


def test_headings_are_found_by_style_level_and_name() -> None:
    styles = r"{\stylesheet{\s1\outlinelevel1 Own;}{\s2\b heading 3;}{\s3 Normal;}}"
    body = r"\pard\s1 Two\par\pard\s2 Three\par\pard\outlinelevel0 One\par\pard\s3 Text\par"
    assert text_of(styles + body) == "## Two\n\n### Three\n\n# One\n\nText"


def test_items_have_the_numbers_in_the_file() -> None:
    body = (
        r"\pard{\listtext\pard\plain 1.\tab}Open\par{\listtext\pard\plain\ilvl1 a)\tab}"
        r"\pard\ilvl1 door\par\pard{\pntext\pard\'b7\tab}Bullet\par\pard Text\par"
    )
    assert text_of(body) == "1. Open\n  - a) door\n- Bullet\n\nText"


def test_each_cell_is_under_its_column() -> None:
    row = r"\trowd{}\pard\intbl {}\row".format
    body = (
        row(r"\cellx1000\cellx2000\cellx3000", r"Region\cell 2025\cell 2026\cell")
        + row(r"\clvmgf\cellx1000\cellx3005", r"North\cell both | years\cell")
        + row(r"\clvmrg\cellx1005\cellx2000\cellx3000", r"\cell 1\par 2\cell 3\cell")
        + r"\pard After\par"
    )
    assert text_of(body).split("\n") == [
        "| Region | 2025 | 2026 |",
        "| --- | --- | --- |",
        r"| North | both \| years |  |",
        "| North | 1 2 | 3 |",
        "",
        "After",
    ]


def test_notes_comments_and_boxes_have_their_places() -> None:
    body = (
        r"Rates{\super\chftn{\footnote\pard{\super\chftn} From May.}} apply"
        r"{\super\chftn{\footnote\ftnalt Annex.}}"
        r"{\*\atnid M}{\*\atnauthor Maria}\chatn{\*\annotation Check.}."
        r"{\shp{\*\shpinst{\sp{\sn wzDescription}{\sv A crane}}{\shptxt In the box.\par}}"
        r"{\shprslt{\*\do In the box.}}}\par\page Next.\par"
    )
    assert text_of(body) == (
        "Rates[^1] apply[^i]. A crane\n\nComment (Maria): Check.\n\nIn the box.\n\n"
        "[^1]: From May.\n\n\fNext.\n\n[^i]: Annex."
    )


def test_headers_begin_and_footers_end_the_text_once() -> None:
    body = r"{\header Secret\par}{\headerf Secret\par}{\footer\chpgn 3\par}Body\par"
    assert text_of(body) == "Secret\n\nBody"


def test_links_keep_their_targets_and_codes_of_fields_are_no_text() -> None:
    body = (
        r'{\field{\*\fldinst HYPERLINK "https://harbor.example/a"}{\fldrslt the plan }}and '
        r"{\field{\*\fldinst PAGE}{\fldrslt 7}}"
    )
    assert text_of(body) == "[the plan](https://harbor.example/a) and 7"


def test_the_registry_reads_rtf_with_this_parser() -> None:
    data = rb"{\rtf1 Rates{\footnote From May.}\par}"
    assert parse(data, content_type="application/rtf") == "Rates[^1]\n\n[^1]: From May.\n"


def test_a_damaged_file_gives_the_text_that_is_left() -> None:
    assert parse_rtf(rb"{\rtf1 A}}}} b {\f9999 c \'zz \u56 d\bin99999 e\\"[:-1], name="a") == (
        "A b c zz 8"
    )


def test_a_deep_and_a_long_file_are_read_in_time_proportional_to_their_size() -> None:
    def read(times: int) -> None:
        row = rb"\trowd\cellx9\cellx99\pard\intbl a\cell b\cell\row "
        data = rb"{\rtf1" + row * times + b"{" * times + rb"x\'e9\par" * times + b"}" * times
        parse_rtf(data, name="a.rtf")

    assert_linear(read, 200)


def test_a_row_with_many_cells_does_not_widen_thousands_of_others() -> None:
    edges = "".join(rf"\cellx{edge}00" for edge in range(1, 250))
    cells = r"x\cell " * 249
    wide = rf"\trowd{edges}\pard\intbl {cells}\row"
    body = wide + r"\trowd\cellx99 \intbl y\cell\row " * 9000
    text = text_of(body)
    assert text.count("| y |\n") >= 8_999
    assert len(text) < 200_000
