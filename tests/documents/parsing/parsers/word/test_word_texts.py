"""Every place where Word keeps text is read; what Word does not show is not."""

from __future__ import annotations

import pytest

from managed_sync.documents.parsing.parsers.word.document import parse_word
from managed_sync.errors import ParsingError
from tests.documents.word_files import (
    STRICT_WORD,
    field,
    make_word,
    paragraph,
    run,
    table,
)


def text_of(body: str, **options: object) -> str:
    return parse_word(make_word(body, **options), name="a.docx")  # type: ignore[arg-type]


def test_content_controls_are_read_around_paragraphs_and_in_lines() -> None:
    control = (
        "<w:sdt><w:sdtPr><w:alias w:val='x'/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>"
    )
    body = control.format(paragraph("Block.")) + paragraph(
        run("Customer: ") + control.format(run("Harbor Ltd")) + run(" of Oslo")
    )
    assert text_of(body) == "Block.\n\nCustomer: Harbor Ltd of Oslo"


def test_insertions_are_text_and_deletions_are_not() -> None:
    body = paragraph(
        run("The fee is ")
        + "<w:del><w:r><w:delText>ten</w:delText></w:r></w:del>"
        + f"<w:ins>{run('twelve')}</w:ins>"
        + f"<w:moveFrom>{run('Here.')}</w:moveFrom>"
        + run(" percent. ")
        + f"<w:moveTo>{run('There.')}</w:moveTo>"
    )
    assert text_of(body) == "The fee is twelve percent. There."


def test_a_paragraph_whose_end_was_deleted_goes_on_in_the_next_one() -> None:
    body = paragraph("One ", "<w:rPr><w:del w:id='1'/></w:rPr>") + paragraph("sentence.")
    assert text_of(body) == "One sentence."


def test_a_large_first_letter_belongs_to_its_word() -> None:
    body = paragraph("R", '<w:framePr w:dropCap="drop"/>') + paragraph("obots stop.")
    assert text_of(body) == "Robots stop."


def test_a_text_box_is_read_once_after_its_paragraph() -> None:
    inside = f"<w:txbxContent>{paragraph('Mind the gap.')}</w:txbxContent>"
    body = paragraph(
        run("Before")
        + "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wp:inline>"
        + f"<wps:wsp><wps:txbx>{inside}</wps:txbx></wps:wsp></wp:inline></w:drawing></mc:Choice>"
        + f"<mc:Fallback><w:pict><v:shape><v:textbox>{inside}</v:textbox></v:shape></w:pict>"
        + "</mc:Fallback></mc:AlternateContent></w:r>"
        + run(" and after")
    )
    assert text_of(body) == "Before and after\n\nMind the gap."


def test_a_text_box_of_an_old_file_and_word_art_are_read() -> None:
    box = f"<v:textbox><w:txbxContent>{paragraph('Old box.')}</w:txbxContent></v:textbox>"
    body = paragraph(
        f"<w:r><w:pict><v:shape alt='A crane'>{box}</v:shape></w:pict></w:r>"
        "<w:r><w:pict><v:shape><v:textpath string='DRAFT'/></v:shape></w:pict></w:r>"
    )
    assert text_of(body) == "A crane DRAFT\n\nOld box."


def test_footnotes_follow_the_text_of_their_page_and_endnotes_the_whole_text() -> None:
    body = (
        paragraph(
            run("Rates apply")
            + '<w:r><w:footnoteReference w:id="2"/></w:r>'
            + run(" from May")
            + '<w:r><w:endnoteReference w:id="7"/></w:r>'
        )
        + paragraph("<w:r><w:br w:type='page'/></w:r>")
        + paragraph("Second page.")
    )
    parts = {
        "footnotes": '<w:footnote w:type="separator" w:id="0"/>'
        f'<w:footnote w:id="2">{paragraph("Not for resellers.")}</w:footnote>',
        "endnotes": f'<w:endnote w:id="7">{paragraph("Annex B.")}</w:endnote>',
    }
    assert text_of(body, parts=parts) == (
        "Rates apply[^1] from May[^i]\n\n[^1]: Not for resellers.\n\n"
        "\fSecond page.\n\n[^i]: Annex B."
    )


def test_a_comment_follows_its_paragraph_with_its_author_once() -> None:
    reference = '<w:r><w:commentReference w:id="4"/></w:r>'
    body = paragraph(run("Clause 4.") + reference) + paragraph(run("Next.") + reference)
    comments = f'<w:comment w:id="4" w:author="Maria">{paragraph("Legal must agree.")}</w:comment>'
    assert text_of(body, parts={"comments": comments}) == (
        "Clause 4.\n\nComment (Maria): Legal must agree.\n\nNext."
    )


