"""Reads mailboxes (mbox): each message is a file in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser

from managed_sync.documents.parsing.parsers.mail.headers import header
from managed_sync.documents.parsing.parts import Container, Member, bounded
from managed_sync.errors import ParsingError

__all__ = ["open_mailbox"]

# A line of a mailbox has the time at which the message came, after an empty line.
_FROM_LINE = re.compile(rb"(?:\A\s*|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\d\d:\d\d[^\n]*\n")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_HEADER_BYTES = 64 * 1024


def open_mailbox(data: bytes, *, name: str) -> Container:
    """Opens a mailbox.

    Raises:
        ParsingError: The file is not a mailbox.
    """
    starts = _FROM_LINE.match(data.removeprefix(b"\xef\xbb\xbf"))
    if starts is None:
        raise ParsingError(f"{name} is declared as a mailbox, but it has no line for a message.")
    return Container("", _messages(data), noun="Message", lists_members=True)


def _messages(data: bytes) -> Iterator[Member]:
    start: int | None = None
    for line in _FROM_LINE.finditer(data):
        if start is not None:
            yield _member(data[start : line.start()])
        start = line.end()
    if start is not None:
        yield _member(data[start:])


def _member(data: bytes) -> Member:
    data = _QUOTED_FROM.sub(rb"\1", data)
    headers = BytesHeaderParser().parsebytes(data[:_HEADER_BYTES])
    subject = header(headers, "Subject") or "message"
    return Member(
        f"{subject.replace('/', ' ')}.eml",
        lambda limit: bounded(data, subject, limit),
        "message/rfc822",
        title=subject,
    )
