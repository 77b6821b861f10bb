"""Everything on a slide that a reader sees is in the text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pptx
import pytest
from pptx.chart.data import BubbleChartData, CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from managed_sync.documents.parsing.registry import parse
from managed_sync.errors import ParsingError

BOX = (Inches(1), Inches(3), Inches(3), Inches(1))
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def text_of(presentation: Any) -> str:
    return parse(saved(presentation), filename="a.pptx")


def saved(presentation: Any) -> bytes:
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def slide_of(presentation: Any, layout: int = 6, title: str = "") -> Any:
    slide = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if title:
        slide.shapes.title.text = title
    return slide


def with_parts(data: bytes, **parts: Callable[[str], str]) -> bytes:
    """Changes parts of a file, or adds them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, change in parts.items():
            before = old.read(name).decode() if name in old.namelist() else ""
            new.writestr(name, change(before))
    return buffer.getvalue()


def relate(kind: str, target: str) -> Callable[[str], str]:
    entry = f'<Relationship Id="rIdNew" Type="{RELATED}/{kind}" Target="{target}"/>'
    return lambda xml: xml.replace("</Relationships>", f"{entry}</Relationships>")


SLIDE = "ppt/slides/slide1.xml"
SLIDE_LINKS = "ppt/slides/_rels/slide1.xml.rels"


def test_a_slide_is_title_body_and_notes_and_the_next_one_a_page() -> None:
    presentation = pptx.Presentation()
    slide = slide_of(presentation, 1, "Goals")
    slide.placeholders[1].text = "Grow\nHire"
    slide.placeholders[1].text_frame.paragraphs[1].level = 1
    slide.notes_slide.notes_text_frame.text = "Mention the supplier."
    slide_of(presentation, 5, "Risks")
    assert text_of(presentation) == (
        "# Goals\n\n- Grow\n  - Hire\n\nNotes: Mention the supplier.\n\n\f# Risks\n"
    )


def test_the_title_comes_first_and_the_rest_in_the_order_of_the_file() -> None:
    presentation = pptx.Presentation()
    slide = slide_of(presentation, 5)
    for text in ("lower", "upper\vsecond line"):
        slide.shapes.add_textbox(*BOX).text_frame.text = text
    slide.shapes.title.text = "Order"
    slide.shapes._spTree.append(slide.shapes.title._element)
    assert text_of(presentation) == "# Order\n\nlower\n\nupper\nsecond line\n"


def test_the_text_of_nested_groups_and_their_tables_is_read() -> None:
    presentation = pptx.Presentation()
    slide = slide_of(presentation)
    inner = slide.shapes.add_group_shape().shapes.add_group_shape()
    inner.shapes.add_textbox(*BOX).text_frame.text = "Inside"
    frame = slide.shapes.add_table(2, 2, *BOX)
    for number, text in enumerate(["Part", "Limit", "Arm", "40 N"]):
        frame.table.cell(number // 2, number % 2).text = text
    inner._element.append(frame._element)
    assert text_of(presentation) == ("Inside\n\n| Part | Limit |\n| --- | --- |\n| Arm | 40 N |\n")


def test_merged_cells_keep_their_place_and_are_repeated_downwards() -> None:
    presentation = pptx.Presentation()
    table = slide_of(presentation).shapes.add_table(2, 3, *BOX).table
    for row in range(2):
        for column in range(3):
            table.cell(row, column).text = f"{row}{column}"
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 0).text = "tall"
    assert "| tall | 01 | 02 |\n| --- | --- | --- |\n| tall | 11 | 12 |" in text_of(presentation)


def test_the_sizes_of_bubbles_are_values_too() -> None:
    presentation = pptx.Presentation()
    data = BubbleChartData()
    series = data.add_series("Berths")
    series.add_data_point(4, 200, 17)
    series.add_data_point(5, 300, 19)
    slide_of(presentation).shapes.add_chart(XL_CHART_TYPE.BUBBLE, *BOX, data)
    text = text_of(presentation)
    assert "| 4 | 200 | 17 |\n| 5 | 300 | 19 |" in text


