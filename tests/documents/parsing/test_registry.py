from __future__ import annotations

import io
import logging
import sys
import zipfile
from email.message import EmailMessage

import pytest
from unstructured.documents.elements import NarrativeText, PageBreak

from managed_sync.documents import KreuzbergParser, Parser, UnstructuredParser, parse
from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.unstructured import to_markdown
from managed_sync.errors import EmptyContentError, MissingExtraError, ParsingError
from tests.documents import sample_files

CUT = "is damaged: its end is missing or unreadable."


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def test_a_word_file_keeps_heading_levels_lists_and_tables() -> None:
    text = parse(sample_files.make_docx(), content_type=sample_files.DOCX, filename="policy.docx")
    assert lines_of(text) == [
        "# Travel policy",
        "Everybody travels by train where a train goes.",
        "## Hotels",
        "- up to four stars",
        "- breakfast included",
        "### Limits",
        "| City | Limit |",
        "| --- | --- |",
        r"| Oslo \| Bergen | 200 |",
        r"\# of nights counts",
    ]


@pytest.mark.parametrize("laid_out_by_word", [True, False])
def test_the_pages_of_a_word_file_are_told_apart(laid_out_by_word: bool) -> None:
    text = parse(
        sample_files.make_docx_of_two_pages(laid_out_by_word), content_type=sample_files.DOCX
    )
    assert [lines_of(page) for page in text.split("\f")] == [["First page."], ["Second page."]]


def test_a_presentation_has_a_page_and_a_heading_for_each_slide_and_its_notes() -> None:
    text = parse(sample_files.make_pptx(), content_type=sample_files.PPTX)
    first, second = text.split("\f")
    assert lines_of(first) == ["# Goals", "- Grow in Europe", "- Hire"]
    assert lines_of(second) == ["# Risks", "- Chips are scarce", "Notes: Mention the supplier."]


def test_a_workbook_has_a_page_and_a_heading_for_each_sheet() -> None:
    text = parse(sample_files.make_xlsx(), content_type=sample_files.XLSX)
    budget, plan = text.split("\f")
    assert lines_of(budget) == [
        "# Budget",
        "| Item | Cost | Due |",
        "| --- | --- | --- |",
        "| Rent | 1200.5 | 2026-01-31 |",
    ]
    assert lines_of(plan) == ["# Plan", "| Step | Who |", "| --- | --- |", "| Build | Tom |"]


def test_a_web_page_keeps_headings_lists_numbers_tables_and_code() -> None:
    text = parse(sample_files.HTML.encode(), content_type="text/html; charset=utf-8")
    assert lines_of(text) == [
        "# Safety",
        "Robots stop when a person enters the cell.",
        "## Checks",
        "- gloves",
        "  - size",
        "- helmet",
        "1. Press the button.",
        "2. Wait.",
        "| Part | Limit |",
        "| --- | --- |",
        r"| Arm\|Hand | 40 N |",
        "```",
        "# not a heading",
        "stop()",
        "```",
    ]


