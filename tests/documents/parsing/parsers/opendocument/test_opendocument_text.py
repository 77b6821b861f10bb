"""Every place where an OpenDocument text keeps text is read."""

from __future__ import annotations

import io
import zipfile

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.parsers.opendocument.text import parse_opendocument
from managed_sync.errors import ParsingError

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_NAMESPACES = " ".join(
    [
        *(
            f'xmlns:{prefix}="{_OASIS}{name}:1.0"'
            for prefix, name in {
                "office": "office",
                "text": "text",
                "table": "table",
                "style": "style",
                "draw": "drawing",
                "svg": "svg-compatible",
                "fo": "xsl-fo-compatible",
            }.items()
        ),
        'xmlns:xlink="http://www.w3.org/1999/xlink"',
        'xmlns:dc="http://purl.org/dc/elements/1.1/"',
        'xmlns:math="http://www.w3.org/1998/Math/MathML"',
    ]
)
ODT = "application/vnd.oasis.opendocument.text"


def content(body: str, automatic: str = "") -> str:
    return (
        f"<office:document-content {_NAMESPACES}><office:automatic-styles>{automatic}"
        f"</office:automatic-styles><office:body><office:text>{body}</office:text></office:body>"
        "</office:document-content>"
    )


def make_odt(body: str, automatic: str = "", styles: str = "", manifest: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", ODT)
        archive.writestr("content.xml", content(body, automatic))
        archive.writestr("META-INF/manifest.xml", manifest or "<m/>")
        archive.writestr(
            "styles.xml",
            f"<office:document-styles {_NAMESPACES}>{styles}</office:document-styles>",
        )
    return buffer.getvalue()


def text_of(body: str, **more: str) -> str:
    return parse_opendocument(make_odt(body, **more), name="a.odt")


def p(text: str, style: str = "") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def test_blanks_tabs_links_and_readings_are_text() -> None:
    body = p(
        'A<text:s text:c="2"/>b\n   c<text:tab/>d<text:line-break/>e '
        '<text:a xlink:href="https://harbor.example/x">the plan </text:a>on '
        "<text:ruby><text:ruby-base>漢字</text:ruby-base><text:ruby-text>かんじ</text:ruby-text>"
        "</text:ruby>"
    )
    assert text_of(body) == "A  b c\td\ne [the plan](https://harbor.example/x) on 漢字(かんじ)"


NUMBERS = (
    '<text:list-style style:name="L"><text:list-level-style-number text:level="1" '
    'style:num-format="1" style:num-suffix="."/><text:list-level-style-number text:level="2" '
    'style:num-format="a" style:num-suffix=")" text:display-levels="2"/></text:list-style>'
)


def items(*texts: str, more: str = "") -> str:
    inside = "".join(f"<text:list-item>{text}</text:list-item>" for text in texts)
    return f"<text:list {more}>{inside}</text:list>"


def test_lists_have_their_numbers_headers_and_levels() -> None:
    header = f"<text:list-header>{p('Steps:')}</text:list-header>"
    numbered = 'text:style-name="L"'
    body = (
        items(p("Open") + items(p("door"), p("lid")), p("Close"), more=numbered).replace(
            "<text:list-item>", f"{header}<text:list-item>", 1
        )
        + items(p("Go on"), more=f'{numbered} text:continue-numbering="true"')
        + items(p("Bullet"), more='text:style-name="X"')
    )
    assert [line for line in text_of(body, automatic=NUMBERS).split("\n") if line] == [
        "Steps:",
        "1. Open",
        "  - 1.a) door",
        "  - 1.b) lid",
        "2. Close",
        "3. Go on",
        "- Bullet",
    ]


def test_headings_have_levels_and_the_numbers_of_the_outline() -> None:
    outline = (
        '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>'
        '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/>'
        "</text:outline-style>"
    )
    heading = '<text:h text:outline-level="{}">{}</text:h>'.format
    body = heading(1, "Scope") + heading(2, "Terms") + heading(2, "Dates") + heading(1, "Law")
    assert text_of(body, styles=outline).split("\n\n") == [
        "# 1 Scope",
        "## 1.1 Terms",
        "## 1.2 Dates",
        "# 2 Law",
    ]


def test_frames_notes_and_comments_have_their_places() -> None:
    note = '<text:note text:note-class="{}"><text:note-citation>1</text:note-citation><text:note-body>{}</text:note-body></text:note>'.format  # noqa: E501
    body = (
        p(
            f"Rates{note('footnote', p('From May.'))} apply{note('endnote', p('Annex.'))}."
            f"<office:annotation><dc:creator>Maria</dc:creator>{p('Check.')}</office:annotation>"
            "<draw:frame><draw:text-box>" + p("In the box.") + "</draw:text-box>"
            "<svg:title>A crane</svg:title></draw:frame>"
        )
        + "<text:soft-page-break/>"
        + p("Next page.")
    )
    assert text_of(body) == (
        "Rates[^1] apply[^i].A crane\n\nComment (Maria): Check.\n\nIn the box.\n\n"
        "[^1]: From May.\n\n\fNext page.\n\n[^i]: Annex."
    )


def test_deleted_and_hidden_texts_are_no_text() -> None:
    automatic = (
        '<style:style style:name="H" style:family="text"><style:text-properties '
        'text:display="none"/></style:style>'
    )
    body = (
        f"<text:tracked-changes><text:changed-region><text:deletion>{p('gone')}</text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        + p('Ten <text:change text:change-id="c"/><text:change-start/>new<text:change-end/>')
        + p('<text:span text:style-name="H">hidden</text:span>shown')
        + f'<text:section text:display="none">{p("away")}</text:section>'
    )
    assert text_of(body, automatic=automatic) == "Ten new\n\nshown"


def test_merged_cells_and_lists_in_cells_are_under_their_columns() -> None:
    cell = "<table:table-cell {}>{}</table:table-cell>".format
    covered = "<table:covered-table-cell/>"
    row = "<table:table-row>{}</table:table-row>".format
    body = (
        "<table:table><table:table-column/><table:table-header-rows>"
        + row(
            cell("", p("Region")) + cell('table:number-columns-spanned="2"', p("Sales")) + covered
        )
        + "</table:table-header-rows>"
        + row(
            cell('table:number-rows-spanned="2"', p("North"))
            + cell("", items(p("1"), p("2")))
            + cell("", p("3"))
        )
        + row(covered + cell("", p("4")) + cell("", p("5")))
        + "</table:table>"
    )
    assert text_of(body).split("\n") == [
        "| Region | Sales |  |",
        "| --- | --- | --- |",
        "| North | 1 2 | 3 |",
        "| North | 4 | 5 |",
    ]


def test_a_cell_that_stands_for_several_is_repeated_within_bounds() -> None:
    def table(count: int) -> str:
        return (
            "<table:table><table:table-row>"
            f'<table:table-cell table:number-columns-repeated="{count}">{p("same")}'
            f"</table:table-cell><table:table-cell>{p('last')}</table:table-cell>"
            "</table:table-row></table:table>"
        )

    assert text_of(table(3)).startswith("| same | same | same | last |")
    assert text_of(table(1_000_000)).count("same") == 1


def test_headers_footers_and_page_breaks() -> None:
    styles = (
        f"<office:master-styles><style:master-page><style:header>{p('Secret')}</style:header>"
        f"<style:footer>{p('3')}</style:footer></style:master-page></office:master-styles>"
    )
    automatic = (
        '<style:style style:name="B" style:family="paragraph">'
        '<style:paragraph-properties fo:break-before="page"/></style:style>'
    )
    body = p("One") + p("Two", "B")
    assert text_of(body, automatic=automatic, styles=styles) == "Secret\n\nOne\n\n\fTwo"


def test_equations_are_linear_text() -> None:
    equation = (
        "<draw:frame><draw:object><math:math><math:semantics><math:mrow><math:mfrac><math:mrow>"
        "<math:mi>a</math:mi><math:mo>+</math:mo><math:mi>b</math:mi></math:mrow><math:mn>2</math:mn>"
        "</math:mfrac></math:mrow><math:annotation>{a+b} over 2</math:annotation></math:semantics>"
        "</math:math></draw:object></draw:frame>"
    )
    assert text_of(p("So " + equation)) == "So (a+b)/2"


def test_a_flat_file_is_read() -> None:
    flat = content(p("Flat.")).replace("document-content", "document")
    assert parse_opendocument(flat.encode(), name="a.fodt") == "Flat."


def test_the_registry_reads_texts_with_this_parser() -> None:
    assert parse(make_odt(items(p("One"))), content_type=ODT) == "- One\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_odt("", manifest="<m><encryption-data/></m>"), "protected with a password"),
        (make_odt("<text:section>" * 5000 + "</text:section>" * 5000), "nested too deeply"),
        (make_odt("<text:p>"), "not well formed"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(ParsingError, match=rf"^a\.odt .*{reason}"):
        parse_opendocument(data, name="a.odt")
