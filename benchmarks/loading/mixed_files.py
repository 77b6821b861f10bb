"""Files of mixed formats with real prose in them: the pages of a manual, written in other ways."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import docx
import openpyxl
import pptx
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate

from managed_sync.documents import parse

__all__ = ["write_mixed_files"]

# Of twenty files: what a company's drive holds.
_MIX = (
    ("docx",) * 5
    + ("pdf",) * 4
    + ("html",) * 3
    + ("md",) * 3
    + ("txt",) * 2
    + (
        "pptx",
        "xlsx",
        "csv",
    )
)
_PERMISSIONS = """\
organization: Manual
users: [reader@manual.example]
files:
  /: {viewer: [organization]}
"""


def write_mixed_files(manual: Path, company: Path, count: int) -> int:
    """Writes a company of as many files as wanted, and says how many characters of prose.

    Raises:
        ValueError: The manual has too few pages with prose in them.
    """
    folder = company / "files"
    folder.mkdir(parents=True)
    (company / "permissions.yaml").write_text(_PERMISSIONS, encoding="utf-8")
    characters = 0
    for number, (page, text) in zip(range(count), _prose(manual), strict=False):
        kind = _MIX[number % len(_MIX)]
        data = page.read_bytes() if kind == "html" else _WRITERS[kind](text)
        # The same text in two files would be found twice, but nothing here searches.
        (folder / f"{number:04} {page.stem}.{kind}").write_bytes(data)
        characters += len(text)
    if len(list(folder.iterdir())) < count:
        raise ValueError(f"{manual} has fewer than {count} pages with prose in them")
    return characters


def _prose(manual: Path) -> Iterator[tuple[Path, str]]:
    for page in sorted(manual.rglob("*.html")):
        text = parse(page.read_bytes(), content_type="text/html", filename=page.name)
        if len(text) > 500:
            yield page, text


def _blocks(text: str) -> Sequence[str]:
    return [block for block in text.replace("\f", "\n").split("\n\n") if block.strip()]


def _docx(text: str) -> bytes:
    document = docx.Document()
    for block in _blocks(text):
        marks, blank, title = block.partition(" ")
        if blank and set(marks) == {"#"}:
            document.add_heading(title, min(len(marks), 9))
        else:
            document.add_paragraph(block)
    return _saved(document.save)


def _pptx(text: str) -> bytes:
    presentation = pptx.Presentation()
    for block in _blocks(text)[:30]:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = block[:60]
        slide.placeholders[1].text = block
    return _saved(presentation.save)


def _xlsx(text: str) -> bytes:
    workbook = openpyxl.Workbook()
    for number, block in enumerate(_blocks(text)):
        workbook.active.append([number, block.lstrip("=")])
    return _saved(workbook.save)


def _pdf(text: str) -> bytes:
    style = getSampleStyleSheet()["Normal"]
    buffer = io.BytesIO()
    story = [Paragraph(escape(block), style) for block in _blocks(text)]
    SimpleDocTemplate(buffer, pagesize=A4).build(story)
    return buffer.getvalue()


def _csv(text: str) -> bytes:
    rows = (
        f'{number},"{block.replace(chr(34), "")}"' for number, block in enumerate(_blocks(text))
    )
    return "\n".join(["number,text", *rows]).encode()


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[str], bytes]] = {
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "pdf": _pdf,
    "csv": _csv,
    "md": str.encode,
    "txt": str.encode,
}
