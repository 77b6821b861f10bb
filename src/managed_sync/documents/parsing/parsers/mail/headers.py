"""Decodes the headers of a message, also those that break the rules."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from email.message import Message

from managed_sync.documents.parsing.parsers.mail.charsets import decode_as
from managed_sync.errors import ParsingError

__all__ = ["charset_of", "decoded", "filename_of", "header", "header_lines"]

_WESTERN = "cp1252"
_MOST_LOOKED_AT = 20
_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_ENCODED = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?(.*?)\?=", re.DOTALL)
_FOLDED = re.compile(r"[\r\n]+[ \t]*")
_FILENAME = re.compile(r"""(?:file)?name\*?(?:0\*?)?\s*=\s*("[^"]*"|[^;\r\n]+)""", re.IGNORECASE)


def header(message: Message, name: str) -> str:
    """Returns a header as text on one line, empty if the header is missing."""
    wanted = name.lower()
    for key, value in message.raw_items():
        if key.lower() == wanted:
            return decoded(str(value), _charset_of_texts(message))
    return ""


def header_lines(message: Message) -> list[str]:
    """Returns the headers that a reader looks at, one line each."""
    shown = ((name, header(message, name)) for name in _SHOWN)
    return [f"{name}: {value}" for name, value in shown if value]


def charset_of(part: Message) -> str:
    """Returns the charset that a part declares; empty if it declares none that can be read."""
    try:
        charset = part.get_param("charset")
    except Exception:  # noqa: BLE001 - the standard library fails on some parameters
        return ""
    return str(charset[2] if isinstance(charset, tuple) else charset or "")


def filename_of(part: Message) -> str:
    """Returns the name that a part gives its file, in any of the ways that programs write it."""
    part = _without_escapes(part)
    try:
        name = part.get_filename() or ""
    except Exception:  # noqa: BLE001 - the standard library fails on some parameters
        stated = (part.get("Content-Disposition", ""), part.get("Content-Type", ""))
        found = _FILENAME.search(" ".join(map(str, stated)))
        name = found.group(1).strip('"') if found else ""
    return decoded(name)


def _without_escapes(part: Message) -> Message:
    """Returns the headers that name a file, if they have 8-bit characters, with these as text."""
    naming = [
        (key, str(value))
        for key, value in part.raw_items()
        if key.lower() in {"content-disposition", "content-type"}
    ]
    if all(value.isascii() for _, value in naming):
        return part
    plain = Message()
    for key, value in naming:
        plain[key] = _text(_raw(value), _WESTERN)
    return plain


def decoded(value: str, charset: str = "") -> str:
    r"""Returns a raw header value as text, without encoded words, 8-bit characters and folds.

    Args:
        value: The value as the standard library keeps it, with surrogate escapes.
        charset: The charset of 8-bit characters that are not UTF-8, if something tells it.

    Examples:
        >>> decoded("=?utf-8?Q?Gr=C3=BC?= =?utf-8?Q?=C3=9Fe?=\r\n from Ada")
        'Grüße from Ada'
    """
    # Parts of one word may be split within a character, so bytes are joined before decoding.
    pieces: list[tuple[str, bytes]] = []
    end = 0
    for word in _ENCODED.finditer(value):
        between = value[end : word.start()]
        if between.strip() or not pieces:
            pieces.append(("", _raw(between)))
        data, charset = _bytes_of(word), word.group(1).lower()
        if pieces[-1][0] == charset:
            pieces[-1] = (charset, pieces[-1][1] + data)
        else:
            pieces.append((charset, data))
        end = word.end()
    pieces.append(("", _raw(value[end:])))
    text = "".join(_text(data, declared or charset or _WESTERN) for declared, data in pieces)
    return " ".join(_FOLDED.sub(" ", text).split())


def _charset_of_texts(message: Message) -> str:
    """Returns the first charset that a message declares for a text of it."""
    for count, part in enumerate(message.walk()):
        if charset := charset_of(part):
            return charset
        if count > _MOST_LOOKED_AT:
            break
    return ""


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes, charset: str) -> str:
    try:
        return decode_as(data, charset, name="A header")
    except ParsingError:
        return data.decode("ascii", "replace")


def _bytes_of(word: re.Match[str]) -> bytes:
    text = _raw(_FOLDED.sub("", word.group(3)))
    if word.group(2) in "qQ":
        return quopri.decodestring(text.replace(b"_", b" "), header=False)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return text
