"""Word, PowerPoint, Excel, HTML and Markdown through ``unstructured``.

``unstructured`` gives a list of elements; here they are written down as Markdown. A title is a
heading only where the file marks it as one: what merely looks like a title stays a paragraph.
"""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK
from managed_sync.documents.parsing.parsers.unstructured_nlp import without_language_model
from managed_sync.errors import ManagedSyncError, MissingExtraError, ParsingError

__all__ = [
    "parse_docx",
    "parse_html",
    "parse_markdown",
    "parse_pptx",
    "parse_xlsx",
    "running_unstructured",
    "to_markdown",
]

# No language detection: its result is not used.
_OPTIONS: dict[str, Any] = {"languages": [""]}
# Paragraphs of one character are left out; with an invisible one beside it, it is not alone.
_WORD_JOINER = "\u2060"
_ONE_CHARACTER = re.compile(r"(>\s*)([^\s<&]|&#?\w+;)(\s*<)")
_WORD_TEXT = "word/document.xml"
_PAGE_BREAK = re.compile(rb"<w:br\b[^>]*w:type=\"page\"[^>]*/>")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d) 00:00:00")


def parse_docx(data: bytes, *, name: str) -> str:
    """A Word file; pages are known where Word recorded them."""
    with running_unstructured(name):
        from unstructured.partition.docx import partition_docx  # noqa: PLC0415

        elements = partition_docx(
            file=io.BytesIO(_with_page_breaks(data)), include_page_breaks=True, **_OPTIONS
        )
        return to_markdown(elements)


def _with_page_breaks(data: bytes) -> bytes:
    """A Word file whose page breaks can be seen, also where Word has never laid it out.

    ``unstructured`` sees the marks that Word leaves where a page began when it saved the file;
    other programs write the breaks only that an author has set.
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
    """A PowerPoint file: a page and a heading for each slide, its notes below it."""
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
        return _join_pages(pages)


def parse_xlsx(data: bytes, *, name: str) -> str:
    """An Excel file: a page, a heading and one or more tables for each sheet."""
    with running_unstructured(name):
        from unstructured.partition.xlsx import partition_xlsx  # noqa: PLC0415

        sheets: dict[str, list[Any]] = {}
        for element in partition_xlsx(file=io.BytesIO(data), **_OPTIONS):
            sheets.setdefault(element.metadata.page_name or "", []).append(element)
        return _join_pages(
            markdown.join_blocks([markdown.heading(title, 1), *_blocks(elements)])
            for title, elements in sheets.items()
        )


def parse_html(text: str, *, name: str) -> str:
    """An HTML page: its main part where it marks one, without scripts and styles."""
    with running_unstructured(name):
        return _html_to_markdown(text)


def parse_markdown(text: str, *, name: str) -> str:
    """A Markdown file, by way of HTML, so that every way to write a heading comes out alike."""
    with running_unstructured(name):
        from markdown import markdown as to_html  # noqa: PLC0415

        # What partition_md does, with one step in between.
        text = markdown.clean(text)
        front = ""
        if matter := _FRONT_MATTER.match(text):
            front, text = markdown.paragraph(matter.group(1)), text[matter.end() :]
        html = to_html(text, extensions=["tables", "fenced_code", "sane_lists"])
        return markdown.join_blocks([front, _html_to_markdown(html)])


@contextmanager
def running_unstructured(name: str, *, extra: str = "unstructured") -> Iterator[None]:
    """Runs ``unstructured`` quietly, offline, and with its errors made this package's own.

    Args:
        name: What errors call the file.
        extra: The extra to install if a library is missing.

    Raises:
        ParsingError: Instead of whatever ``unstructured`` raises.
        MissingExtraError: A library is missing.
    """
    _opt_out_of_telemetry()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with without_language_model():
                yield
    except ManagedSyncError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"Reading {name}", extra) from error
    except RecursionError as error:
        raise ParsingError(f"{name} is nested too deeply to be read.") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if "password" in reason.lower() or "encrypt" in reason.lower():
            reason = "it is protected with a password"
        raise ParsingError(f"{name} could not be read: {reason}") from error


def _opt_out_of_telemetry() -> None:
    """``unstructured`` reports its use over the network and prints an advertisement, unless told.

    It listens to environment variables only.
    """
    for variable, value in (("SCARF_NO_ANALYTICS", "true"), ("UNSTRUCTURED_DISABLE_NOTICE", "1")):
        if not os.environ.get(variable, "").strip():
            os.environ[variable] = value
    logger = logging.getLogger("unstructured")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


def _html_to_markdown(html: str) -> str:
    from unstructured.partition.html import partition_html  # noqa: PLC0415

    if not html.strip():
        return ""
    html = _ONE_CHARACTER.sub(rf"\1\2{_WORD_JOINER}\3", _number_lists(html))
    return to_markdown(partition_html(text=html, **_OPTIONS)).replace(_WORD_JOINER, "")


def _number_lists(html: str) -> str:
    """Writes the numbers of numbered lists into their items: elements do not carry them."""
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
    # A depth of 0 is the slide's title; others are paragraphs that only look like one.
    return bool(element.category == "Title" and element.metadata.category_depth == 0)


def to_markdown(
    elements: Iterable[Any], *, is_heading: Callable[[Any], bool] = _is_marked_heading
) -> str:
    """Elements of ``unstructured`` as Markdown, a form feed for each page break among them."""
    pages: list[list[Any]] = [[]]
    for element in elements:
        if element.category == "PageBreak":
            pages.append([])
        else:
            pages[-1].append(element)
    if len(pages) > 1 and not pages[-1]:  # OCR ends each page with a break, the last one too
        pages.pop()
    return _join_pages(markdown.join_blocks(_blocks(page, is_heading=is_heading)) for page in pages)


def _join_pages(pages: Iterable[str]) -> str:
    return f"\n\n{PAGE_BREAK}".join(page.strip("\n") for page in pages)


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
    """The table that ``unstructured`` wrote as simple HTML; a merged cell is followed by gaps."""
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
