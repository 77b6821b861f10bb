from __future__ import annotations

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.parsers.web.html import parse_html
from tests.documents.growth import assert_ends, assert_linear


def blocks_of(page: str) -> list[str]:
    return [block for block in parse_html(page, name="a.html").split("\n\n") if block]


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        pytest.param(
            "<nav-bar><p>Custom</p></nav-bar><p>Lost?</p><nav>menu</nav><p>After</p>",
            ["Custom", "Lost?", "After"],
            id="a custom element is not navigation",
        ),
        pytest.param(
            "<style-guide>Guide</style-guide><p>Between</p><style>p{}</style><p>End</p>",
            ["Guide", "Between", "End"],
            id="a custom element is not a style",
        ),
        pytest.param(
            "<p>Use <code>&lt;template&gt;</code></p><pre>&lt;nav&gt;\n  x&lt;/nav&gt;</pre><p>z",
            ["Use `<template>`", "```\n<nav>\n  x</nav>\n```", "z"],
            id="tags in code are text",
        ),
        pytest.param(
            '<script>var a="<!-- ";</script><p>Seen</p><script>var b=" -->";</script><p>Too</p>',
            ["Seen", "Too"],
            id="a comment in a script is none",
        ),
        pytest.param(
            "<html><head><title>T</title><body><h1>Title</h1><p>Text</p>",
            ["# Title", "Text"],
            id="a head that is not closed",
        ),
        pytest.param(
            '<img alt="a > b" src="x"><a href="x" title="5 > 4">link</a> tail',
            ["a > b link tail"],
            id="attributes with >",
        ),
        pytest.param("<p>before</p><!-- open <p>x</p>", ["before"], id="a comment that is open"),
        pytest.param("<p>a</p><!--> <p>b</p><!-- x --!><p>c", ["a", "b", "c"], id="odd comments"),
        pytest.param(
            "<details><summary>Short</summary>Long</details>", ["Short", "Long"], id="details"
        ),
        pytest.param(
            "<dl><dt>Term<dd>Definition<dt>A<dt>B<dd><p>One</p><p>Two</p></dl>",
            ["Term\nDefinition", "A", "B", "One", "Two"],
            id="terms",
        ),
        pytest.param(
            "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", ["漢(kan)字"], id="ruby"
        ),
        pytest.param(
            "<pre class='language-py'><code>def f():\n    return 1\n</code></pre>",
            ["```py\ndef f():\n    return 1\n```"],
            id="code keeps its lines and its language",
        ),
        pytest.param("<pre><div>a</div><div>b</div>c<br>d", ["```\na\nb\nc\nd\n```"], id="lines"),
        pytest.param(
            "<pre><span><table><tr><td>a<td>b</table></span></pre>",
            ["| a | b |\n| --- | --- |"],
            id="a table within code",
        ),
        pytest.param("<p># 1 of 3<br>```<p>~~~", ["\\# 1 of 3\n\\```", "\\~~~"], id="escaped text"),
        pytest.param(
            '<div role="heading" aria-level="3">Role</div><h1>A<br>B</h1><h2></h2>',
            ["### Role", "# A B"],
            id="headings",
        ),
        pytest.param(
            f"<h2>Title<p>{'word ' * 100}</p><ul><li>x",
            ["## Title", ("word " * 100).strip(), "- x"],
            id="a heading that is not closed",
        ),
        pytest.param(
            '<ol start="3"><li>three<ul><li>a<li>b</ul><li><p>four</p><p>more</p></ol>',
            ["3. three\n  - a\n  - b\n4. four", "more"],
            id="lists",
        ),
        pytest.param("<ul><li>a<ul><li>b</ul></ul><ul><ul><li>c", ["- a\n  - b\n  - c"], id="deep"),
        pytest.param(
            "<blockquote><p>one</p><blockquote># two</blockquote></blockquote>",
            ["> one", "> > \\# two"],
            id="quotations",
        ),
        pytest.param(
            '<p>See <a href="https://a.example/b?c=(d)">the <b>plan</b></a>, <a href="#x">above</a>'
            ' and <a href="javascript:x()">this</a>.',
            ["See [the plan](https://a.example/b?c=%28d%29), above and this."],
            id="links",
        ),
        pytest.param(
            '<base href="https://a.example/docs/"><p><a href="b.html">b</a></p>',
            ["[b](https://a.example/docs/b.html)"],
            id="links from a base",
        ),
        pytest.param(
            '<h2><a href="https://a.example">Title</a></h2>', ["## Title"], id="a linked heading"
        ),
        pytest.param(
            '<a href="https://a.example"><h3>Title</h3><p>Text</p></a>',
            ["### Title", "Text"],
            id="a link around blocks",
        ),
        pytest.param(
            "<p>a   b\n c&nbsp;d<span>e</span><span style='white-space:pre-wrap'> f </span><b>g</b>"
            "<wbr>h&shy;i<br>j",
            ["a b c de f ghi\nj"],
            id="blanks",
        ),
        pytest.param(
            '<p>a<span style="display: block">b</span>c<!-- d --><?x?>e', ["a\nb\nce"], id="styles"
        ),
        pytest.param(
            "<p class=MsoNormal>a<o:p></o:p></p><!--[if mso]><p>b<![endif]--><![if !mso]><p>c"
            "<![endif]>",
            ["a", "c"],
            id="conditional comments",
        ),
        pytest.param(
            "<p>Pick <select><option>one<option>two</select><button>Go</button>"
            '<input value="typed"><input type=hidden value=token>',
            ["Pick one two Go typed"],
            id="forms",
        ),
        pytest.param(
            "<p>E <math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mi>a</mi><mi>b</mi>"
            "</mfrac></math></p><p><math><semantics><mi>q</mi>"
            '<annotation encoding="application/x-tex">q_1</annotation></semantics></math>',
            ["E x^2=a/b", "$q_1$"],
            id="formulas",
        ),
        pytest.param(
            "<p>before <svg><title>t</title><style>s</style><text>Label</text></svg> after",
            ["before Label after"],
            id="drawings",
        ),
    ],
)
def test_a_page_reads_as_a_browser_shows_it(page: str, blocks: list[str]) -> None:
    assert blocks_of(page) == blocks


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        (
            '<p style="color:red; display : none">a<p hidden>b<p style="visibility:hidden">c'
            '<noscript>d</noscript><iframe>e</iframe><template>f</template><p aria-hidden="true">g'
            '<p hidden="until-found">h<dialog>i</dialog><dialog open>j</dialog><p>k',
            ["g", "h", "j", "k"],
        ),
        # A page of hidden parts only shows them with a script.
        ('<div style="display:none"><p>All</p><script>x()</script></div>', ["All"]),
        ("<noscript><p>Without scripts</p></noscript>", ["Without scripts"]),
    ],
)
def test_hidden_elements_are_left_out_unless_nothing_else_is_there(
    page: str, blocks: list[str]
) -> None:
    assert blocks_of(page) == blocks


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        pytest.param(
            "<header><a>Logo</a></header><h1>Title</h1><main><h2>Part</h2><nav>toc</nav>"
            "<aside>Hint</aside></main><div>More</div><aside>Side</aside><footer>(c)</footer>",
            ["# Title", "## Part", "Hint", "More"],
            id="beside main",
        ),
        pytest.param(
            "<main><p>One</p></main><div>Between</div><main hidden><p>Two</p></main>",
            ["One", "Between"],
            id="a second main that is hidden",
        ),
        pytest.param(
            '<div role="navigation">menu</div><div role="main">Text</div><div role="banner">ad',
            ["Text"],
            id="roles",
        ),
        pytest.param(
            "<article>Text<aside>Note</aside></article><aside>Related</aside><footer>Contact",
            ["Text", "Note", "Contact"],
            id="beside an article",
        ),
        pytest.param("<aside>Side</aside><p>Text", ["Side", "Text"], id="without a main part"),
        pytest.param(
            "<header><h1>Title</h1></header><main>Text</main>",
            ["# Title", "Text"],
            id="the only title is in the header",
        ),
        pytest.param(
            "<nav><ul><li>menu</ul><p>Text</p><h1>Title</h1>",
            ["- menu", "Text", "# Title"],
            id="navigation that is not closed",
        ),
    ],
)
def test_navigation_and_what_stands_beside_the_content_is_left_out(
    page: str, blocks: list[str]
) -> None:
    assert blocks_of(page) == blocks


