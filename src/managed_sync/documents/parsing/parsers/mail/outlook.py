"""Reads messages, contacts and appointments that Outlook saved (MSG)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, Protocol

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.base import missing_parser
from managed_sync.documents.parsing.parsers.mail.alternatives import HtmlReader, html_text, richest
from managed_sync.documents.parsing.parsers.mail.charsets import decode_as
from managed_sync.documents.parsing.parsers.mail.outlook_rtf import decompressed, html_inside
from managed_sync.documents.parsing.parsers.text import parse_text
from managed_sync.documents.parsing.part_names import label
from managed_sync.documents.parsing.parts import Container, Member, bounded
from managed_sync.errors import ManagedSyncError, ParsingError

__all__ = ["RtfReader", "open_outlook_message"]

# Properties by their ids: [MS-OXPROPS].
_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_SENDER = ((0x0C1A, 0x5D01, 0x0C1F), (0x0042, 0x5D02, 0x0065))
_SENT, _DELIVERED, _START, _END = 0x0039, 0x0E06, 0x0060, 0x0061
_TO, _CC = 0x0E04, 0x0E03
_RECIPIENT_NAME, _RECIPIENT_ADDRESSES, _RECIPIENT_KIND = 0x3001, (0x39FE, 0x3003), 0x0C15
_PAGE_OF_TEXTS, _PAGE_OF_HTML = 0x3FFD, 0x3FDE
_DATA, _METHOD, _TYPE = 0x3701, 0x3705, 0x370E
_NAMES = (0x3707, 0x3704, 0x3001)
_CONTACT = (
    *((0x3A16, "Organization"), (0x3A17, "Job title"), (0x3A18, "Department")),
    *((0x3A08, "Phone (work)"), (0x3A1C, "Phone (mobile)"), (0x3A09, "Phone (home)")),
    *((0x3A27, "City"), (0x3A26, "Country"), (0x3A29, "Street"), (0x3A51, "Link")),
)
_EMBEDDED = 5
_KINDS = {1: "To", 2: "Cc"}
_UNICODE, _STRING, _BINARY, _STORAGE = "001F", "001E", "0102", "000D"
_PROPERTIES = "__properties_version1.0"
# The bytes before the first property, by the kind of storage.
_HEADER_OF_FILE, _HEADER_OF_MESSAGE, _HEADER_OF_OTHERS = 32, 24, 8
_ENTRY = 16
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class RtfReader(Protocol):
    """A function that turns an RTF file into Markdown."""

    def __call__(self, data: bytes, *, name: str) -> str:
        """Returns the Markdown."""
        ...


def open_outlook_message(
    data: bytes, *, name: str, read_html: HtmlReader, read_rtf: RtfReader
) -> Container:
    """Opens a message: its headers and text, and the files and messages attached to it.

    Args:
        data: The file.
        name: The name of the file in error messages.
        read_html: Turns HTML into Markdown.
        read_rtf: Turns RTF into Markdown.

    Raises:
        ParsingError: The file is damaged.
        MissingExtraError: The package ``olefile`` is not installed.
    """
    try:
        import olefile  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    try:
        file = olefile.OleFileIO(io.BytesIO(data))
        return _Message(_Storage(file, (), _HEADER_OF_FILE), name, read_html, read_rtf).open()
    except ManagedSyncError:
        raise
    except Exception as error:
        raise ParsingError(f"{name} is damaged: {error}.") from error


class _Storage:
    """A storage of the file: a message, a recipient, or an attachment.

    Args:
        file: The file.
        path: The names of the storages that lead to it.
        header: The number of bytes before its first property.
        page: The code page of the message around it: recipients and attachments state none.
    """

    def __init__(self, file: Any, path: tuple[str, ...], header: int, *, page: int = 0) -> None:
        self._file = file
        self._path = path
        self._fixed = self._fixed_values(header)
        self._page = self.number(_PAGE_OF_TEXTS) or self.number(_PAGE_OF_HTML) or page

    def text(self, *ids: int) -> str:
        """Returns the first of some properties that has a text."""
        for each in ids:
            if data := self._stream(each, _UNICODE):
                return data.decode("utf-16-le", "replace").strip("\0")
            if data := self._stream(each, _STRING):
                return _decoded(data, self._page).strip("\0")
        return ""

    def binary(self, number: int) -> bytes:
        """Returns the bytes of a property; empty if there are none."""
        return self._stream(number, _BINARY)

    def html(self) -> str:
        """Returns the body in HTML, which is kept as bytes or as a text."""
        data = self.binary(_HTML)
        return _decoded(data, self.number(_PAGE_OF_HTML)) if data else self.text(_HTML)

    def number(self, number: int) -> int:
        """Returns a numeric property, 0 if it is missing."""
        return self._fixed.get(number, 0)

    def time(self, number: int) -> str:
        """Returns a property that is a time, as in the header of a message."""
        ticks = self._fixed.get(number, 0)
        try:
            return format_datetime(_EPOCH + timedelta(microseconds=ticks // 10)) if ticks else ""
        except OverflowError:
            return ""

    def storages(self, prefix: str) -> Iterator[_Storage]:
        """Yields the recipients or the attachments."""
        depth = len(self._path)
        names = {
            path[depth]
            for path in self._file.listdir(streams=True, storages=False)
            if len(path) > depth + 1 and tuple(path[:depth]) == self._path
        }
        for name in sorted(names):
            if name.startswith(prefix):
                path = (*self._path, name)
                yield _Storage(self._file, path, _HEADER_OF_OTHERS, page=self._page)

    def embedded(self, number: int) -> _Storage:
        """Returns the message that is kept in a property."""
        path = (*self._path, _name(number, _STORAGE))
        return _Storage(self._file, path, _HEADER_OF_MESSAGE, page=self._page)

    def _stream(self, number: int, kind: str) -> bytes:
        return self._bytes_of(_name(number, kind))

    def _bytes_of(self, name: str) -> bytes:
        path = [*self._path, name]
        if not self._file.exists(path):
            return b""
        with self._file.openstream(path) as stream:
            data: bytes = stream.read()
            return data

    def _fixed_values(self, header: int) -> dict[int, int]:
        data = self._bytes_of(_PROPERTIES)
        entries = (data[start : start + _ENTRY] for start in range(header, len(data), _ENTRY))
        return {
            int.from_bytes(entry[2:4], "little"): int.from_bytes(entry[8:16], "little")
            for entry in entries
            if len(entry) == _ENTRY
        }


class _Message:
    """A reader of one message in the file.

    Args:
        storage: The storage of the message.
        name: The name of the file in error messages.
        read_html: Turns HTML into Markdown.
        read_rtf: Turns RTF into Markdown.
    """

    def __init__(
        self, storage: _Storage, name: str, read_html: HtmlReader, read_rtf: RtfReader
    ) -> None:
        self._storage = storage
        self._name = name
        self._read_html = read_html
        self._read_rtf = read_rtf

    def open(self) -> Container:
        """Returns the message with its attachments."""
        members = list(self._members())
        names = ", ".join(member.title or label(member.name) for member in members)
        text = markdown.join_blocks(
            [
                markdown.heading(self._storage.text(_SUBJECT), 1),
                markdown.paragraph("\n".join(self._headers())),
                self._body(),
                markdown.paragraph(f"Attachments: {names}") if names else "",
            ]
        )
        return Container(text, members, noun="Attachment", folder="attachments")

    def _headers(self) -> Iterator[str]:
        storage = self._storage
        for name, *addresses in _SENDER:
            if sender := _person(storage.text(name), storage.text(*addresses)):
                yield f"From: {sender}"
                break
        people: dict[str, list[str]] = {"To": [], "Cc": []}
        for recipient in storage.storages("__recip_version1.0_#"):
            kind = _KINDS.get(recipient.number(_RECIPIENT_KIND) & 0xF)
            person = _person(
                recipient.text(_RECIPIENT_NAME),
                next(filter(_is_address, map(recipient.text, _RECIPIENT_ADDRESSES)), ""),
            )
            if kind and person:
                people[kind].append(person)
        for kind, displayed in (("To", _TO), ("Cc", _CC)):
            if shown := ", ".join(people[kind]) or storage.text(displayed):
                yield f"{kind}: {shown}"
        if sent := storage.time(_SENT) or storage.time(_DELIVERED):
            yield f"Date: {sent}"
        if subject := storage.text(_SUBJECT):
            yield f"Subject: {subject}"
        if start := storage.time(_START):
            yield f"When: {start} to {storage.time(_END)}"
        for number, title in _CONTACT:
            if value := storage.text(number):
                yield f"{title}: {value}"

    def _body(self) -> str:
        plain = parse_text(self._storage.text(_BODY)).strip("\n")
        if html := self._storage.html():
            return richest([plain, self._of_html(html)])
        if plain.strip():
            return plain
        rtf = decompressed(self._storage.binary(_RTF))
        if html := html_inside(rtf):
            return self._of_html(html)
        if rtf:
            return markdown.deeper(self._read_rtf(rtf, name=self._name))
        return ""

    def _of_html(self, html: str) -> str:
        return markdown.deeper(html_text(html, self._read_html, name=self._name))

    def _members(self) -> Iterator[Member]:
        for attachment in self._storage.storages("__attach_version1.0_#"):
            name = attachment.text(*_NAMES) or "attachment"
            if attachment.number(_METHOD) & 0xFFFF == _EMBEDDED:
                embedded = attachment.embedded(_DATA)
                subject = embedded.text(_SUBJECT) or name
                inner = _Message(embedded, subject, self._read_html, self._read_rtf)
                yield Member(
                    f"{subject.replace('/', ' ')}.msg",
                    content_type="application/vnd.ms-outlook",
                    title=subject,
                    open=inner.open,
                )
            else:
                read = partial(_attached, attachment, name)
                yield Member(name, read, attachment.text(_TYPE))


def _decoded(data: bytes, page: int) -> str:
    try:
        return decode_as(data, f"cp{page}" if page else "", name="A message")
    except ParsingError:
        return data.decode("cp1252", "replace")


def _attached(attachment: _Storage, name: str, limit: int) -> bytes:
    return bounded(attachment.binary(_DATA), name, limit)


def _name(number: int, kind: str) -> str:
    return f"__substg1.0_{number:04X}{kind}"


def _is_address(text: str) -> bool:
    return "@" in text and not text.startswith("/")


def _person(name: str, address: str) -> str:
    name = name.strip("' ")
    if not _is_address(address) or address == name:
        return name
    return f"{name} <{address}>" if name else address