def test_a_chart_is_its_title_and_a_table_of_its_values() -> None:
    presentation = pptx.Presentation()
    data = CategoryChartData(number_format="0.0%")
    data.categories = ["Q1", "Q2"]
    data.add_series("Share", (0.125, 0.25))
    data.add_series("Goal", (0.2, None))
    frame = slide_of(presentation).shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *BOX, data)
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "Market"
    assert text_of(presentation) == (
        "Market\n\n|  | Share | Goal |\n| --- | --- | --- |\n"
        "| Q1 | 12.5% | 20.0% |\n| Q2 | 25.0% |  |\n"
    )


DIAGRAM = (
    '<dgm:dataModel xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><dgm:ptLst>'
    '<dgm:pt modelId="0" type="doc"/>'
    '<dgm:pt modelId="3"><dgm:t><a:p><a:r><a:t>Build</a:t></a:r></a:p></dgm:t></dgm:pt>'
    '<dgm:pt modelId="1"><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t></dgm:pt>'
    '<dgm:pt modelId="2"><dgm:t><a:p><a:r><a:t>Ask</a:t></a:r></a:p></dgm:t></dgm:pt>'
    '<dgm:pt modelId="9" type="pres"/></dgm:ptLst><dgm:cxnLst>'
    '<dgm:cxn srcId="0" destId="3" srcOrd="1"/><dgm:cxn srcId="0" destId="1" srcOrd="0"/>'
    '<dgm:cxn srcId="1" destId="2" srcOrd="0"/>'
    '<dgm:cxn type="presOf" srcId="1" destId="9" srcOrd="0"/>'
    '<dgm:cxn srcId="2" destId="1" srcOrd="0"/></dgm:cxnLst></dgm:dataModel>'
)
DIAGRAM_FRAME = (
    '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="9" name="D" descr="How we work"/>'
    '</p:nvGraphicFramePr><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/'
    'main"><a:graphicData><dgm:relIds xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/'
    f'diagram" xmlns:r="{RELATED}" r:dm="rIdNew"/></a:graphicData></a:graphic></p:graphicFrame>'
)


def test_a_diagram_is_a_list_in_its_own_order_even_with_a_circle() -> None:
    presentation = pptx.Presentation()
    slide_of(presentation)
    data = with_parts(
        saved(presentation),
        **{
            SLIDE: lambda xml: xml.replace("</p:spTree>", f"{DIAGRAM_FRAME}</p:spTree>"),
            SLIDE_LINKS: relate("diagramData", "../diagrams/data1.xml"),
            "ppt/diagrams/data1.xml": lambda _: DIAGRAM,
        },
    )
    assert parse(data, filename="a.pptx") == "How we work\n\n- Plan\n  - Ask\n- Build\n"


def test_links_fields_and_footers() -> None:
    presentation = pptx.Presentation()
    for _ in range(2):
        frame = slide_of(presentation).shapes.add_textbox(*BOX).text_frame
        frame.text = "See "
        run = frame.paragraphs[0].add_run()
        run.text = "the plan"
        run.hyperlink.address = "https://harbor.example/plan"
    footer = (
        '<p:sp><p:nvSpPr><p:cNvPr id="8" name="F"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/>'
        "</p:nvPr></p:nvSpPr><p:txBody><a:p>{text}</a:p></p:txBody></p:sp>"
    )
    added = footer.format(kind="ftr", text="<a:r><a:t>Harbor AG</a:t></a:r>") + footer.format(
        kind="sldNum", text='<a:fld type="slidenum"><a:t>17</a:t></a:fld>'
    )
    data = with_parts(
        saved(presentation),
        **{
            f"ppt/slides/slide{number}.xml": lambda xml: xml.replace(
                "</p:spTree>", f"{added}</p:spTree>"
            )
            for number in (1, 2)
        },
    )
    assert parse(data, filename="a.pptx") == (
        "See [the plan](https://harbor.example/plan)\n\nHarbor AG\n\n"
        "\fSee [the plan](https://harbor.example/plan)\n"
    )


