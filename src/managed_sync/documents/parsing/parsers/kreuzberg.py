"""Reads PDF, Office, OpenDocument, books and more with ``kreuzberg``.

``kreuzberg`` writes Markdown itself, which this module turns into this package's form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.base import missing_parser, unreadable
from managed_sync.documents.parsing.file_types import FileType, media_type_of
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK, join_pages

__all__ = ["parse_document", "parse_pdf", "parse_slides", "parse_workbook"]

_SLIDE = "managed-sync-slide"
_SLIDE_MARK = re.compile(rf"^{_SLIDE}\d+$\n*", re.MULTILINE)
_SECOND_LEVEL = re.compile(r"^## ", re.MULTILINE)
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d) 00:00:00")
# Escaped for readers of Markdown; models and searches need the plain character.
_ESCAPED = re.compile(r"\\([.<>_*+!()\[\]{}~&$^=:;,'\"?%@/-])")
_PADDED_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
_RULE_ROW = re.compile(r"[|\s:-]+")
_NESTED_BULLET = re.compile(r"^( +)[*+] ", re.MULTILINE)


def parse_document(data: bytes, kind: FileType, *, name: str) -> str:
    """Reads a text with headings, lists and tables: Word, OpenDocument, RTF, EPUB.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    return _tidy(_extract(data, kind, name=name).content)


def parse_slides(data: bytes, kind: FileType, *, name: str) -> str:
    """Reads a presentation, with a page and a heading for each slide.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    text = _tidy(_extract(data, kind, name=name).content)
    slides = _SLIDE_MARK.split(_SECOND_LEVEL.sub("# ", text))
    return join_pages(slides[1:] if not slides[0].strip() else slides)


def parse_workbook(data: bytes, kind: FileType, *, name: str) -> str:
    """Reads a workbook, with a page, a heading and a table for each sheet.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    text = _MIDNIGHT.sub(r"\1", _tidy(_extract(data, kind, name=name).content))
    before, *sheets = _SECOND_LEVEL.split(text)
    return join_pages([*([before] if before.strip() else []), *(f"# {each}" for each in sheets)])


def parse_pdf(data: bytes, *, name: str) -> str:
    """Reads a PDF, line by line, with a form feed between its pages.

    The structure that ``kreuzberg`` finds in a PDF leaves out some lines, but its plain pages do
    not. So the lines are the text, and the structure only tells which of them are headings.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    result = _extract(data, FileType.PDF, name=name)
    levels: dict[int, dict[str, int]] = {}
    for node in (result.document or {}).get("nodes", []):
        content = node["content"]
        if content["node_type"] == "heading":
            levels.setdefault(node.get("page") or 0, {})[content["text"].strip()] = content["level"]
    return join_pages(
        markdown.join_blocks(_page(page["content"], levels.get(page["page_number"], {})))
        for page in result.pages or []
    )


def _page(text: str, levels: Mapping[str, int]) -> Iterator[str]:
    """Yields the headings of a page, and the lines between them."""
    for is_heading, lines in groupby(text.splitlines(), key=lambda line: line.strip() in levels):
        if is_heading:
            yield from (markdown.heading(line, levels[line.strip()]) for line in lines)
        else:
            yield markdown.paragraph("\n".join(lines))


def _tidy(text: str) -> str:
    return markdown.outside_code(_plain, markdown.clean(text).replace(PAGE_BREAK, "\n"))


def _plain(text: str) -> str:
    text = _NESTED_BULLET.sub(r"\1- ", _ESCAPED.sub(r"\1", text))
    return _PADDED_ROW.sub(lambda row: _narrow(row.group()), text)


def _narrow(row: str) -> str:
    """Removes the blanks of a table row that only align its cells."""
    if _RULE_ROW.fullmatch(row):
        return re.sub("-{4,}", "---", row)
    return " ".join(row.split())


def _extract(data: bytes, kind: FileType, *, name: str) -> Any:
    try:
        import kreuzberg  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="markdown",
        include_document_structure=kind is FileType.PDF,
        pages=kreuzberg.PageConfig(
            extract_pages=kind is FileType.PDF,
            insert_page_markers=kind in {FileType.PPTX, FileType.ODP},
            marker_format=f"\n\n{_SLIDE}{{page_num}}\n\n",
        ),
    )
    try:
        return kreuzberg.extract_bytes_sync(data, media_type_of(kind), config)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Rust is not an Exception
        raise unreadable(name, error) from error
