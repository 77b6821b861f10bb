"""Opens ``winmail.dat``, in which Outlook packs the files attached to a message (TNEF)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from managed_sync.documents.parsing.parsers.mail.charsets import decode_as
from managed_sync.documents.parsing.parsers.mail.outlook_rtf import decompressed
from managed_sync.documents.parsing.parts import Container, Member, bounded
from managed_sync.errors import ParsingError

__all__ = ["open_tnef"]

_SIGNATURE = b"\x78\x9f\x3e\x22"

# Attributes of the format: [MS-OXTNEF].
_BODY, _PROPERTIES = 0x0002800C, 0x00069003
_ATTACHMENT_BEGINS, _TITLE, _CONTENT, _ATTACHMENT_PROPERTIES = (
    *(0x00069002, 0x00018010),
    *(0x0006800F, 0x00069005),
)
_HEADER, _ATTRIBUTE, _CHECKSUM = 6, 9, 2
# Properties of a message and of an attachment: [MS-OXPROPS].
_PLAIN, _HTML, _RTF, _LONG_NAME, _DATA = 0x1000, 0x1013, 0x1009, 0x3707, 0x3701
_WIDE = 0x001F
_OBJECT = 0x000D
_VARIABLE = {0x001E, _WIDE, 0x0102, _OBJECT}
_SIZES = {0x0002: 4, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 4}
_SIZES |= {0x0005: 8, 0x0006: 8, 0x0007: 8, 0x0014: 8, 0x0040: 8, 0x0048: 16}
_NAMED = 0x8000
_MULTIPLE = 0x1000


@dataclass(slots=True)
class _Attachment:
    name: str = ""
    data: bytes = b""


def open_tnef(data: bytes, *, name: str) -> Container:
    """Opens the file: the body of the message in it, and the files attached to that.

    Raises:
        ParsingError: The file is damaged from the beginning.
    """
    if not data.startswith(_SIGNATURE):
        raise ParsingError(f"{name} is declared as TNEF, but its bytes are not.")
    return Container("", _members(data), noun="Attachment", lists_members=True)


def _members(data: bytes) -> Iterator[Member]:
    attachments: list[_Attachment] = []
    for attribute, content in _attributes(data):
        if attribute == _ATTACHMENT_BEGINS:
            attachments.append(_Attachment())
        elif attribute == _BODY:
            yield _member("message.txt", content.rstrip(b"\0"))
        elif attribute == _PROPERTIES:
            yield from _bodies(dict(_properties(content)))
        elif attachments and attribute == _TITLE:
            attachments[-1].name = attachments[-1].name or _text(content)
        elif attachments and attribute == _CONTENT:
            attachments[-1].data = content
        elif attachments and attribute == _ATTACHMENT_PROPERTIES:
            properties = dict(_properties(content))
            attachments[-1].name = _text(properties.get(_LONG_NAME, b"")) or attachments[-1].name
            attachments[-1].data = attachments[-1].data or properties.get(_DATA, b"")
    for attachment in attachments:
        yield _member(attachment.name or "attachment", attachment.data)


def _bodies(properties: dict[int, bytes]) -> Iterator[Member]:
    """Yields the body that has most structure; all versions say the same."""
    if html := properties.get(_HTML):
        yield _member("message.html", html)
    elif rtf := decompressed(properties.get(_RTF, b"")):
        yield _member("message.rtf", rtf)
    elif plain := properties.get(_PLAIN):
        yield _member("message.txt", plain.rstrip(b"\0"))


def _member(name: str, data: bytes) -> Member:
    return Member(name, partial(bounded, data, name))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = _HEADER
    while position + _ATTRIBUTE <= len(data):
        attribute = int.from_bytes(data[position + 1 : position + 5], "little")
        length = int.from_bytes(data[position + 5 : position + _ATTRIBUTE], "little")
        position += _ATTRIBUTE
        yield attribute, data[position : position + length]
        position += length + _CHECKSUM


def _properties(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields properties up to one that this reader does not understand."""
    position = 4
    while position + 4 <= len(data):
        kind = int.from_bytes(data[position : position + 2], "little")
        number = int.from_bytes(data[position + 2 : position + 4], "little")
        position += 4
        if number >= _NAMED:
            position = _after_name(data, position)
        count = 1
        if kind & _MULTIPLE or kind in _VARIABLE:
            count = int.from_bytes(data[position : position + 4], "little")
            position += 4
        kind &= ~_MULTIPLE
        size = _SIZES.get(kind)
        if (size is None and kind not in _VARIABLE) or count > len(data):
            return
        for _ in range(count):
            length = size
            if length is None:
                length = int.from_bytes(data[position : position + 4], "little")
                position += 4
            value = data[position : position + length]
            if kind == _OBJECT:
                value = value[16:]
            elif kind == _WIDE:
                value = value.decode("utf-16-le", "replace").encode()
            yield number, value
            position += length + -length % 4
            if position > len(data):
                return


def _after_name(data: bytes, position: int) -> int:
    """Returns the place after the name of a property: a number, or a text."""
    kind = int.from_bytes(data[position + 16 : position + 20], "little")
    if kind == 0:
        return position + 24
    length = int.from_bytes(data[position + 20 : position + 24], "little")
    return position + 24 + length + -length % 4


def _text(data: bytes) -> str:
    try:
        return decode_as(data.rstrip(b"\0"), "", name="A name")
    except ParsingError:
        return ""