def test_a_markdown_file_keeps_its_structure_and_its_front_matter_as_text() -> None:
    text = parse(sample_files.MARKDOWN.encode(), content_type="text/markdown")
    assert lines_of(text) == [
        "owner: Maria",
        "# Handbook",
        "First paragraph.",
        "## Steps",
        "1. Open it.",
        "2. Close it.",
        "| A | B |",
        "|---|---|",
        "| 1 | 2 |",
        "```python",
        "# comment",
        "run()",
        "```",
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_values_is_a_table_whatever_separates_them(separator: str) -> None:
    rows = [["name", "code", "note"], ["Ann", "007", "NA"], ["Bo", "1", "# 3"]]
    data = "\n".join(separator.join(row) for row in rows).encode()
    assert lines_of(parse(data, content_type="text/csv")) == [
        "| name | code | note |",
        "| --- | --- | --- |",
        "| Ann | 007 | NA |",
        "| Bo | 1 | # 3 |",
    ]


def test_an_email_begins_with_its_headers_and_names_its_attachments() -> None:
    text = parse(sample_files.make_eml(), content_type="message/rfc822")
    assert lines_of(text) == [
        "# Grüße aus Hamburg",
        "From: Maria Lopez <maria@harbor.example>",
        "To: tom@harbor.example",
        "Date: Mon, 02 Nov 2026 10:00:00 +0100",
        "Subject: Grüße aus Hamburg",
        "Hello Tom,",
        "the crane arrives on Monday.",
        "Attachments: crane.gif",
    ]


def test_plain_text_stays_as_it_is_but_for_lines_that_only_look_like_headings() -> None:
    text = parse(b"# 1 egg\n\n    indented\nnext\n\f```\n", content_type="text/plain")
    assert text == "\\# 1 egg\n\n    indented\nnext\n\f\\```\n"


def test_code_is_one_fenced_block() -> None:
    text = parse(b"# note\nx = '```'\n", content_type="text/x-python", filename="a.py")
    assert text == "````py\n# note\nx = '```'\n````\n"


def test_a_pdf_keeps_pages_headings_and_every_word() -> None:
    text = parse(sample_files.make_pdf(), content_type=sample_files.PDF)
    first, second = text.split("\f")
    assert lines_of(first)[0] == "# Inspection part 1"
    assert lines_of(second)[0] == "# Inspection part 2"
    sentence = "The gripper is inspected every week by the person who runs the cell."
    assert first.count(sentence) == second.count(sentence) == 6


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (sample_files.make_docx(), "a.docx"),
        (sample_files.make_pptx(), "a.pptx"),
        (sample_files.make_xlsx(), "a.xlsx"),
        (sample_files.make_pdf(), "a.pdf"),
        (sample_files.make_eml(), "a.eml"),
        (sample_files.HTML.encode(), "a.html"),
        (sample_files.MARKDOWN.encode(), "a.md"),
        (b"a,b\n1,2\n", "a.csv"),
    ],
)
def test_without_a_content_type_the_bytes_and_the_name_tell_the_format(
    data: bytes, name: str
) -> None:
    declared = {
        "a.docx": sample_files.DOCX,
        "a.pptx": sample_files.PPTX,
        "a.xlsx": sample_files.XLSX,
        "a.pdf": sample_files.PDF,
        "a.eml": "message/rfc822",
        "a.html": "text/html",
        "a.md": "text/markdown",
        "a.csv": "text/csv",
    }[name]
    expected = parse(data, content_type=declared)
    assert parse(data, content_type=sample_files.UNKNOWN, filename=name) == expected


def test_a_type_that_lies_does_not_hide_what_the_bytes_are() -> None:
    text = parse(sample_files.make_pdf(), content_type=sample_files.DOCX, filename="report.docx")
    assert "# Inspection part 1" in text


def test_text_that_is_said_to_be_a_pdf_is_refused_with_its_name() -> None:
    with pytest.raises(ParsingError, match=r"report\.pdf is declared as PDF"):
        parse(b"just words", content_type=sample_files.PDF, filename="report.pdf")


def test_random_bytes_that_are_said_to_be_text_are_refused() -> None:
    with pytest.raises(ParsingError, match="its bytes are not"):
        parse(bytes(range(1, 32)) * 20, content_type="text/plain", filename="a.txt")


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        (sample_files.PNG, "image/png", "no text can be read from image/png"),
        (sample_files.PNG, sample_files.UNKNOWN, "no text can be read from image/png"),
        (b"abc", "video/mp4", "no text can be read from video/mp4"),
    ],
)
def test_a_file_without_text_in_it_is_refused_by_its_type(
    data: bytes, content_type: str, reason: str
) -> None:
    with pytest.raises(ParsingError, match=reason):
        parse(data, content_type=content_type)


