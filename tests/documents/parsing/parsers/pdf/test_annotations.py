from __future__ import annotations

import io

import pypdf
from pypdf.annotations import FreeText, Highlight, Text
from pypdf.generic import ArrayObject, FloatObject
from reportlab.pdfgen.canvas import Canvas

from tests.documents.pdf_files import drawn, read


def commented(*annotations: pypdf.generic.DictionaryObject) -> bytes:
    def page(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "The arm lifts 40 kg.")
        canvas.drawString(72, 500, "The hand lifts 2 kg.")

    writer = pypdf.PdfWriter(io.BytesIO(drawn(page)))
    for annotation in annotations:
        writer.add_annotation(0, annotation)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_a_comment_follows_the_paragraph_that_it_is_on() -> None:
    note = Text(rect=(200, 695, 220, 715), text="Is this\nmeasured?", title_bar="Anouk")
    assert read(commented(note)).strip().split("\n\n") == [
        "The arm lifts 40 kg.",
        "Comment (Anouk): Is this measured?",
        "The hand lifts 2 kg.",
    ]


def test_remarks_on_marked_text_and_free_text_are_comments() -> None:
    box = (72, 495, 180, 512)
    corners = ArrayObject(FloatObject(each) for each in (72, 512, 180, 512, 72, 495, 180, 495))
    mark = Highlight(rect=box, quad_points=corners)
    mark[pypdf.generic.NameObject("/Contents")] = pypdf.generic.TextStringObject("Too little.")
    text = read(commented(mark, FreeText(text="Ask Delft.", rect=(300, 100, 400, 120))))
    assert text.index("2 kg.") < text.index("Comment: Too little.")
    assert text.count("Ask Delft.") == 1


def test_a_link_keeps_its_target_and_one_within_the_file_does_not() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "Read the yearly plan today.")
        canvas.linkURL("https://harbor.example/plan", (100, 695, 187, 712))
        canvas.drawString(72, 600, "https://harbor.example/map")
        canvas.linkURL("https://harbor.example/map", (72, 595, 220, 612))
        canvas.bookmarkPage("top")
        canvas.drawString(72, 500, "Back to the top")
        canvas.linkRect("", "top", (72, 495, 160, 512))

    assert read(drawn(page)).strip().split("\n\n") == [
        "Read [the yearly plan](https://harbor.example/plan) today.",
        "https://harbor.example/map",
        "Back to the top",
    ]


def test_a_filled_form_gives_its_values_in_place_and_by_name() -> None:
    def page(canvas: Canvas) -> None:
        form = canvas.acroForm
        canvas.drawString(72, 700, "Customer:")
        form.textfield(name="customer", x=140, y=692, width=200, height=20, value="Nordfracht AG")
        form.textfield(name="remark", x=140, y=652, width=200, height=20, value="")
        form.checkbox(name="express", x=140, y=620, checked=True, tooltip="Express delivery")
        form.checkbox(name="gift", x=140, y=590, checked=False)
        form.choice(name="site", x=140, y=550, value="Tallinn", options=["Delft", "Tallinn"])
        form.radio(name="pay", value="card", selected=True, x=140, y=520)
        form.radio(name="pay", value="cash", selected=False, x=180, y=520)

    text = read(drawn(page))
    assert "Customer: Nordfracht AG" in text
    assert text.strip().rpartition("\n\n")[2].split("\n") == [
        "customer: Nordfracht AG",
        "Express delivery: yes",
        "gift: no",
        "site: Tallinn",
        "pay: card",
    ]


def test_an_empty_form_has_no_list_of_fields() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "Customer:")
        canvas.acroForm.textfield(name="customer", x=140, y=692, width=200, height=20)
        canvas.acroForm.checkbox(name="gift", x=140, y=590)

    assert read(drawn(page)).strip() == "Customer:"