def test_headers_begin_and_footers_end_the_text_once_each() -> None:
    section = (
        '<w:sectPr><w:headerReference r:id="rheader1"/><w:headerReference r:id="rheader2"/>'
        '<w:footerReference r:id="rfooter1"/><w:footerReference r:id="rfooter2"/></w:sectPr>'
    )
    parts = {
        "header1": paragraph("Confidential"),
        "header2": paragraph("Confidential"),
        "footer1": paragraph("Harbor Ltd"),
        "footer2": paragraph(field("PAGE", run("3"))),
    }
    body = paragraph("Body.") + section
    assert text_of(body, parts=parts) == "Confidential\n\nBody.\n\nHarbor Ltd"


def test_the_result_of_a_field_is_text_and_its_code_is_not() -> None:
    body = paragraph(
        run("Page ")
        + field("PAGEREF _Toc1", run("7"))
        + f'<w:fldSimple w:instr="AUTHOR">{run(" by Ann")}</w:fldSimple>'
        + f'<w:smartTag w:element="place">{run(", Oslo")}</w:smartTag>'
    )
    assert text_of(body) == "Page 7 by Ann, Oslo"


def test_a_field_inside_the_code_of_another_one_is_code() -> None:
    inner = field("MERGEFIELD Sex", run("m"))
    code = f"{inner}<w:r><w:instrText> = m Sir Madam</w:instrText></w:r>"
    begin, separate, end = (
        f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")
    )
    body = paragraph(run("Dear ") + begin + code + separate + run("Sir") + end)
    assert text_of(body) == "Dear Sir"


def test_a_field_without_a_result_shows_the_formula_or_the_reading_in_its_code() -> None:
    begin, end = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "end"))

    def equation(code: str) -> str:
        return f"{begin}<w:r><w:instrText>{code}</w:instrText></w:r>{end}"

    ruby = r'EQ \* jc2 \* "Font:MS Mincho" \* hps11 \o\ad(\s\up 10(とうきょう),東京)'
    body = paragraph(
        equation(ruby) + run("は ") + equation(r"eq \f(1,\r(3,x+1))") + equation("TC a")
    )
    assert text_of(body) == "東京(とうきょう)は 1/(3√(x+1))"


def test_a_field_that_never_ends_hides_no_text() -> None:
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
    assert text_of(paragraph(begin + run("a")) + paragraph("All of this stays.")) == (
        "a\n\nAll of this stays."
    )


def test_links_keep_their_targets() -> None:
    body = paragraph(
        run("See ")
        + f'<w:hyperlink r:id="h1">{run("the ")}{run("policy ")}</w:hyperlink>'
        + run("and ")
        + field('HYPERLINK "https://harbor.example/b" \\l "c"', run("the plan"))
        + f'<w:hyperlink w:anchor="top">{run(" above")}</w:hyperlink>'
    )
    assert text_of(body, links={"h1": "https://harbor.example/a"}) == (
        "See [the policy](https://harbor.example/a) and "
        "[the plan](https://harbor.example/b#c) above"
    )


def test_check_boxes_and_lists_of_old_forms_show_their_values() -> None:
    box = "<w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData>"
    choice = (
        '<w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="Oslo"/>'
        '<w:listEntry w:val="Bergen"/></w:ddList></w:ffData>'
    )
    fields = [
        f'<w:r><w:fldChar w:fldCharType="begin">{data}</w:fldChar></w:r>'
        f'<w:r><w:fldChar w:fldCharType="end"/></w:r>'
        for data in (box, choice)
    ]
    assert text_of(paragraph(fields[0] + run(" train from ") + fields[1])) == "☒ train from Bergen"


def test_special_characters_are_text() -> None:
    body = paragraph(
        "<w:r><w:t>e</w:t><w:noBreakHyphen/><w:t>mail</w:t><w:tab/><w:t>co</w:t><w:softHyphen/>"
        '<w:t>op</w:t><w:br/><w:sym w:font="Wingdings" w:char="F0FC"/>'
        '<w:sym w:font="Symbol" w:char="F061"/></w:r>'
        '<w:r><w:rPr><w:rFonts w:ascii="Symbol"/></w:rPr><w:t>\uf0a3 5</w:t></w:r>'
    )
    assert text_of(body) == "e-mail\tcoop\n✓α≤ 5"


def test_ruby_is_read_after_its_base() -> None:
    reading = f"<w:rt>{run('かんじ')}</w:rt>"
    ruby = f"<w:ruby>{reading}<w:rubyBase>{run('漢字')}</w:rubyBase></w:ruby>"
    assert text_of(paragraph(f"<w:r>{ruby}</w:r>")) == "漢字(かんじ)"


def test_hidden_text_is_no_text_also_by_its_style() -> None:
    styles = '<w:style w:styleId="Secret"><w:rPr><w:vanish/></w:rPr></w:style>'
    body = paragraph(
        run("hidden ", "<w:vanish/>")
        + run("by style ", '<w:rStyle w:val="Secret"/>')
        + run("shown", '<w:vanish w:val="0"/><w:strike/>')
    )
    assert text_of(body, parts={"styles": styles}) == "shown"


