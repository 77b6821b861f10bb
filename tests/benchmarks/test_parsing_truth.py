"""Tests the truths about files: each part is seen, and losing it lowers the figure of that part."""

from __future__ import annotations

import io
import shutil
import zipfile
from base64 import b64encode
from email.message import EmailMessage
from pathlib import Path

import pytest

from benchmarks.parsing.corpus.measures import measure
from benchmarks.parsing.truth.model import DamagedFileError, Truth
from benchmarks.parsing.truth.pdf_tables import add_tables
from benchmarks.parsing.truth.reading import read_truth

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_M = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _archive(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _joined(truth: Truth, part: str) -> str:
    return "".join(text for text in truth.parts[part] if isinstance(text, str))


def _relations(**targets: str) -> str:
    lines = "".join(
        f'<Relationship Id="r{kind}" Type="{_RELATION}/{kind}" Target="{target}"/>'
        for kind, target in targets.items()
    )
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f"{lines}</Relationships>"
    )


def _word(body: str, **others: str) -> bytes:
    """A Word file; other members are named by the kind of their relation."""
    spaces = f'xmlns:w="{_W}" xmlns:m="{_M}" xmlns:mc="urn:mc" xmlns:wp="urn:wp"'
    members = {
        "_rels/.rels": _relations(officeDocument="word/document.xml"),
        "word/document.xml": f"<w:document {spaces}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": _relations(**{kind: f"{kind}.xml" for kind in others}),
    }
    for kind, content in others.items():
        members[f"word/{kind}.xml"] = f"<w:{kind} {spaces}>{content}</w:{kind}>"
    return _archive(members)


def _p(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}{_r(text)}</w:p>"


