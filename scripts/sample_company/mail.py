"""A source as an e-mail with a plain and an HTML body."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from html import escape

from scripts.sample_company.source import (
    Block,
    Bullets,
    Heading,
    Note,
    PageBreak,
    Paragraph,
    Source,
    Table,
)


def write_eml(source: Source) -> bytes:
    """The bytes of an eml file."""
    # Nothing random: the boundary and the id come from the text.
    digest = sha256(source.text.encode()).hexdigest()[:24]
    message = EmailMessage(policy=SMTP)
    for name in ("from", "to", "cc", "subject"):
        if name in source.headers or name != "cc":
            message[name.title()] = source[name]
    message["Date"] = format_datetime(source.date)
    message["Message-ID"] = f"<{digest}@mail.harbor.example>"
    message.set_content(source.text + "\n", cte="quoted-printable")
    html = "\n".join(part for block in source.blocks() for part in _html(block))
    message.add_alternative(
        f"<html><body>\n{html}\n</body></html>\n", "html", cte="quoted-printable"
    )
    message.set_boundary(f"=_{digest}")
    return message.as_bytes()


def _html(block: Block) -> Iterator[str]:
    match block:
        case Heading(level, text):
            yield f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            yield f"<p>{escape(text)}</p>"
        case Note(text):
            yield f"<blockquote>{escape(text)}</blockquote>"
        case Bullets(items):
            yield f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
        case Table(rows):
            cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
            yield f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
        case PageBreak():
            yield "<hr>"