def test_a_word_file_that_unpacks_to_too_much_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as entry:
            for _ in range(1025):
                entry.write(bytes(1024 * 1024))
    with pytest.raises(ParsingError, match="more than 1 GiB"):
        parse(buffer.getvalue(), content_type=sample_files.DOCX)


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"\0\0"])
def test_a_file_without_content_is_empty(data: bytes) -> None:
    with pytest.raises(EmptyContentError, match=r"a\.txt is empty"):
        parse(data, content_type="text/plain", filename="a.txt")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (sample_files.make_pdf_without_text(), sample_files.PDF),
        (b"<html><body><script>x</script></body></html>", "text/html"),
        (b"\xef\xbb\xbf  ", "text/plain"),
    ],
)
def test_a_file_with_bytes_but_no_text_is_empty_too(data: bytes, content_type: str) -> None:
    with pytest.raises(EmptyContentError, match="no text in it"):
        parse(data, content_type=content_type)


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        (sample_files.make_docx()[:3000], sample_files.DOCX, CUT),
        (sample_files.make_pptx()[:-100], sample_files.PPTX, CUT),
        (sample_files.make_xlsx()[:2000], sample_files.XLSX, CUT),
        (b"%PDF-1.7\nbroken", sample_files.PDF, "could not be read: it is damaged"),
        (sample_files.make_pdf()[:700], sample_files.PDF, "could not be read: it is damaged"),
    ],
)
def test_a_damaged_file_gives_one_line_that_names_it(
    data: bytes, content_type: str, reason: str
) -> None:
    with pytest.raises(ParsingError) as caught:
        parse(data, content_type=content_type, filename="report")
    assert str(caught.value) == f"report {reason}"


def test_a_word_file_with_a_broken_part_inside_is_reported() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sample_files.make_docx())) as whole,
        zipfile.ZipFile(buffer, "w") as broken,
    ):
        for entry in whole.infolist():
            data = whole.read(entry)
            broken.writestr(entry, data[:200] if entry.filename == "word/document.xml" else data)
    with pytest.raises(ParsingError, match=r"a\.docx is damaged: its XML is not well formed"):
        parse(buffer.getvalue(), content_type=sample_files.DOCX, filename="a.docx")


def test_a_pdf_with_a_password_says_so() -> None:
    with pytest.raises(ParsingError, match="protected with a password"):
        parse(
            sample_files.make_pdf(password="s3cret"),
            content_type=sample_files.PDF,
            filename="a.pdf",
        )


def test_an_office_file_with_a_password_says_so() -> None:
    encrypted = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptedPackage".encode("utf-16-le")
    )
    with pytest.raises(ParsingError, match="protected with a password"):
        parse(encrypted, content_type=sample_files.DOCX, filename="a.docx")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_an_encoding_is_found_out(encoding: str) -> None:
    words = "Fünf Bäume stehen am Flußufer, und der Café-Besitzer zählt sie täglich. " * 5
    text = parse(words.encode(encoding), content_type="text/plain")
    assert text == words.rstrip() + "\n"


def test_a_web_page_is_read_in_the_encoding_that_it_declares() -> None:
    page = '<html><head><meta charset="koi8-r"></head><body><p>Привет, мир</p></body></html>'
    assert parse(page.encode("koi8-r"), content_type="text/html") == "Привет, мир\n"


def test_characters_that_stores_refuse_are_left_out() -> None:
    data = "a\0b\ufeffc\x07".encode() + b" \xed\xa0\x80 d\r\ne"
    text = parse(data, content_type="text/plain")
    assert "\0" not in text
    assert text.encode("utf-8")
    assert text.startswith("abc")
    assert text.endswith("d\ne\n")


def test_large_text_formats_are_read_in_seconds() -> None:
    row = "Ann Example,ann@harbor.example,12500,EMEA\n"
    csv = parse(b"name,email,amount,region\n" + row.encode() * 20_000, content_type="text/csv")
    assert csv.count("| Ann Example | ann@harbor.example | 12500 | EMEA |") == 20_000
    html = "<html><body>" + "<h2>Part</h2><p>The arm moves.</p>" * 10_000 + "</body></html>"
    text = parse(html.encode(), content_type="text/html")
    assert text.count("## Part\n") == text.count("The arm moves.") == 10_000