OLD_COMMENTS = (
    '<p:cmLst xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">'
    '<p:cm authorId="0"><p:text>Too long</p:text></p:cm></p:cmLst>'
)
AUTHORS = (
    '<p:cmAuthorLst xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">'
    '<p:cmAuthor id="0" name="Eva Berg"/></p:cmAuthorLst>'
)
NEW = "http://schemas.microsoft.com/office/powerpoint/2018/8/main"
THREAD = (
    f'<p188:cmLst xmlns:p188="{NEW}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
    '<p188:cm authorId="{1}"><p188:replyLst><p188:reply authorId="{2}"><p188:txBody><a:p><a:r>'
    "<a:t>No.</a:t></a:r></a:p></p188:txBody></p188:reply></p188:replyLst><p188:txBody><a:p><a:r>"
    "<a:t>Too long?</a:t></a:r></a:p></p188:txBody></p188:cm></p188:cmLst>"
)
PEOPLE = (
    f'<p188:authorLst xmlns:p188="{NEW}"><p188:author id="{{1}}" name="Eva"/>'
    '<p188:author id="{2}" name="Tom"/></p188:authorLst>'
)


@pytest.mark.parametrize(
    ("comments", "kind", "authors", "expected"),
    [
        (OLD_COMMENTS, "commentAuthors", AUTHORS, ["Comment (Eva Berg): Too long"]),
        (THREAD, "authors", PEOPLE, ["Comment (Eva): Too long?", "Comment (Tom): No."]),
    ],
)
def test_comments_follow_their_slide(
    comments: str, kind: str, authors: str, expected: list[str]
) -> None:
    presentation = pptx.Presentation()
    slide_of(presentation, 5, "Plan")
    data = with_parts(
        saved(presentation),
        **{
            SLIDE_LINKS: relate("comments", "../comments/comment1.xml"),
            "ppt/comments/comment1.xml": lambda _: comments,
            "ppt/_rels/presentation.xml.rels": relate(kind, "people.xml"),
            "ppt/people.xml": lambda _: authors,
        },
    )
    assert parse(data, filename="a.pptx").split("\n\n")[1:] == [
        *expected[:-1],
        f"{expected[-1]}\n",
    ]


def test_descriptions_of_pictures_are_text_but_names_of_files_are_not() -> None:
    presentation = pptx.Presentation()
    shapes = slide_of(presentation).shapes
    for description in ("A crane at night", "IMG_2034.JPG"):
        box = shapes.add_textbox(*BOX)
        box._element.nvSpPr.cNvPr.set("descr", description)
    assert text_of(presentation) == "A crane at night\n"


def test_hidden_and_strict_slides_are_read() -> None:
    presentation = pptx.Presentation()
    slide_of(presentation, 5, "Reserve")._element.set("show", "0")
    data = with_parts(
        saved(presentation),
        **{
            part: lambda xml: (
                xml.replace(
                    "http://schemas.openxmlformats.org/presentationml/2006/main",
                    "http://purl.oclc.org/ooxml/presentationml/main",
                )
                .replace(RELATED, "http://purl.oclc.org/ooxml/officeDocument/relationships")
                .replace(
                    "http://schemas.openxmlformats.org/drawingml/2006/main",
                    "http://purl.oclc.org/ooxml/drawingml/main",
                )
            )
            for part in ("ppt/presentation.xml", SLIDE, "_rels/.rels", SLIDE_LINKS)
        },
    )
    assert parse(data, filename="a.pptx") == "# Reserve\n"


ALTERNATIVE = (
    '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
    '<mc:Choice Requires="p14">{0}</mc:Choice><mc:Fallback>{0}</mc:Fallback></mc:AlternateContent>'
)
SHAPE = (
    '<p:sp><p:nvSpPr><p:cNvPr id="7" name="S"/></p:nvSpPr><p:txBody><a:p><a:r><a:t>Once</a:t></a:r>'
    "</a:p></p:txBody></p:sp>"
)


def test_of_two_alternatives_one_is_read() -> None:
    presentation = pptx.Presentation()
    slide_of(presentation)
    added = ALTERNATIVE.format(SHAPE)
    data = with_parts(
        saved(presentation),
        **{SLIDE: lambda xml: xml.replace("</p:spTree>", f"{added}</p:spTree>")},
    )
    assert parse(data, filename="a.pptx") == "Once\n"


def test_groups_nested_without_end_give_one_reason() -> None:
    presentation = pptx.Presentation()
    slide_of(presentation)
    deep = "<p:grpSp>" * 5000 + "</p:grpSp>" * 5000
    data = with_parts(
        saved(presentation),
        **{SLIDE: lambda xml: xml.replace("</p:spTree>", f"{deep}</p:spTree>")},
    )
    with pytest.raises(ParsingError, match=r"a\.pptx is nested too deeply to be read"):
        parse(data, filename="a.pptx")
