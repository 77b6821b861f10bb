"""Reads e-mail with the standard library: headers, every text, and the files attached to it."""

from __future__ import annotations

import email
import email.policy
import mimetypes
import re
from collections.abc import Iterator, Sequence
from email.message import Message

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.base import nested_too_deeply
from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.parsers.mail import bodies
from managed_sync.documents.parsing.parsers.mail.alternatives import HtmlReader, html_text, richest
from managed_sync.documents.parsing.parsers.mail.calendar import calendar_text
from managed_sync.documents.parsing.parsers.mail.headers import (
    filename_of,
    header,
    header_lines,
)
from managed_sync.documents.parsing.parsers.mail.tnef import open_tnef
from managed_sync.documents.parsing.parsers.signed_data import is_signed_data, signed_content
from managed_sync.documents.parsing.parsers.text import parse_text
from managed_sync.documents.parsing.part_names import label
from managed_sync.documents.parsing.parts import Container, Member, bounded
from managed_sync.errors import ManagedSyncError, MissingExtraError

__all__ = ["open_email", "parse_message"]

_KNOWN = {
    *("from", "to", "cc", "bcc", "date", "subject", "sender", "reply-to", "message-id", "received"),
    *("return-path", "mime-version", "content-type", "newsgroups", "delivered-to", "resent-from"),
    *("in-reply-to", "references", "x-mailer", "organization", "apparently-to", "received-spf"),
}
_FROM_LINE = re.compile(rb"\A\s*>?From (?![ \t]*:)[^\n]*\n")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
# An obsolete syntax, which the standard library takes for the beginning of the text.
_SPACE_BEFORE_COLON = re.compile(rb"^([!-9;-~]{1,60})[ \t]+:", re.MULTILINE)
_START = 4096
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# They prove who sent a message, and have no text.
_SIGNATURES = {
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-signature",
    "application/pgp-keys",
}
# A text that is signed or encrypted as a whole.
_ENVELOPES = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_ENVELOPE = ".p7m"
_MAX_ENVELOPES = 10
_REPORTS = {"message/delivery-status", "message/disposition-notification", "text/rfc822-headers"}
_MESSAGES = {"message/rfc822", "message/global", "message/news"}
# Versions of a text that repeat the others, for programs that show them in other ways.
_NO_VERSIONS = {"text/calendar", "text/x-amp-html", "text/watch-html"}
# Pictures within a text, and the like.
_SELDOM_NAMED = ("image/", "audio/", "video/", "application/applefile")
_TNEF = {"application/ms-tnef", "application/vnd.ms-tnef"}
_MAX_PARTS = 10_000


def open_email(data: bytes, *, name: str, read_html: HtmlReader) -> Container:
    """Opens an e-mail: its headers and texts, and the files and messages attached to it.

    Args:
        data: The message.
        name: The name of the file in error messages.
        read_html: Turns HTML into Markdown.

    Raises:
        ParsingError: The file is not an e-mail.
    """
    message = parse_message(data, name=name)
    if not any(key.lower() in _KNOWN for key, _ in message.raw_items()):
        # The text of a message without its headers is still a text.
        return Container(parse_text(decode(data, name=name)))
    return _MessageReader(name, read_html).open(message)


def parse_message(data: bytes, *, name: str) -> Message:
    """Parses the bytes of a message, also of one in UTF-16 or behind a line of a mailbox.

    Raises:
        ParsingError: Its parts are nested too deeply.
    """
    if data.startswith(_UTF16) or b"\0" in data[:_START]:
        data = decode(data, name=name).encode("utf-8", "replace")
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ")
    data = _FROM_LINE.sub(b"", data, count=1)
    end = _END_OF_HEADERS.search(data)
    headers = data[: end.start() if end else len(data)]
    if b" :" in headers or b"\t:" in headers:
        data = _SPACE_BEFORE_COLON.sub(rb"\1:", headers) + data[len(headers) :]
    if b"\n" not in data[:_START] and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    try:
        return email.message_from_bytes(data, policy=email.policy.compat32)
    except RecursionError:
        raise nested_too_deeply(name) from None


