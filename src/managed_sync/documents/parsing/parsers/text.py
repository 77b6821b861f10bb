"""Reads formats that are text already: plain text, code, CSV, and web pages without structure."""

from __future__ import annotations

import html
import re
from pathlib import PurePosixPath

from managed_sync.documents.parsing.markdown_writer import (
    PAGE_BREAK,
    code_block,
    escape,
    join_blocks,
    paragraph,
)

__all__ = ["bare_text", "parse_code", "parse_text"]

_UNSEEN = re.compile(
    r"<(head|script|style|template|noscript|svg)\b.*?</\1\s*>|<!--.*?-->|<![^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_TAGS = re.compile(r"(?:</?[a-z][^<>]*>\s*)+", re.IGNORECASE)


def parse_text(text: str) -> str:
    """Escapes plain text, in which form feeds are page breaks, as they are for printers."""
    return PAGE_BREAK.join(escape(page) for page in text.split(PAGE_BREAK))


def parse_code(text: str, *, filename: str) -> str:
    """Writes code and data formats as one fenced block with the language of the file's suffix."""
    return code_block(text, PurePosixPath(filename).suffix.lower().removeprefix("."))


def bare_text(page: str) -> str:
    """Returns the text between the tags of a web page, with a paragraph for each text.

    It is for pages in which no parser finds any text.

    Examples:
        >>> bare_text("<div><div><p>Deep &amp; down.</p></div></div>")
        'Deep & down.'
    """
    parts = _TAGS.split(_UNSEEN.sub("", page))
    return join_blocks(paragraph(html.unescape(part)) for part in parts)
