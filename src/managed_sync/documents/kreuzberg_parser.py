"""PDF through ``kreuzberg``, and HTML that is too large for anything slower.

``kreuzberg`` gives each page's lines, complete and in reading order, and its guess at the
structure, which now and then leaves out a line. So the lines are the text, and the guess only says
which of them may be headings.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from managed_sync.documents import markdown
from managed_sync.documents.markdown import PAGE_BREAK
from managed_sync.documents.pdf_layout import pages_to_markdown
from managed_sync.errors import MissingExtraError, ParsingError

__all__ = ["is_installed", "parse_html", "parse_pdf"]

_PDF = "application/pdf"
_HEAD = re.compile(r"<head\b.*?</head\s*>", re.IGNORECASE | re.DOTALL)


def is_installed() -> bool:
    """Whether the ``parsers`` extra is there."""
    return find_spec("kreuzberg") is not None


def parse_pdf(data: bytes, *, name: str) -> str:
    """A PDF, a form feed between its pages; text in pictures is not read.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    result = _extract(data, _PDF, name=name)
    headings: dict[int, dict[str, int]] = {}
    for node in (result.document or {}).get("nodes", []):
        content = node["content"]
        if content["node_type"] == "heading":
            of_page = headings.setdefault(node.get("page") or 0, {})
            for line in content["text"].splitlines():
                of_page[line.strip()] = content["level"]
    pages = result.pages or []
    return pages_to_markdown(
        [page["content"] for page in pages],
        [headings.get(page["page_number"], {}) for page in pages],
    )


def parse_html(text: str, *, name: str) -> str:
    """An HTML page as Markdown, at megabytes a second.

    Raises:
        ParsingError: It could not be read.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    # The <title> in the head would come out as a heading of the text.
    body = _HEAD.sub("", markdown.clean(text), count=1)
    result = _extract(body.encode("utf-8"), "text/html", name=name)
    return markdown.clean(result.content).replace(PAGE_BREAK, "\n")


def _extract(data: bytes, media_type: str, *, name: str) -> Any:
    try:
        import kreuzberg  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise MissingExtraError(f"Reading {name}", "parsers") from error
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="markdown",
        include_document_structure=media_type == _PDF,
        pages=kreuzberg.PageConfig(extract_pages=media_type == _PDF),
    )
    try:
        return kreuzberg.extract_bytes_sync(data, media_type, config)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        reason = " ".join(str(error).split())[:200]
        if "password" in reason.lower() or "encrypt" in reason.lower():
            reason = "it is protected with a password; save it without one to have it indexed"
        raise ParsingError(f"{name} could not be read: {reason}") from error
