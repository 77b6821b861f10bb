"""Reads Word, PowerPoint, Excel, HTML, Markdown and PDF with ``unstructured``.

``unstructured`` returns a list of elements, which this module writes as Markdown. A title is a
heading only if the file marks it as one; a paragraph that only looks like a title stays one.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.markdown_writer import join_pages
from managed_sync.documents.parsing.parsers.markdown import split_front_matter
from managed_sync.documents.parsing.parsers.unstructured_runtime import running_unstructured

__all__ = [
    "PdfStrategy",
    "parse_docx",
    "parse_html",
    "parse_markdown",
    "parse_pdf",
    "parse_pptx",
    "parse_xlsx",
    "to_markdown",
]

PdfStrategy: TypeAlias = Literal["auto", "fast", "hi_res", "ocr_only"]

# No language detection: its result is not used.
_OPTIONS: dict[str, Any] = {"languages": [""]}
# unstructured leaves out paragraphs of one character, so an invisible one is added.
_WORD_JOINER = "\u2060"
_ONE_CHARACTER = re.compile(r"(>\s*)([^\s<&]|&#?\w+;)(\s*<)")
_WORD_TEXT = "word/document.xml"
_PAGE_BREAK = re.compile(rb"<w:br\b[^>]*w:type=\"page\"[^>]*/>")
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d) 00:00:00")


def parse_docx(data: bytes, *, name: str) -> str:
    """Reads a Word file; it has pages if Word recorded them or the author set breaks."""
    with running_unstructured(name):
        from unstructured.partition.docx import partition_docx  # noqa: PLC0415

        elements = partition_docx(
            file=io.BytesIO(_with_page_breaks(data)), include_page_breaks=True, **_OPTIONS
        )
        return to_markdown(elements)


def _with_page_breaks(data: bytes) -> bytes:
    """Adds the marks that ``unstructured`` takes for page breaks to a Word file without any.

    Word leaves them at each page when it saves a file; other programs write only the breaks that
    an author has set.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(_WORD_TEXT)
        if b"<w:lastRenderedPageBreak" in text or not _PAGE_BREAK.search(text):
            return data
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as changed:
            for entry in archive.infolist():
                part = archive.read(entry)
                if entry.filename == _WORD_TEXT:
                    part = _PAGE_BREAK.sub(rb"\g<0><w:lastRenderedPageBreak/>", text)
                changed.writestr(entry, part, zipfile.ZIP_STORED)
        return buffer.getvalue()


def parse_pptx(data: bytes, *, name: str) -> str:
    """Reads a PowerPoint file, with a page and a heading for each slide, and its notes below it."""
    with running_unstructured(name):
        import pptx  # noqa: PLC0415
        from unstructured.partition.pptx import partition_pptx  # noqa: PLC0415

        elements = partition_pptx(file=io.BytesIO(data), include_page_breaks=False, **_OPTIONS)
        slides = pptx.Presentation(io.BytesIO(data)).slides
        by_slide: dict[int, list[Any]] = {}
        for element in elements:
            by_slide.setdefault(element.metadata.page_number or 1, []).append(element)
        pages = []
        for number, slide in enumerate(slides, start=1):
            blocks = [*_blocks(by_slide.get(number, []), is_heading=_is_slide_title)]
            if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame):
                notes = markdown.paragraph(frame.text)
                blocks.append(f"Notes: {notes}" if notes.strip() else "")
            pages.append(markdown.join_blocks(blocks))
        return join_pages(pages)


def parse_xlsx(data: bytes, *, name: str) -> str:
    """Reads an Excel file, with a page, a heading and one or more tables for each sheet."""
    with running_unstructured(name):
        from unstructured.partition.xlsx import partition_xlsx  # noqa: PLC0415

        sheets: dict[str, list[Any]] = {}
        for element in partition_xlsx(file=io.BytesIO(data), **_OPTIONS):
            sheets.setdefault(element.metadata.page_name or "", []).append(element)
        return join_pages(
            markdown.join_blocks([markdown.heading(title, 1), *_blocks(elements)])
            for title, elements in sheets.items()
        )


def parse_html(text: str, *, name: str) -> str:
    """Reads an HTML page: its main part if it marks one, without scripts and styles."""
    with running_unstructured(name):
        return _html_to_markdown(text)


def parse_markdown(text: str, *, name: str) -> str:
    """Reads a Markdown file by way of HTML, which has one form for each kind of heading."""
    with running_unstructured(name):
        from markdown import markdown as to_html  # noqa: PLC0415

        # partition_md does the same, without the step that numbers lists.
        front, text = split_front_matter(markdown.clean(text))
        html = to_html(text, extensions=["tables", "fenced_code", "sane_lists"])
        return markdown.join_blocks([front, _html_to_markdown(html)])


