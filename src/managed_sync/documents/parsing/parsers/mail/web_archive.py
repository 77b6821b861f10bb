"""Reads web archives (MHTML): a page and the pages in its frames, kept as a message."""

from __future__ import annotations

import re
from email.message import Message

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.base import nested_too_deeply
from managed_sync.documents.parsing.parsers.mail import bodies
from managed_sync.documents.parsing.parsers.mail.alternatives import HtmlReader, html_text
from managed_sync.documents.parsing.parsers.mail.headers import header
from managed_sync.documents.parsing.parsers.mail.message import parse_message
from managed_sync.errors import ParsingError

__all__ = ["parse_web_archive"]

_MAX_PAGES = 200
# The subject of every page that Confluence exports to Word.
_NO_TITLE = "Exported From Confluence"
# The page around the frames says only that it has frames; each sheet of a workbook is one.
_FRAMES = re.compile(r"<frameset\b", re.IGNORECASE)


def parse_web_archive(data: bytes, *, name: str, read_html: HtmlReader) -> str:
    """Returns the text of a saved page, as ``read_html`` writes it.

    Raises:
        ParsingError: There is no page in the file.
    """
    message = parse_message(data, name=name)
    try:
        parts = [part for part in message.walk() if not part.is_multipart()]
    except RecursionError:
        raise nested_too_deeply(name) from None
    pages = [part for part in parts if _is_page(part)]
    if pages:
        sources = [bodies.text_of(page, name) for page in pages[:_MAX_PAGES]]
        shown = [source for source in sources if not _FRAMES.search(source)] or sources
        texts = [html_text(source, read_html, name=name) for source in shown]
    else:
        texts = [
            bodies.plain_text(part, bodies.text_of(part, name))
            for part in parts
            if part.get_content_type() == "text/plain" and message.keys()
        ]
    text = markdown.join_blocks(dict.fromkeys(texts))
    title = header(message, "Subject")
    if title == _NO_TITLE:
        title = ""
    if not text.strip() and not (pages and title):
        raise ParsingError(f"{name} is declared as a web archive, but there is no page in it.")
    if title and title not in text:
        text = markdown.join_blocks([markdown.heading(title, 1), text])
    return text


def _is_page(part: Message) -> bool:
    return part.get_content_type() in {"text/html", "application/xhtml+xml"}
