"""Reads e-mail with the standard library: headers, text, and the names of attachments."""

from __future__ import annotations

import email
import email.message
import email.policy
from collections.abc import Iterator
from typing import Protocol

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.parsers.text import parse_text
from managed_sync.errors import ParsingError

__all__ = ["HtmlReader", "parse_email"]


class HtmlReader(Protocol):
    """A function that turns HTML into Markdown."""

    def __call__(self, text: str, *, name: str) -> str:
        """Returns the Markdown."""
        ...


_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def parse_email(data: bytes, *, name: str, read_html: HtmlReader) -> str:
    """Writes an e-mail: its headers, its text, and the names of its attachments.

    Args:
        data: The message.
        name: The name of the file, for errors.
        read_html: Turns the HTML body into Markdown if there is no plain one.

    Raises:
        ParsingError: The file is not an e-mail.
    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    headers = [f"{header}: {message[header]}" for header in _HEADERS if message[header]]
    if not headers:
        raise ParsingError(f"{name} is declared as an e-mail, but it has none of its headers.")
    files = ", ".join(filter(None, (part.get_filename() for part in _attached(message))))
    return markdown.join_blocks(
        [
            markdown.heading(str(message["Subject"] or ""), 1),
            markdown.paragraph("\n".join(headers)),
            _body(message, name, read_html),
            markdown.paragraph(f"Attachments: {files}") if files else "",
        ]
    )


def _attached(message: email.message.EmailMessage) -> Iterator[email.message.Message]:
    for part in message.walk():
        if part.get_filename():
            yield part


def _body(message: email.message.EmailMessage, name: str, read_html: HtmlReader) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    charset = part.get_content_charset()
    try:
        text = content.decode(charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        text = decode(content, name=name)
    if part.get_content_subtype() == "html":
        # Headings in the body are below the subject.
        return markdown.deeper(read_html(text, name=name))
    return parse_text(text).strip("\n")