def test_equations_are_linear_text() -> None:
    letter = "<m:r><m:t>{}</m:t></m:r>".format
    sum_ = f"<m:e>{letter('a')}{letter('+')}{letter('b')}</m:e>".replace("m:e>", "m:num>")
    equation = (
        f"<m:oMath><m:f>{sum_}<m:den>{letter('2')}</m:den></m:f>{letter('=')}"
        f"<m:sSup><m:e>{letter('x')}</m:e><m:sup>{letter('2')}</m:sup></m:sSup>"
        f"<m:rad><m:deg/><m:e>{letter('n')}</m:e></m:rad></m:oMath>"
    )
    assert text_of(paragraph(run("So ") + equation)) == "So (a+b)/2=x^2√(n)"
    assert text_of(f"<m:oMathPara>{equation}</m:oMathPara>") == "(a+b)/2=x^2√(n)"


def test_the_alternative_text_of_a_picture_is_read_once() -> None:
    picture = (
        '<w:drawing><wp:inline><wp:docPr id="1" name="Picture 1" descr="A red crane"/>'
        '<pic:pic><pic:nvPicPr><pic:cNvPr id="0" name="c.png" descr="A red crane"/></pic:nvPicPr>'
        "</pic:pic></wp:inline></w:drawing>"
    )
    assert text_of(paragraph(run("Look:") + f"<w:r>{picture}</w:r>")) == "Look: A red crane"


def test_charts_and_smart_art_are_read() -> None:
    drawing = "<w:drawing><wp:inline>{}</wp:inline></w:drawing>".format
    chart = drawing('<c:chart r:id="rchart"/>')
    diagram = drawing('<dgm:relIds r:dm="rdiagramData"/>')
    body = paragraph(f"<w:r>{chart}{diagram}</w:r>")
    point = '<c:pt idx="0"><c:v>{}</c:v></c:pt>'.format
    parts = {
        "chart": "<c:chart><c:plotArea><c:barChart><c:ser>"
        f"<c:tx><c:strRef><c:strCache>{point('Sales')}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{point('Oslo')}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache>{point('12')}</c:numCache></c:numRef></c:val>"
        "</c:ser></c:barChart></c:plotArea></c:chart>",
        "diagramData": "<dgm:ptLst><dgm:pt modelId='1'><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p>"
        "</dgm:t></dgm:pt></dgm:ptLst>",
    }
    text = text_of(body, parts=parts)
    assert "| Oslo | 12 |" in text
    assert "Sales" in text
    assert "Plan" in text


def test_a_document_within_the_text_is_read_by_its_own_parser() -> None:
    body = paragraph("Before.") + '<w:altChunk r:id="raFChunk.html"/>' + paragraph("After.")
    data = make_word(body, parts={"aFChunk.html": "<p>Inside</p>"})
    read: list[tuple[bytes, str]] = []

    def read_embedded(data: bytes, content_type: str, name: str) -> str:
        read.append((data, name))
        return "Inside"

    text = parse_word(data, name="a.docx", read_embedded=read_embedded)
    assert text == "Before.\n\nInside\n\nAfter."
    assert read == [(b"<p>Inside</p>", "word/aFChunk.html")]
    assert parse_word(data, name="a.docx") == "Before.\n\nAfter."


@pytest.mark.parametrize("namespace", [None, STRICT_WORD])
@pytest.mark.parametrize("main", ["word/document.xml", "word/document2.xml", "Text\\main.xml"])
def test_strict_files_and_other_names_of_the_main_part_are_read(
    namespace: str | None, main: str
) -> None:
    options = {"namespace": namespace} if namespace else {}
    assert (
        text_of(paragraph("Hello.") + table(), main=main.replace("\\", "/"), **options) == "Hello."
    )


def test_a_file_without_a_main_part_is_damaged() -> None:
    data = make_word("").replace(b"word/document.xml", b"word/document.xxx")
    with pytest.raises(ParsingError, match=r"a\.docx is damaged: it has no document in it"):
        parse_word(data, name="a.docx")


def test_entities_are_refused() -> None:
    body = '<!DOCTYPE x [<!ENTITY a "b">]>'
    data = make_word("", parts={"numbering.xml": body})
    with pytest.raises(ParsingError, match=r"^a\.docx could not be read: .*entities"):
        parse_word(data, name="a.docx")


def test_a_file_that_is_nested_too_deeply_has_one_clear_reason() -> None:
    body = "<w:tbl><w:tr><w:tc>" * 3000 + paragraph("Deep.") + "</w:tc></w:tr></w:tbl>" * 3000
    with pytest.raises(ParsingError, match=r"^a\.docx is nested too deeply to be read\.$"):
        text_of(body)


def test_wrappers_may_be_nested_as_deeply_as_they_like() -> None:
    body = "<w:sdt><w:sdtContent>" * 5000 + paragraph("Deep.") + "</w:sdtContent></w:sdt>" * 5000
    assert text_of(body) == "Deep."
