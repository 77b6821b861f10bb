from __future__ import annotations

import sys

import pytest

from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from tests.documents.growth import assert_ends, assert_linear


def read(text: str) -> str:
    return parse_markdown(text, name="a.md")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param("A\n===\n\nB\n---\nc", "# A\n\n## B\nc", id="underlined headings"),
        pytest.param("one\ntwo\n---\n", "## one two", id="an underlined heading of two lines"),
        pytest.param("- item\n---\n\n> q\n---", "- item\n---\n\n> q\n---", id="rules below others"),
        pytest.param("# A ##\n## B {#id .x}\n#c", "# A\n## B\n#c", id="ends of headings"),
        pytest.param(
            "# `a` [b](https://c.example) #1", "# `a` [b](https://c.example) #1", id="raw"
        ),
        pytest.param("a\r\rb\r\nc", "a\n\nb\nc", id="line ends"),
        pytest.param("# A\n\ftext", "# A\n\ntext", id="form feeds"),
        pytest.param("---\na: 1\n# note\n...\n# B", "a: 1\n\\# note\n\n# B", id="YAML"),
        pytest.param('+++\ntitle = "x"\n+++\n# B', 'title = "x"\n\n# B', id="TOML"),
        pytest.param("---\n\nText: a.\n\n---\n\nB", "---\n\nText: a.\n\n---\n\nB", id="a rule"),
        pytest.param("---\na: 1\n\n# B", "---\na: 1\n\n# B", id="front matter without an end"),
        pytest.param(
            "Use `<!--` to open.\n\n# Kept\n\nUse `-->` to close.",
            "Use `<!--` to open.\n\n# Kept\n\nUse `-->` to close.",
            id="comment marks in code spans",
        ),
        pytest.param(
            "a <!-- b --> c ``<!-- ` -->`` <!-- d\ne --> f", "a  c ``<!-- ` -->``  f", id="comments"
        ),
        pytest.param("\\`<!-- a -->` b", "\\`` b", id="a comment after an escaped backtick"),
        pytest.param("<!-- a\n\n# b\n-->c\n\nd", "c\n\nd", id="a comment over blank lines"),
        pytest.param("<!-- a --> b <!-- c -->d", "b d", id="comments in a line"),
        pytest.param("# A\n\na <!-- b\n\n# C", "# A\n\na <!-- b\n\n# C", id="no end of a comment"),
        pytest.param("<!-- a\n\n# C", "<!-- a\n\n# C", id="no end of a comment block"),
        pytest.param(
            "```py\n# a <!-- b -->\n```\n# B", "```py\n# a <!-- b -->\n```\n# B", id="a fence"
        ),
        pytest.param("~~~~\n~~~\n# a\n~~~~\n# B", "~~~~\n~~~\n# a\n~~~~\n# B", id="tildes"),
        pytest.param("~~a~~ b\n\n# B", "~~a~~ b\n\n# B", id="struck text"),
        pytest.param(
            "```a``` code\n\n# B\n\n``` x ``` y\n",
            "\\```a``` code\n\n# B\n\n\\``` x ``` y",
            id="backticks in a line are no fence",
        ),
        pytest.param("# A\n\n```\ncode\n\n# b", "# A\n\n```\ncode\n\n# b", id="no end of a fence"),
        pytest.param(
            "- ```sh\n  # a\n  ```\n\n# B",
            "-\n  ```sh\n  # a\n  ```\n\n# B",
            id="a fence in a list",
        ),
        pytest.param("a\n\n    # code\n\tb", "a\n\n    # code\n\tb", id="indented code"),
        pytest.param("$$\n# a\n$$\n\n# B", "$$\n\\# a\n$$\n\n# B", id="a formula"),
        pytest.param(
            "a | b\n--- | :-:\n1 | `x` \\| y\n\nc",
            "| a | b |\n| --- | :-: |\n| 1 | `x` \\| y |\n\nc",
            id="a table without borders",
        ),
        pytest.param("| a |\n|---|\n| 1 |", "| a |\n|---|\n| 1 |", id="a table with borders"),
        pytest.param("a || b\n---\nc", "## a || b\nc", id="no table"),
    ],
)
def test_markdown_keeps_its_text_in_the_form_that_the_chunker_reads(source: str, text: str) -> None:
    assert read(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<pre>\n# in pre\n\n</pre>\n\n# B", "```\n# in pre\n```\n\n# B"),
        ("<h2>Title</h2>\n\ntext", "## Title\n\ntext"),
        (
            '<h1 align="center">\n  <img src="x" alt="Logo">\n  Name\n</h1>\n\ntext',
            "# Logo Name\n\ntext",
        ),
        (
            "<details><summary>S</summary>\n\n# Inside\n\n</details>\nAfter",
            "S\n\n# Inside\n\nAfter",
        ),
        (
            "<table>\n<tr><th>a<th>b\n\n<tr><td>1<td>2\n</table>\n\nc",
            "| a | b |\n| --- | --- |\n| 1 | 2 |\n\nc",
        ),
        ("<style>\n# a\n</style>\n<script>\nb\n\nc</script>\n\nd", "d"),
        ("a <b>c</b> <https://a.example>\n", "a <b>c</b> <https://a.example>"),
        ("<https://a.example>\n\n<name>\n", "<https://a.example>\n\n<name>"),
        ("<br>\n\ntext", "text"),
        ("<pre>\nno end\n\ntext", "<pre>\nno end\n\ntext"),
    ],
)
def test_html_in_markdown_is_read_as_html(source: str, text: str) -> None:
    assert read(source) == text


def test_without_an_html_parser_html_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lxml", None)
    assert read("<pre>\n# a\n</pre>") == "<pre>\n\\# a\n</pre>"


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "<!-- ",
            "<!-- -->",
            "<!--\n",
            "<!--\n-->a\n",
            "`<!-- ",
            "`` ` ",
            "`",
            "```a`\n",
            "- ```\n",
        ),
        *("<br>\n\n", "<pre>\n", "<table>\n", "<div>x\n", "a|b\n", "a|b\n-|-\n", "$$\nx\n", "-\n"),
        *("# a   {#x} ", "a\n \t", "---\na\n", "a b\n=\n"),
    ],
)
def test_the_time_grows_with_the_size_of_hostile_markdown(unit: str) -> None:
    assert_linear(lambda times: read(unit * times), 200)
    assert_ends(lambda: read(unit * (64_000 // len(unit))))


def test_a_long_paragraph_above_dashes_is_no_heading() -> None:
    text = "a\n" * 20_000 + "-\n" * 20_000
    assert read(text) == text.rstrip()