def _r(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def _parts(truth: Truth) -> dict[str, str]:
    return {part: " ".join(map(str, texts)) for part, texts in truth.parts.items()}


def test_each_text_of_a_word_file_belongs_to_its_part() -> None:
    box = f"<w:txbxContent>{_p('boxed')}</w:txbxContent>"
    body = (
        f"<w:p>{_r('plain')}<w:ins>{_r(' inserted ')}</w:ins>"
        f"<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        f"<m:oMath><m:r><m:t>sum</m:t></m:r><m:r><m:t>n=1</m:t></m:r></m:oMath></w:p>"
        f"<w:sdt><w:sdtContent>{_p('controlled')}</w:sdtContent></w:sdt>"
        f"<w:p><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>invisible</w:t></w:r></w:p>"
        f"<w:tbl><w:tr><w:tc>{_p('celled')}</w:tc><w:tc>{_p('also')}</w:tc></w:tr></w:tbl>"
    )
    separator = f'<w:footnote w:type="separator">{_p("line")}</w:footnote>'
    file = _word(
        body,
        footnotes=f"{separator}<w:footnote>{_p('noted')}</w:footnote>",
        endnotes=f"<w:endnote>{_p('ended')}</w:endnote>",
        comments=f"<w:comment>{_p('commented')}</w:comment>",
        header=_p("headed"),
        footer=_p("footed"),
    )
    assert _parts(read_truth(file, "docx")) == {
        "body": "plain",
        "insertions": " inserted ",
        "equations": "sumn=1",
        "content controls": "controlled",
        "text boxes": "boxed",
        "hidden text": "invisible",
        "tables": "celled also",
        "footnotes": "noted",
        "endnotes": "ended",
        "comments": "commented",
        "headers and footers": "headed footed",
    }


def test_a_lost_part_of_a_word_file_lowers_its_own_figure_only() -> None:
    truth = read_truth(
        _word(_p("the long road to Oslo"), footnotes=f"<w:footnote>{_p('the ferry')}</w:footnote>"),
        "docx",
    )
    parts = measure("the long road to Oslo", truth).parts
    assert (parts["body"].value, parts["footnotes"].value) == (1.0, 0.0)
    assert measure("the long road to Oslo [^1]: the ferry", truth).parts["footnotes"].value == 1.0


def test_an_equation_is_kept_in_any_form_with_its_letters_in_order() -> None:
    formula = "<m:r><m:t>a</m:t></m:r><m:r><m:t>\u03b1+12</m:t></m:r>"
    truth = read_truth(_word(f"<w:p><m:oMath>{formula}</m:oMath></w:p>{_p('text')}"), "docx")
    shares = [
        measure(text, truth).parts["equations"].value
        for text in (r"text $\frac{a}{\alpha + 12}$", "text a_(\u03b1+12)", "text 12 a")
    ]
    assert shares == [1.0, 1.0, 0.0]


def test_numbers_of_pages_are_no_text() -> None:
    field = "".join(
        f"<w:r>{content}</w:r>"
        for content in (
            '<w:fldChar w:fldCharType="begin"/>',
            "<w:instrText> PAGE </w:instrText>",
            '<w:fldChar w:fldCharType="separate"/>',
            "<w:t>7</w:t>",
            '<w:fldChar w:fldCharType="end"/>',
            "<w:t>of nine</w:t>",
        )
    )
    footer = (
        f'<w:p>{field}</w:p><w:p><w:fldSimple w:instr=" NUMPAGES ">{_r("8")}</w:fldSimple></w:p>'
    )
    assert (
        _parts(read_truth(_word(_p("text"), footer=footer), "docx"))["headers and footers"]
        == "of nine"
    )


def test_rows_of_a_word_table_are_right_only_with_each_cell_in_its_column() -> None:
    wide = '<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>'
    start, below = (f"<w:tcPr><w:vMerge{value}/></w:tcPr>" for value in (' w:val="restart"', ""))
    rows = (
        f"<w:tr><w:tc>{wide}{_p('Both')}</w:tc><w:tc>{start}{_p('Tall')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{_p('a')}</w:tc><w:tc>{_p('b')}</w:tc><w:tc>{below}{_p('')}</w:tc></w:tr>"
    )
    truth = read_truth(_word(f"<w:tbl>{rows}</w:tbl>"), "docx")
    right = "| Both |  | Tall |\n| --- | --- | --- |\n| a | b |  |"
    repeated = "| Both | Both | Tall |\n| a | b | Tall |"
    moved = "| Both | Tall |  |\n| a | b |  |"
    assert [measure(text, truth).rows.kept for text in (right, repeated, moved)] == [2, 2, 1]


def test_headings_of_a_word_file_are_paragraphs_with_such_a_style() -> None:
    styles = '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    truth = read_truth(_word(_p("Plan", "berschrift1") + _p("text"), styles=styles), "docx")
    assert truth.headings == ["Plan"]
    kept, lost = measure("# Plan\n\ntext", truth), measure("Plan\n\n# text", truth)
    assert (kept.headings_found.value, kept.headings_right.value) == (1.0, 1.0)
    assert (lost.headings_found.value, lost.headings_right.value) == (0.0, 0.0)


def test_damaged_and_protected_files_are_told_apart() -> None:
    for data in (b"PK\x03\x04 cut", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 encrypted", _archive({})):
        with pytest.raises(DamagedFileError):
            read_truth(data, "docx")


def _mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Jörg Müller <jm@harbor.example>"
    mail["Subject"] = "Fähre"
    mail.set_content("See the page.")
    mail.add_alternative("<p>The ferry leaves at nine from pier four today</p>", subtype="html")
    return mail


def test_a_plain_part_that_only_points_to_the_page_is_not_the_text() -> None:
    mail = _mail()
    mail.add_attachment("rope 12 m", filename="order.txt")
    note = _word(_p("in the file"))
    mail.add_attachment(note, maintype="application", subtype="x", filename="note.docx")
    inner = EmailMessage()
    inner["Subject"] = "Old"
    inner.set_content("forwarded text")
    mail.add_attachment(inner)
    truth = read_truth(mail.as_bytes(), "eml")
    parts = _parts(truth)
    assert parts["subject and addresses"] == "Fähre Jörg Müller jm@harbor.example"
    assert "plain" not in parts
    assert "pier four" in parts["html"]
    assert parts["attachments"].split() == ["rope", "12", "m", "in", "the", "file"]
    assert parts["names of attachments"] == "order.txt note.docx"
    assert parts["forwarded messages"].split() == ["Old", "forwarded", "text"]
    shares = measure("Fähre Jörg Müller jm@harbor.example\nSee the page.", truth).parts
    assert shares["subject and addresses"].value == 1.0
    assert (shares["html"].value or 0) < 0.3
    assert shares["forwarded messages"].value == 0.0


def test_a_plain_part_with_the_same_text_is_enough() -> None:
    mail = _mail()
    plain = mail.get_body(("plain",))
    assert plain is not None
    plain.set_content("The ferry leaves at nine from pier four today\n")
    assert set(read_truth(mail.as_bytes(), "eml").parts) == {"plain", "subject and addresses"}


def test_each_alternative_with_the_whole_text_is_right() -> None:
    mail = _mail()
    plain = mail.get_body(("plain",))
    assert plain is not None
    plain.set_content("The ferry leaves at nine from pier four today a.example\n")
    truth = read_truth(mail.as_bytes(), "eml")
    page = "The ferry leaves at nine from pier four today"
    assert measure(page, truth).parts["plain"].value == 1.0
    assert (measure("The ferry leaves", truth).parts["plain"].value or 0) < 0.5


def test_headers_may_have_bytes_of_an_old_encoding() -> None:
    truth = read_truth("Subject: Die Frösche\nFrom: a@b.example\n\nx".encode("cp1252"), "eml")
    assert _parts(truth)["subject and addresses"] == "Die Frösche a@b.example"


def test_a_forwarded_message_may_be_encoded() -> None:
    inner = b64encode(b"Subject: Old\n\nforwarded text\n").decode()
    mail = (
        "Subject: New\nContent-Type: multipart/mixed; boundary=x\n\n--x\n"
        "Content-Type: message/rfc822\n"
        f"Content-Transfer-Encoding: base64\n\n{inner}\n--x--\n"
    )
    parts = _parts(read_truth(mail.encode(), "eml"))
    assert parts["forwarded messages"].split() == ["Old", "forwarded", "text"]


def test_a_web_page_has_its_main_part_and_what_is_around_it() -> None:
    page = (
        "<body><nav>menu</nav><aside>advert</aside><main><h2>Piers</h2>one<b>word</b>"
        "<custom-tag> inside</custom-tag><p hidden>secret</p><script>code</script>"
        "<table><tr><td rowspan=2>Tall<td>a<tr><td>b</table></main></body>"
    )
    truth = read_truth(page.encode(), "html")
    parts = _parts(truth)
    assert parts["text"].split() == ["Piers", "oneword", "inside", "Tall", "a", "b"]
    assert parts["hidden text"] == "secret"
    assert parts["around the main part"].split() == ["advert"]
    assert truth.headings == ["Piers"]
    assert measure("| Tall | a |\n| --- | --- |\n|  | b |", truth).rows.value == 1.0
    assert measure("| Tall | a |\n| --- | --- |\n| b |  |", truth).rows.value == 0.5


@pytest.mark.parametrize(
    ("declaration", "data"),
    [
        ('<meta charset="iso-8859-1">', "€".encode("cp1252") + b"<p>"),
        ("", "\ufeffü<p>".encode("utf-16")),
        ("", "ü<p>".encode()),
    ],
)
def test_a_web_page_is_decoded_as_browsers_do(declaration: str, data: bytes) -> None:
    truth = read_truth(declaration.encode() + b"<p>word " + data if declaration else data, "html")
    assert ("€" if declaration else "ü") in str(truth.parts["text"])


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler-utils")
def test_bookmarks_whose_title_is_on_their_page_are_headings() -> None:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.drawString(72, 700, "First pier")
    canvas.bookmarkPage("a")
    canvas.addOutlineEntry("First pier", "a")
    canvas.bookmarkPage("b")
    canvas.addOutlineEntry("Nowhere", "b")
    canvas.textAnnotation("mind the gap", Rect=[72, 600, 90, 620])
    canvas.save()
    truth = read_truth(file.getvalue(), "pdf")
    assert truth.headings == ["First pier"]
    assert _parts(truth)["notes"] == "mind the gap"
    assert measure("# First pier\n\n# Else", truth).headings_right.value == 0.5
    with pytest.raises(DamagedFileError, match="pdftotext"):
        read_truth(b"%PDF-1.4 cut", "pdf")


def test_a_large_first_letter_belongs_to_its_paragraph_and_items_may_be_numbered() -> None:
    def run(text: str) -> str:
        return f"<w:r><w:t>{text}</w:t></w:r>"

    body = (
        f'<w:p><w:pPr><w:framePr w:dropCap="drop"/></w:pPr>{run("F")}</w:p><w:p>{run("erry")}</w:p>'
        f"<w:tbl><w:tr><w:tc><w:p><w:pPr><w:numPr/></w:pPr>{run('go')}</w:p></w:tc>"
        f"<w:tc><w:p>{run('nine')}</w:p></w:tc></w:tr></w:tbl>"
    )
    document = f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    members = {
        "_rels/.rels": _relations(officeDocument="word/document.xml"),
        "word/document.xml": document,
    }
    truth = read_truth(_archive(members), "docx")
    assert truth.parts["body"] == ["Ferry"]
    assert measure("Ferry\n\n| 1. go | nine |", truth).rows.value == 1.0


def test_an_encoded_file_in_a_message_is_no_text() -> None:
    mail = b"Subject: One\n\nbefore\n=ybegin line=128 size=4 name=a\n)*+,\n=yend size=4\nafter\n"
    assert _joined(read_truth(mail, "eml"), "plain").split() == ["before", "after"]


def test_navigation_by_its_role_is_navigation() -> None:
    page = b"<body><p>text<div role=navigation><table><tr><td>a<td>b</table></div></body>"
    truth = read_truth(page, "html")
    assert _joined(truth, "text") == "text"
    assert not truth.rows


def test_a_text_may_be_a_message_and_has_to_be_in_a_plain_encoding() -> None:
    mail = b"Subject: =?utf-8?q?Fr=C3=B6sche?=\nMIME-Version: 1.0\n\nnine\n"
    assert _joined(read_truth(mail, "txt"), "subject and addresses") == "Fr\u00f6sche"
    assert _joined(read_truth(b"Note: nine\n", "txt"), "text") == "Note: nine\n"
    for data in ("nine".encode("utf-16-le"), "\uc544\ud649".encode("iso2022_kr")):
        with pytest.raises(DamagedFileError):
            read_truth(data, "txt")


def test_asides_next_to_articles_are_apart() -> None:
    page = b"<body><article>text<aside>note</aside></article><aside>advert<h2>More</h2></aside>"
    truth = read_truth(page, "html")
    assert truth.parts["text"] == ["text", "note"]
    assert truth.parts["asides"] == ["advert", "More"]
    assert not truth.headings


def test_a_cell_may_show_pictures_fields_and_readings_where_they_are() -> None:
    page = (
        '<table><tr><td><img alt="A">Pier<td><input value="nine"><td><ruby>\u76ee<rt>\u3081</ruby>'
        "<tbody style='display:none'><tr><td>x<td>y</table>"
    )
    truth = read_truth(page.encode(), "html")
    assert measure("| A Pier | nine | \u76ee(\u3081) |", truth).rows.value == 1.0
    assert measure("| Pier |  | \u76ee |", truth).rows.value == 1.0
    assert measure("| Pier | \u76ee | nine |", truth).rows.value == 0.0


def test_the_tables_of_a_pdf_are_those_that_people_wrote_down(tmp_path: Path) -> None:
    def cell(text: str, row: int, column: int, **ends: int) -> str:
        more = "".join(f' end-{name}="{place}"' for name, place in ends.items())
        start = f'start-row="{row}" start-col="{column}"'
        return f"<cell {start}{more}><content>{text}</content></cell>"

    cells = [
        cell("Year", 0, 0, col=1),
        cell("2024", 1, 0),
        cell("2025", 1, 1),
        cell("SumofX", 2, 1),
    ]
    table = f"<document><table><region>{''.join(cells)}</region></table></document>"
    (tmp_path / "a-str.xml").write_text(table, encoding="utf-8")
    truth = Truth()

    add_tables(truth, tmp_path / "a.pdf")
    add_tables(truth, tmp_path / "without.pdf")

    assert (
        measure("| Year | |\n| --- | --- |\n| 2024 | 2025 |\n| | Sum of X |", truth).rows.value == 1
    )
    assert (
        measure("| Year | |\n| --- | --- |\n| 2024 | 2025 |\n| Sum of X | |", truth).rows.value
        == 2 / 3
    )
