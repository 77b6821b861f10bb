"""Reads e-mail with the ``email`` package, part by part."""

from __future__ import annotations

import base64
import email
import email.header
import email.policy
import email.utils
import re
from collections.abc import Iterator
from email.message import Message
from typing import Protocol

from benchmarks.parsing.truth.html import html_text, parsed_html
from benchmarks.parsing.truth.model import DamagedFileError, Truth, words
from benchmarks.parsing.truth.plain import read_calendar, read_cards

__all__ = ["TextReader", "no_text", "read_mail", "read_mailbox"]

_ADDRESSES = ("From", "To", "Cc")
# A plain part that has less of the words of the web page beside it only points to it.
_STUB = 0.7
# A file in the text, as before MIME.
_ENCODED_FILE = re.compile(
    r"^begin [0-7]{3} .*\r?\n(?:[!-`].*\r?\n)*`?\s*end\s*$"
    r"|^=ybegin .*\n(?:.*\n)*?=yend .*$",
    re.MULTILINE,
)


class TextReader(Protocol):
    """A function that returns the text of a file, or nothing if nothing reads it."""

    def __call__(self, data: bytes, name: str) -> str:
        """Returns the text."""
        ...


def no_text(data: bytes, name: str) -> str:
    """Reads no file."""
    return ""


def read_mail(data: bytes, *, read_attachment: TextReader = no_text) -> Truth:
    """Returns the truth about an e-mail.

    Args:
        data: The e-mail.
        read_attachment: Reads attachments that are not text.

    Raises:
        DamagedFileError: It has none of the headers of one.
    """
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        data = data.decode("utf-16", "replace").encode()
    message = email.message_from_bytes(data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))
    if not any(message[name] for name in (*_ADDRESSES, "Subject", "Date")):
        raise DamagedFileError("no headers of an e-mail in it")
    truth = Truth(uncounted=frozenset({"names of attachments"}))
    _add_message(truth, message, "", read_attachment)
    return truth


def read_mailbox(data: bytes, *, read_attachment: TextReader = no_text) -> Truth:
    """Returns the truth about a mailbox: all its messages.

    Args:
        data: The mailbox.
        read_attachment: Reads attachments that are not text.

    Raises:
        DamagedFileError: There is none in it.
    """
    truth = Truth(uncounted=frozenset({"names of attachments"}))
    for content in re.split(rb"(?m)^From [^\r\n]*\r?\n", data.removeprefix(b"\xef\xbb\xbf")):
        message = email.message_from_bytes(content)
        if message["From"] or message["Subject"]:
            _add_message(truth, message, "", read_attachment)
    if not truth.parts:
        raise DamagedFileError("no message in it")
    return truth


def _add_message(truth: Truth, message: Message, outer: str, read_attachment: TextReader) -> None:
    _add_headers(truth, message, outer or "subject and addresses")
    has_body = False
    for kind, leaf, ways in _leaves(message):
        if kind == "message":
            _add_message(truth, leaf, "forwarded messages", read_attachment)
            continue
        file = leaf.get_filename()
        if file:
            truth.add("names of attachments", _decoded(str(file)))
        text = _content(leaf)
        if text is None:
            content = leaf.get_payload(decode=True)
            if file and isinstance(content, bytes):
                text = read_attachment(content, _decoded(str(file)))
                truth.add(outer or "attachments", text)
            continue
        is_attachment = leaf.get_content_disposition() == "attachment" or bool(file)
        if outer:
            own = outer
        elif is_attachment:
            own = "attachments"
        elif has_body:
            own = "later parts"
        else:
            own = "html" if leaf.get_content_subtype() == "html" else "plain"
        has_body = has_body or not is_attachment
        truth.add(own, ways or text)
        if not is_attachment:
            truth.flow.append(text)


def _add_headers(truth: Truth, message: Message, part: str) -> None:
    truth.add(part, _decoded_header(message, "Subject"))
    for name in _ADDRESSES:
        for value in _raw_headers(message, name):
            for person, address in email.utils.getaddresses([value]):
                truth.add(part, _decoded(person))
                truth.add(part, address)


def _leaves(message: Message) -> Iterator[tuple[str, Message, tuple[str, ...]]]:
    """The parts that are shown, with the texts that are as good as theirs."""
    if message.get_content_type() in {"message/rfc822", "message/global"}:
        if inner := _inner_message(message):
            yield "message", inner, ()
        return
    if not message.is_multipart():
        yield "part", message, ()
        return
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    if message.get_content_type() != "multipart/alternative":
        for part in parts:
            yield from _leaves(part)
        return
    choices = [list(_leaves(part)) for part in parts]
    texts = ["\n".join(_content(leaf) or "" for _, leaf, _ in choice) for choice in choices]
    most = max((len(words(text)) for text in texts), default=0)
    good = [index for index, text in enumerate(texts) if len(words(text)) >= _STUB * most]
    ways = tuple(texts[index] for index in good)
    for kind, leaf, _ in choices[good[0]] if good else ():
        has_text = _content(leaf) is not None
        yield kind, leaf, ways if has_text else ()
        ways = ways if not has_text else ()


def _inner_message(message: Message) -> Message | None:
    payload = message.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        return None
    encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "base64" and not inner.keys():
        try:
            return email.message_from_bytes(base64.b64decode(str(inner.get_payload())))
        except ValueError:
            return None
    return inner


def _content(part: Message) -> str | None:
    """The text of a part; ``None`` if it is of another type."""
    if part.get_content_maintype() != "text" and part.get_content_type() != (
        "message/delivery-status"
    ):
        return None
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        inner = part.get_payload()
        blocks = inner if isinstance(inner, list) else []
        return "\n".join(str(value) for block in blocks for value in _values(block))
    match part.get_content_subtype():
        case "html":
            return _page_text(data, part.get_content_charset())
        case "calendar" | "x-vcard" | "vcard":
            return _fields(data)
        case "plain" | "csv" | "enriched" | "markdown":
            return _ENCODED_FILE.sub("", _as_text(data, part.get_content_charset()))
    return None


def _page_text(data: bytes, charset: str | None) -> str:
    text = _as_text(data, charset) if charset else None
    try:
        return html_text(parsed_html(data if text is None else text.encode("utf-8-sig")))
    except DamagedFileError:
        return ""


def _fields(data: bytes) -> str:
    try:
        truth = read_calendar(data) if b"VCALENDAR" in data.upper() else read_cards(data)
    except DamagedFileError:
        return ""
    return "\n".join(str(text) for texts in truth.parts.values() for text in texts)


def _values(block: object) -> list[str]:
    return [str(value) for value in block.values()] if isinstance(block, Message) else []


def _as_text(data: bytes, charset: str | None) -> str:
    known = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "utf-8", "ascii": "utf-8"}
    for name in (known.get(charset or "", charset or "utf-8"), "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return data.decode("cp1252", "replace")


def _decoded_header(message: Message, name: str) -> str:
    return _decoded(next(iter(_raw_headers(message, name)), ""))


def _raw_headers(message: Message, name: str) -> list[str]:
    """The headers of this name; bytes that are not ASCII are text in a common encoding."""
    return [
        _as_text(value.encode("utf-8", "surrogateescape"), None)
        for key, value in message.raw_items()
        if key.lower() == name.lower()
    ]


def _decoded(value: str) -> str:
    try:
        pieces = email.header.decode_header(value)
    except (email.errors.HeaderParseError, ValueError):
        return value
    return "".join(
        piece if isinstance(piece, str) else _as_text(piece, charset) for piece, charset in pieces
    )