def test_cells_over_several_rows_and_columns_keep_the_others_in_their_columns() -> None:
    page = (
        "<table><caption>Costs</caption><thead><tr><th rowspan=2>Site<th colspan=2>Year</tr>"
        "<tr><th>2025<th>2026</tr></thead><tr><td rowspan=2>Oslo<td>1<td>2</tr>"
        "<tr><td>3<td>4 <ul><li>x<li>y</ul></tr><tr><td colspan=2>Sum<td>9</tr></table>"
    )
    assert blocks_of(page) == [
        "Costs",
        "| Site | Year |  |\n"
        "| --- | --- | --- |\n"
        "| Site | 2025 | 2026 |\n"
        "| Oslo | 1 | 2 |\n"
        "| Oslo | 3 | 4 x y |\n"
        "| Sum |  | 9 |",
    ]


def test_a_cell_that_reaches_below_a_shorter_row_stays_in_its_column() -> None:
    page = "<table><tr><th>a<th>b<th>c<tr><td>1<td>2<td rowspan=2>3<tr><td>4</table>"
    assert blocks_of(page)[0].splitlines()[-1] == "| 4 |  | 3 |"


def test_spans_of_any_size_cost_no_more_than_the_cells() -> None:
    page = "<table>" + "<tr><td colspan=1000 rowspan=65534>x<td>y" * 500 + "</table>"
    assert len(parse_html(page, name="a.html")) < 100_000


