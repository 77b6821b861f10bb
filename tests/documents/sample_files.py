"""Real files of each format, made in memory."""

from __future__ import annotations

import datetime
import io
from email.message import EmailMessage
from typing import Any

import docx
import openpyxl
import pptx
from docx.oxml import OxmlElement
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PDF = "application/pdf"
UNKNOWN = "application/octet-stream"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))

HTML = """<!DOCTYPE html><html><head><title>T</title><script>var x = "hidden";</script></head><body>
<h1>Safety</h1><p>Robots stop when a person enters the cell.</p>
<h2>Checks</h2><ul><li>gloves<ul><li>size</li></ul></li><li>helmet</li></ul>
<ol><li>Press the button.</li><li>Wait.</li></ol>
<table><tr><th>Part</th><th>Limit</th></tr><tr><td>Arm|Hand</td><td>40 N</td></tr></table>
<pre><code># not a heading
stop()</code></pre></body></html>"""

MARKDOWN = """---
owner: Maria
---
Handbook
========

First paragraph.

## Steps

1. Open it.
2. Close it.

| A | B |
|---|---|
| 1 | 2 |

```python
# comment
run()
```
"""


def make_docx() -> bytes:
    document = docx.Document()
    document.add_heading("Travel policy", 1)
    document.add_paragraph("Everybody travels by train where a train goes.")
    document.add_heading("Hotels", 2)
    document.add_paragraph("up to four stars", style="List Bullet")
    document.add_paragraph("breakfast included", style="List Bullet")
    document.add_heading("Limits", 3)
    table = document.add_table(2, 2)
    for index, text in enumerate(["City", "Limit", "Oslo | Bergen", "200"]):
        table.cell(index // 2, index % 2).text = text
    document.add_paragraph("# of nights counts")
    return _saved(document)


def make_docx_of_two_pages(laid_out_by_word: bool) -> bytes:
    document = docx.Document()
    document.add_paragraph("First page.")
    document.add_page_break()
    document.add_paragraph("Second page.")
    if laid_out_by_word:
        run = document.paragraphs[1].runs[0]._r
        run.append(OxmlElement("w:lastRenderedPageBreak"))
    return _saved(document)


def make_pptx() -> bytes:
    presentation = pptx.Presentation()
    for title, body in [("Goals", "Grow in Europe\nHire"), ("Risks", "Chips are scarce")]:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    slide.notes_slide.notes_text_frame.text = "Mention the supplier."
    return _saved(presentation)


def make_xlsx() -> bytes:
    workbook = openpyxl.Workbook()
    budget = workbook.active
    budget.title = "Budget"
    for row in [["Item", "Cost", "Due"], ["Rent", 1200.5, datetime.date(2026, 1, 31)]]:
        budget.append(row)
    plan = workbook.create_sheet("Plan")
    for row in [["Step", "Who"], ["Build", "Tom"]]:
        plan.append(row)
    return _saved(workbook)


def make_pdf(*, password: str | None = None, pages: int = 2) -> bytes:
    styles = getSampleStyleSheet()
    sentence = "The gripper is inspected every week by the person who runs the cell. "
    story: list[Any] = []
    for page in range(1, pages + 1):
        story += [
            Paragraph(f"Inspection part {page}", styles["Heading1"]),
            Paragraph(sentence * 6, styles["Normal"]),
            PageBreak(),
        ]
    buffer = io.BytesIO()
    encrypt = StandardEncryption(password) if password else None
    SimpleDocTemplate(buffer, pagesize=A4, encrypt=encrypt).build(story)
    return buffer.getvalue()


def make_pdf_without_text() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    canvas.rect(50, 50, 200, 200, fill=1)
    canvas.save()
    return buffer.getvalue()


def make_eml() -> bytes:
    message = EmailMessage()
    message["From"] = "Maria Lopez <maria@harbor.example>"
    message["To"] = "tom@harbor.example"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0100"
    message["Subject"] = "Grüße aus Hamburg"
    message.set_content("Hello Tom,\n\nthe crane arrives on Monday.\n")
    message.add_attachment(b"GIF89a", maintype="image", subtype="gif", filename="crane.gif")
    return message.as_bytes()


def _saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()