class _MessageReader:
    """A reader of one message, which collects its texts and the files attached to it.

    Args:
        name: The name of the file in error messages.
        read_html: Turns HTML into Markdown.
    """

    def __init__(self, name: str, read_html: HtmlReader) -> None:
        self._name = name
        self._read_html = read_html
        self._members: list[Member] = []
        self._names: list[str] = []
        self._seen = self._envelopes = 0

    def open(self, message: Message) -> Container:
        """Returns the message with its attachments."""
        try:
            blocks = [block for block in self._blocks(message) if block.strip()]
        except RecursionError:
            raise nested_too_deeply(self._name) from None
        names = ", ".join(self._names)
        text = markdown.join_blocks(
            [
                markdown.heading(header(message, "Subject"), 1),
                markdown.paragraph("\n".join(header_lines(message))),
                *blocks,
                markdown.paragraph(f"Attachments: {names}") if names else "",
            ]
        )
        return Container(text, self._members, noun="Attachment", folder="attachments")

    def _blocks(self, part: Message) -> Iterator[str]:
        """Yields the texts of a part in order, and notes the files in it."""
        self._seen += 1
        if self._seen > _MAX_PARTS:
            return
        kind = part.get_content_type()
        if kind in _MESSAGES:
            self._note_message(part)
        elif kind in _REPORTS:
            yield self._report(part)
        elif part.is_multipart():
            yield from self._of_several(part, kind)
        elif kind in _SIGNATURES:
            self._names.extend(filter(None, [label(filename_of(part))]))
        elif kind == "application/pgp-encrypted":
            yield bodies.ENCRYPTED
        elif kind in _ENVELOPES or filename_of(part).lower().endswith(_ENVELOPE):
            yield from self._enveloped(part)
        elif self._is_attached(part, kind):
            self._note_file(part, kind)
        else:
            yield from self._text(part, kind)

    def _of_several(self, part: Message, kind: str) -> Iterator[str]:
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if kind == "multipart/encrypted":
            yield bodies.ENCRYPTED
            return
        if kind != "multipart/alternative":
            for child in children:
                yield from self._blocks(child)
            return
        invitations = [each for each in children if each.get_content_type() == "text/calendar"]
        others = [each for each in children if each.get_content_type() not in _NO_VERSIONS]
        yield richest(list(self._versions(others)))
        for invitation in invitations:
            yield from self._blocks(invitation)

    def _versions(self, parts: Sequence[Message]) -> Iterator[str]:
        missing: MissingExtraError | None = None
        count = 0
        for part in parts:
            try:
                yield markdown.join_blocks(self._blocks(part))
                count += 1
            except MissingExtraError as error:
                missing = error
        if missing and not count:
            raise missing

    def _text(self, part: Message, kind: str) -> Iterator[str]:
        try:
            text = bodies.text_of(part, self._name)
        except ManagedSyncError:
            self._note_file(part, kind)
            return
        if kind == "text/html":
            # Headings in the body are below the subject.
            yield markdown.deeper(html_text(text, self._read_html, name=self._name))
        elif kind == "text/calendar":
            yield markdown.deeper(calendar_text(text))
        elif kind in {"text/enriched", "text/richtext"}:
            yield bodies.plain_text(part, bodies.without_enrichment(text))
        else:
            text, files = bodies.split_uuencoded(text)
            for name, data in files:
                self._note_data(name, data)
            yield bodies.plain_text(part, text)

    def _enveloped(self, part: Message) -> Iterator[str]:
        """Yields the texts of a part that is signed as a whole, and notes the file in it."""
        self._envelopes += 1
        data, name = bodies.bytes_of(part), filename_of(part)
        content = signed_content(data) if self._envelopes <= _MAX_ENVELOPES else None
        stem = name[: -len(_ENVELOPE)] if name.lower().endswith(_ENVELOPE) else ""
        if content is not None and "." in stem:
            self._note_data(stem, content)
        elif content is not None:
            yield from self._blocks(parse_message(content, name=self._name))
        elif str(part.get_param("smime-type", "")).lower() == "certs-only":
            self._names.extend(filter(None, [label(name)]))
        else:
            yield bodies.SIGNED if is_signed_data(data) else bodies.ENCRYPTED

    def _report(self, part: Message) -> str:
        """Returns the fields of a report about the delivery of another message."""
        if not part.is_multipart():
            return bodies.plain_text(part, bodies.text_of(part, self._name))
        blocks = []
        for group in part.get_payload():
            if isinstance(group, Message):
                fields = (f"{key}: {header(group, key)}" for key in dict.fromkeys(group.keys()))
                blocks.append(markdown.paragraph("\n".join(fields)))
                blocks.append(bodies.plain_text(group, bodies.text_of(group, self._name)))
        return markdown.join_blocks(blocks)

    def _is_attached(self, part: Message, kind: str) -> bool:
        is_readable = kind.startswith("text/") and kind != "text/directory"
        return bool(
            not is_readable or part.get_content_disposition() == "attachment" or filename_of(part)
        )

    def _note_message(self, part: Message) -> None:
        """Notes a message inside of this one, which may be forwarded or returned."""
        inner = _inner_message(part)
        if not inner.keys():
            self._note_data(filename_of(part) or "message.txt", bodies.bytes_of(inner))
            return
        subject = header(inner, "Subject") or filename_of(part).removesuffix(".eml") or "message"
        self._names.append(subject)
        self._members.append(
            Member(
                f"{subject.replace('/', ' ')}.eml",
                content_type="message/rfc822",
                title=subject,
                open=lambda: _MessageReader(subject, self._read_html).open(inner),
            )
        )

    def _note_file(self, part: Message, kind: str) -> None:
        name = filename_of(part)
        if not name and kind.startswith(_SELDOM_NAMED):
            return
        if kind in _TNEF or name.lower() == "winmail.dat":
            data = bodies.bytes_of(part)
            name = name or "winmail.dat"
            self._members.append(
                Member(name, content_type=kind, open=lambda: open_tnef(data, name=name))
            )
            return
        name = name or f"attachment{mimetypes.guess_extension(kind) or ''}"
        self._names.append(label(name))
        self._members.append(
            Member(name, lambda limit: bounded(bodies.bytes_of(part), name, limit), kind)
        )

    def _note_data(self, name: str, data: bytes) -> None:
        self._names.append(label(name))
        self._members.append(Member(name, lambda limit: bounded(data, name, limit)))


def _inner_message(part: Message) -> Message:
    """Returns the message in a part; one without headers if there is only text in it."""
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else part
    if not isinstance(inner, Message) or inner is part:
        text = Message()
        text.set_payload(payload if isinstance(payload, str) else "")
        inner = text
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding in {"base64", "quoted-printable"} and not inner.keys():
        # It must not be encoded, but some programs do that.
        inner["Content-Transfer-Encoding"] = encoding
        inner = parse_message(bodies.bytes_of(inner), name="A message")
    return inner