@pytest.mark.parametrize(
    "page",
    [
        "<table><tr><td><h2>Part</h2><p>Text</p><table><tr><td>1<td>2</table></table>",
        '<table role="presentation"><tr><td><h2>Part</h2><td><p>Text</p></table>'
        "<table><tr><td>1<td>2</table>",
    ],
)
def test_a_table_that_only_arranges_a_page_is_no_table(page: str) -> None:
    assert blocks_of(page) == ["## Part", "Text", "| 1 | 2 |\n| --- | --- |"]


def test_short_headings_in_the_cells_of_several_rows_are_a_table() -> None:
    page = "<table><tr><td><h1>Pier</h1><td><h1>Time</h1><tr><td>Four<td>9:00</table>"
    assert blocks_of(page) == ["| Pier | Time |\n| --- | --- |\n| Four | 9:00 |"]


def test_a_page_nested_deeper_than_any_browser_allows_keeps_its_text() -> None:
    page = "<div>" * 20_000 + "Deep <p>down" + "</div>" * 20_000 + "<p>After"
    assert blocks_of(page) == ["Deep\ndown", "After"]


@pytest.mark.parametrize(
    "unit",
    [
        *("<!-- ", "<nav ", "<main>", "<a ", "<script>x", "<svg></svg><p>x</p>", "<head>"),
        *("<svg/><p>x</p>", "<img ", "<table><tr><td>x", "<table>x<b>", "<b><p>", "<ul><li>x"),
        *("<a href=https://a.example>x<div>", "<nav><p>x", "<header><h1>x", "<h1>x<p>", "<dl><dt>"),
        *("<pre>x<div>", "<select><option>x", "<math><msup>x", "<svg><text>x", "&amp", "<q>"),
        *("<td rowspan=9 colspan=9>x", "<blockquote>x", "<article><aside>x", "<span> "),
    ],
)
def test_the_time_grows_with_the_size_of_hostile_pages(unit: str) -> None:
    assert_linear(lambda times: parse_html(unit * times, name="a.html"), 200)
    assert_ends(lambda: parse_html(unit * (64_000 // len(unit)), name="a.html"))


@pytest.mark.parametrize(
    "start", ["<?xml version='1.0'?><html>", '<html xmlns="http://www.w3.org/1999/xhtml">']
)
def test_elements_of_xhtml_may_end_in_their_first_tag(start: str) -> None:
    page = (
        f'{start}<head><title/><script src="x.js"/></head><body><p>One<a id="a > b"/><br/>'
        '<textarea rows="2"/><b class="x"/>two</p><iframe/><p>Three</p></body></html>'
    )
    assert parse_html(page, name="a.xhtml") == "One\n\ntwo\n\nThree"


def test_a_page_without_text_is_empty() -> None:
    assert parse_html("<!-- x -->", name="a.html") == ""
    assert parse("<p>Größe</p>".encode(), content_type="text/html") == "Größe\n"


def test_the_storage_format_of_confluence_is_read() -> None:
    page = (
        "<h1>Plan</h1><p>See <ac:link><ri:page ri:content-title='Next'/><ac:plain-text-link-body>"
        "<![CDATA[the <next> plan]]></ac:plain-text-link-body></ac:link> for more.</p>"
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">sql</ac:parameter>'
        '<ac:parameter ac:name="title">Query</ac:parameter><ac:plain-text-body>'
        "<![CDATA[SELECT a\n  FROM b WHERE a < 1 && <i>;]]></ac:plain-text-body>"
        "</ac:structured-macro><p>End.</p>"
    )

    assert parse_html(page, name="a.html") == (
        "# Plan\n\nSee the <next> plan for more.\n\nQuery\n\n"
        "```\nSELECT a\n  FROM b WHERE a < 1 && <i>;\n```\n\nEnd."
    )


def test_text_that_xml_marks_as_free_of_tags_is_text_only_in_xml() -> None:
    page = "<p>One <![CDATA[two]]> three</p>"

    assert parse_html(f"<?xml version='1.0'?>{page}", name="a.xhtml") == "One two three"
    assert parse_html(page, name="a.html") == "One three"
    assert "One" in parse_html("<?xml version='1.0'?><p>One <![CDATA[two", name="a.xhtml")


def test_a_page_for_browsers_without_frames_has_no_tags_in_its_text() -> None:
    inside = "<noframes><body><p>See <b>the plan</b>.</p></body></noframes>"
    page = f"<html><frameset><frame src=a>{inside}</frameset></html>"

    assert parse_html(page, name="a.html") == "See the plan."
    assert parse_html(f"<p>Seen</p>{inside}", name="a.html") == "Seen"


def test_a_div_that_is_shown_inline_does_not_break_its_sentence() -> None:
    page = '<p>One <div style="color: red; display: inline">two</div> three'
    assert blocks_of(page) == ["One", "two three"]
    assert blocks_of("One <div style='display:inline'>two</div> three") == ["One two three"]


def test_a_page_within_a_frame_is_read_where_it_stands() -> None:
    page = (
        '<p>One</p><iframe srcdoc="<h2>Two</h2><p>a &amp;lt; b">old <b>x</b></iframe><p>Three</p>'
    )

    assert parse_html(page, name="a.html") == "One\n\n## Two\n\na < b\n\nThree"
    assert parse_html('<p>A <iframe srcdoc="b"></iframe> c</p>', name="a.html") == "A\n\nb\n\nc"
    assert parse_html("<p>A</p><iframe hidden srcdoc=b></iframe>", name="a.html") == "A"