def parse_pdf(data: bytes, *, name: str, strategy: PdfStrategy, languages: tuple[str, ...]) -> str:
    """Reads a PDF with ``unstructured``'s layout models or OCR, with a form feed between its pages.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``unstructured``'s PDF part is not installed.
    """
    with running_unstructured(name, extra="unstructured-pdf"):
        from unstructured.partition.pdf import partition_pdf  # noqa: PLC0415 - takes seconds

        elements = partition_pdf(
            file=io.BytesIO(data),
            strategy=strategy,
            languages=list(languages),
            include_page_breaks=True,
            infer_table_structure=strategy == "hi_res",
        )
        # A PDF marks no headings, so a text that looks like a title is the best guess.
        return to_markdown(elements, is_heading=lambda element: element.category == "Title")


def _html_to_markdown(html: str) -> str:
    from unstructured.partition.html import partition_html  # noqa: PLC0415

    if not html.strip():
        return ""
    html = _ONE_CHARACTER.sub(rf"\1\2{_WORD_JOINER}\3", _number_lists(html))
    return to_markdown(partition_html(text=html, **_OPTIONS)).replace(_WORD_JOINER, "")


def _number_lists(html: str) -> str:
    """Writes the numbers of numbered lists into their items, since elements have none."""
    if "<ol" not in html.lower():
        return html
    from lxml import etree  # noqa: PLC0415
    from lxml import html as lxml_html  # noqa: PLC0415

    try:
        root = lxml_html.document_fromstring(html.encode("utf-8", "replace"), _utf8_parser())
    except (etree.ParserError, ValueError):
        return html
    for ordered in root.iter("ol"):
        start = ordered.get("start", "1")
        first = int(start) if start.isdecimal() else 1
        for number, item in enumerate(ordered.iterchildren("li"), start=first):
            holder = item
            # A loose list has its text in a paragraph inside the item.
            while not (holder.text or "").strip() and len(holder) and holder[0].tag == "p":
                holder = holder[0]
            holder.text = f"{number}. {(holder.text or '').lstrip()}"
    return str(etree.tostring(root, encoding="unicode", method="html"))


def _utf8_parser() -> Any:
    from lxml import html as lxml_html  # noqa: PLC0415

    return lxml_html.HTMLParser(encoding="utf-8")


def _is_marked_heading(element: Any) -> bool:
    return bool(element.category == "Title" and element.metadata.category_depth is not None)


def _is_slide_title(element: Any) -> bool:
    # Only a title of depth 0 is the slide's; others are paragraphs that look like one.
    return bool(element.category == "Title" and element.metadata.category_depth == 0)


def to_markdown(
    elements: Iterable[Any], *, is_heading: Callable[[Any], bool] = _is_marked_heading
) -> str:
    """Writes elements of ``unstructured`` as Markdown, with a form feed for each page break."""
    pages: list[list[Any]] = [[]]
    for element in elements:
        if element.category == "PageBreak":
            pages.append([])
        else:
            pages[-1].append(element)
    if len(pages) > 1 and not pages[-1]:  # OCR ends each page with a break, the last one too
        pages.pop()
    return join_pages(markdown.join_blocks(_blocks(page, is_heading=is_heading)) for page in pages)


def _blocks(
    elements: Sequence[Any],
    *,
    is_heading: Callable[[Any], bool] = _is_marked_heading,
) -> Iterator[str]:
    depths = [
        element.metadata.category_depth or 0
        for element in elements
        if element.category == "ListItem"
    ]
    # Formats count the depth of a list from 0 or from 1.
    outermost = min(depths, default=0)
    for element in elements:
        depth = element.metadata.category_depth or 0
        if is_heading(element):
            yield markdown.heading(element.text, depth + 1)
        elif element.category == "ListItem":
            yield markdown.list_item(element.text, depth - outermost)
        elif element.category == "CodeSnippet":
            yield markdown.code_block(element.text)
        elif element.category == "Table" and element.metadata.text_as_html:
            yield _table(element.metadata.text_as_html)
        else:
            yield markdown.paragraph(element.text)


def _table(html: str) -> str:
    """Writes a table from the HTML of ``unstructured``; gaps follow a merged cell."""
    from lxml import html as lxml_html  # noqa: PLC0415

    root = lxml_html.fragment_fromstring(html, parser=lxml_html.HTMLParser(huge_tree=True))
    caption = " ".join(text for node in root.iter("caption") for text in node.itertext())
    rows = []
    for row in root.iter("tr"):
        cells: list[str] = []
        for cell in row.iterchildren("td", "th"):
            text = " ".join(part.strip() for part in cell.itertext())
            span = cell.get("colspan", "1")
            cells += [
                _MIDNIGHT.sub(r"\1", text),
                *[""] * (int(span) - 1 if span.isdecimal() else 0),
            ]
        rows.append(cells)
    return markdown.join_blocks([markdown.paragraph(caption), markdown.table(rows)])