def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(MissingExtraError, match=r"managed-sync\[parsers\]"):
        parse(sample_files.make_pdf(), content_type=sample_files.PDF, filename="a.pdf")
    monkeypatch.setitem(sys.modules, "unstructured.partition.docx", None)
    with pytest.raises(MissingExtraError, match=r"managed-sync\[unstructured\]"):
        UnstructuredParser()(sample_files.make_docx(), content_type=sample_files.DOCX)


def test_the_libraries_are_quiet(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        parse(sample_files.make_docx(), content_type=sample_files.DOCX)
        parse(sample_files.make_xlsx(), content_type=sample_files.XLSX)
        parse(sample_files.make_pdf(), content_type=sample_files.PDF)
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("unstructured")] == []


@pytest.mark.parametrize("parser", [KreuzbergParser(), UnstructuredParser(), parse])
@pytest.mark.parametrize(
    ("data", "content_type", "headings"),
    [
        (
            sample_files.make_docx(),
            sample_files.DOCX,
            ["# Travel policy", "## Hotels", "### Limits"],
        ),
        (sample_files.make_pptx(), sample_files.PPTX, ["# Goals", "# Risks"]),
        (sample_files.make_xlsx(), sample_files.XLSX, ["# Budget", "# Plan"]),
        (sample_files.make_pdf(), sample_files.PDF, ["# Inspection part 1", "# Inspection part 2"]),
        (sample_files.HTML.encode(), "text/html", ["# Safety", "## Checks"]),
        (sample_files.MARKDOWN.encode(), "text/markdown", ["# Handbook", "## Steps"]),
        (sample_files.make_eml(), "message/rfc822", ["# Grüße aus Hamburg"]),
    ],
)
def test_every_parser_reads_every_format(
    parser: Parser, data: bytes, content_type: str, headings: list[str]
) -> None:
    text = parser(data, content_type=content_type, filename="")
    assert [
        line for line in lines_of(markdown.without_code(text)) if line.startswith("#")
    ] == headings


@pytest.mark.parametrize("parser", [KreuzbergParser(), UnstructuredParser()])
def test_a_paragraph_of_one_character_is_kept(parser: Parser) -> None:
    page = "<h1>Grades</h1><p>A</p><p>字</p><ul><li>7</li></ul><p>&amp;</p>"
    text = parser(page.encode(), content_type="text/html", filename="")
    assert lines_of(text) == ["# Grades", "A", "字", "- 7", "&"]


def test_links_navigation_and_pictures_of_a_web_page_are_only_their_words() -> None:
    page = (
        '<body><nav><a href="/">Home</a></nav><main><h1>A</h1><p>See <a href="b.html">B</a>.</p>'
        '<img src="x.png" alt="An arm"><script>x()</script></main><footer>(c)</footer></body>'
    )
    text = parse(page.encode(), content_type="text/html")
    assert lines_of(text) == ["# A", "See B.", "An arm"]


def test_an_email_that_is_html_only_is_read_below_its_subject() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "tom@harbor.example", "Plan"
    message.set_content("<h1>Steps</h1><p>Go.</p>", "html")
    text = parse(message.as_bytes(), content_type="message/rfc822")
    assert lines_of(text) == [
        "# Plan",
        "From: tom@harbor.example",
        "Subject: Plan",
        "## Steps",
        "Go.",
    ]


def test_a_page_break_at_the_end_begins_no_page() -> None:
    page = [NarrativeText("Doors open."), PageBreak("")]
    assert to_markdown([*page, *page]) == "Doors open.\n\n\fDoors open."


def test_the_layout_models_of_unstructured_are_asked_for_by_name() -> None:
    parser = UnstructuredParser(pdf_strategy="hi_res")
    with pytest.raises(MissingExtraError, match=r"managed-sync\[unstructured-pdf\]"):
        parser(sample_files.make_pdf(), content_type=sample_files.PDF, filename="a.pdf")
