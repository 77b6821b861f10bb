"""Workbooks and presentations in OpenDocument formats."""

from __future__ import annotations

import io
import zipfile

import pytest

from managed_sync.documents.parsing.registry import parse
from managed_sync.errors import ParsingError

_SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "table": "table",
        "text": "text",
        "draw": "drawing",
        "presentation": "presentation",
        "chart": "chart",
        "svg": "svg-compatible",
        "manifest": "manifest",
    }.items()
)
_SPACES += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def document(kind: str, body: str, **parts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        content = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        archive.writestr("content.xml", root(content))
        for name, text in parts.items():
            archive.writestr(name, root(text))
    return buffer.getvalue()


def root(content: str) -> str:
    return f"<office:document-content {_SPACES}>{content}</office:document-content>"


def cell(text: str, attributes: str = 'office:value-type="string"') -> str:
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def sheet(rows: str, name: str = "Budget") -> str:
    return f'<table:table table:name="{name}">{rows}</table:table>'


def row(cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{cells}</table:table-row>'


def test_a_workbook_shows_its_cells_as_they_were_shown() -> None:
    share = 'office:value-type="percentage" office:value="0.125"'
    link = '<text:a xlink:href="https://harbor.example/x">Rent</text:a>'
    comment = (
        "<table:table-cell><office:annotation><dc:creator>Eva</dc:creator><text:p>Check</text:p>"
        "</office:annotation><text:p>two<text:line-break/>lines</text:p></table:table-cell>"
    )
    rows = (
        row(cell("Item") + cell("Share"))
        + row(cell(link) + cell("12,5 %", share))
        + row(comment + '<table:table-cell office:value-type="float" office:value="7"/>')
        + row("<table:table-cell table:number-columns-repeated='16384'/>", 1_000_000)
        + row(cell("Far"))
    )
    assert parse(document("spreadsheet", sheet(rows)), filename="a.ods") == (
        "# Budget\n\n| Item | Share |\n| --- | --- |\n"
        "| [Rent](https://harbor.example/x) | 12,5 % |\n| two lines | 7 |\n\n"
        "Comment (Eva): Check\n\nFar\n"
    )


def test_repeated_cells_are_repeated_unless_they_fill_a_whole_row() -> None:
    rows = row(
        cell("x", 'office:value-type="string" table:number-columns-repeated="3"')
        + cell("y", 'office:value-type="string" table:number-columns-repeated="16381"'),
        2,
    )
    text = parse(document("spreadsheet", sheet(rows)), filename="a.ods")
    assert text == "# Budget\n\n| x | x | x | y |\n| --- | --- | --- | --- |\n| x | x | x | y |\n"


def test_merged_cells_and_text_boxes() -> None:
    rows = row(
        cell("wide", 'office:value-type="string" table:number-columns-spanned="2"')
        + "<table:covered-table-cell><text:p>unseen</text:p></table:covered-table-cell>"
        + cell("end")
    ) + row(cell("a") + cell("b") + cell("c"))
    box = (
        "<table:shapes><draw:frame><draw:text-box><text:p>Read   this</text:p></draw:text-box>"
        "<svg:desc>A green box</svg:desc></draw:frame></table:shapes>"
    )
    assert parse(document("spreadsheet", sheet(box + rows)), filename="a.ods") == (
        "# Budget\n\n| wide |  | end |\n| --- | --- | --- |\n| a | b | c |\n\n"
        "A green box\n\nRead this\n"
    )


def frame(text: str, attributes: str = "") -> str:
    return f"<draw:frame {attributes}><draw:text-box>{text}</draw:text-box></draw:frame>"


def test_a_presentation_has_a_page_and_a_heading_for_each_slide() -> None:
    items = (
        "<text:list><text:list-item><text:p>Grow</text:p><text:list><text:list-item>"
        "<text:p>Hire</text:p></text:list-item></text:list></text:list-item></text:list>"
    )
    chart = (
        "<office:body><office:chart><chart:chart><chart:title><text:p>Sales</text:p></chart:title>"
        f"{sheet(row(cell('') + cell('Units')) + row(cell('Q1') + cell('5')))}"
        "</chart:chart></office:chart></office:body>"
    )
    first = (
        frame(items, 'presentation:class="outline"')
        + frame("<text:p>Goals</text:p>", 'presentation:class="title"')
        + "<draw:g><draw:custom-shape><text:p>Inside</text:p></draw:custom-shape></draw:g>"
        + frame("<text:p>Click</text:p>", 'presentation:placeholder="true"')
        + "<presentation:notes>"
        + frame("<text:p>Mention it.</text:p>", 'presentation:class="notes"')
        + frame("<text:p>17</text:p>", 'presentation:class="page-number"')
        + "</presentation:notes>"
        + "<office:annotation><dc:creator>Eva</dc:creator><text:p>Check</text:p>"
        + "</office:annotation>"
    )
    second = (
        '<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>'
        '<o:annotation xmlns:o="http://openoffice.org/2009/office"><text:p>Sum?</text:p>'
        "</o:annotation>"
    )
    body = (
        '<presentation:footer-decl presentation:name="f">Harbor AG</presentation:footer-decl>'
        f"<draw:page>{first}</draw:page><draw:page>{second}</draw:page>"
    )
    data = document("presentation", body, **{"Object 1/content.xml": chart})
    assert parse(data, filename="a.odp") == (
        "# Goals\n\n- Grow\n  - Hire\n\nInside\n\nNotes: Mention it.\n\nComment (Eva): Check\n\n"
        "Harbor AG\n\n\fSales\n\n|  | Units |\n| --- | --- |\n| Q1 | 5 |\n\nComment: Sum?\n"
    )


@pytest.mark.parametrize(("kind", "name"), [("spreadsheet", "a.ods"), ("presentation", "a.odp")])
def test_a_protected_file_says_so(kind: str, name: str) -> None:
    manifest = {"META-INF/manifest.xml": "<manifest:encryption-data/>"}
    with pytest.raises(ParsingError, match=rf"{name} is protected with a password"):
        parse(document(kind, "<text:p>x</text:p>", **manifest), filename=name)


def test_a_workbook_and_a_presentation_may_be_single_xml_files() -> None:
    def flat(kind: str, body: str) -> bytes:
        text = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        media_type = f"application/vnd.oasis.opendocument.{kind}"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<office:document {_SPACES} office:mimetype="{media_type}">{text}</office:document>'
        ).encode()

    sheets = flat("spreadsheet", sheet(row(cell("Rent") + cell("1,200"))))
    slides = flat("presentation", f"<draw:page>{frame('<text:p>Hello</text:p>')}</draw:page>")

    assert "| Rent | 1,200 |" in parse(sheets, filename="budget.fods")
    assert "Hello" in parse(slides, filename="talk.fodp")
