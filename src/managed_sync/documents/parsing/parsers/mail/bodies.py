"""Turns the texts inside of a message into Markdown."""

from __future__ import annotations

import binascii
import re
from email.message import Message

from managed_sync.documents.parsing.parsers.mail.charsets import decode_as
from managed_sync.documents.parsing.parsers.mail.headers import charset_of
from managed_sync.documents.parsing.parsers.text import parse_text

__all__ = [
    "ENCRYPTED",
    "SIGNED",
    "Uuencoded",
    "bytes_of",
    "plain_text",
    "split_uuencoded",
    "text_of",
    "without_enrichment",
]

Uuencoded = tuple[str, bytes]

_QUOTES = re.compile(r"(?:> ?)*")
_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} ([^\n]{1,255})$", re.MULTILINE)
_UU_LINE = re.compile(r"[\x20-\x60]{1,90}")
_PGP = re.compile(
    r"^-----BEGIN PGP (?P<kind>MESSAGE|SIGNATURE|PUBLIC KEY BLOCK)-----$"
    r"(?:(?!^-----BEGIN ).)*?(?:^-----END PGP (?P=kind)-----$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PGP_SIGNED = re.compile(r"^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[A-Za-z]+: [^\n]*\n)*\n?", re.M)
# Text with marks such as <bold>, from before mail had HTML (RFC 1896).
_ENRICHED_PARAMETER = re.compile(r"<param>.*?</param>", re.IGNORECASE | re.DOTALL)
_ENRICHED_MARK = re.compile(r"</?[a-z][a-z0-9-]{0,59}>", re.IGNORECASE)
_LINE_BREAKS = re.compile(r"\n(\n*)")

ENCRYPTED = "This text is encrypted and cannot be read."
SIGNED = "This text is signed in a form that cannot be read."


def bytes_of(part: Message) -> bytes:
    """Returns the content of a part without its transfer encoding."""
    try:
        content = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - the standard library fails on some damaged contents
        content = str(part.get_payload()).encode("utf-8", "surrogateescape")
    return content if isinstance(content, bytes) else b""


def text_of(part: Message, name: str) -> str:
    """Returns the text of a part, as it was sent.

    Raises:
        ParsingError: Its bytes are not text.
    """
    return decode_as(bytes_of(part), charset_of(part), name=name)


def plain_text(part: Message, text: str) -> str:
    """Returns a plain text as Markdown: flowed lines are joined, and signatures removed."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if str(part.get_param("format", "")).lower() == "flowed":
        text = _unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
    if "-----BEGIN PGP " in text:
        text = _PGP_SIGNED.sub("", text)
        text = _PGP.sub(lambda block: ENCRYPTED if block["kind"] == "MESSAGE" else "", text)
    return parse_text(text).strip("\n")


def split_uuencoded(text: str) -> tuple[str, list[Uuencoded]]:
    """Takes the files out of a text that were written into it with uuencode.

    Returns:
        The text without them, and the files with their names.
    """
    files: list[Uuencoded] = []
    kept: list[str] = []
    end = 0
    text = text.replace("\r\n", "\n")
    for begin in _UU_BEGIN.finditer(text):
        if begin.start() < end:
            continue
        data, stop = _uudecoded(text, begin.end() + 1)
        if stop is None:
            continue
        kept.append(text[end : begin.start()])
        files.append((begin.group(1).strip(), data))
        end = stop
    kept.append(text[end:])
    return "".join(kept), files


def _uudecoded(text: str, start: int) -> tuple[bytes, int | None]:
    """Returns a file's bytes, and the place after it; ``None`` if this is not a file."""
    data = bytearray()
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        line = text[start:stop].rstrip("\r")
        start = stop + 1
        if line == "end":
            return bytes(data), min(start, len(text))
        if not line.strip("` "):
            continue
        if not _UU_LINE.fullmatch(line):
            break
        try:
            data += binascii.a2b_uu(line)
        except binascii.Error:
            # Some programs pad lines wrongly; the first character has the number of bytes.
            length = (((ord(line[0]) - 32) & 63) * 4 + 5) // 3
            try:
                data += binascii.a2b_uu(line[:length])
            except binascii.Error:
                break
    return b"", None


def _unflowed(text: str, *, delete_space: bool) -> str:
    """Joins the lines of a text that was broken to be sent (RFC 3676)."""
    lines: list[str] = []
    open_quotes = ""
    is_open = False
    for line in text.split("\n"):
        quoted = _QUOTES.match(line)
        quotes = quoted.group() if quoted else ""
        depth = ">" * quotes.count(">")
        content = line[len(quotes) :]
        content = content.removeprefix(" ") if not quotes else content
        is_signature = content == "-- "
        if is_open and depth == open_quotes and not is_signature:
            lines[-1] += content
        else:
            lines.append(f"{depth} {content}" if depth else content)
        is_open = content.endswith(" ") and not is_signature
        if is_open and delete_space:
            lines[-1] = lines[-1][:-1]
        open_quotes = depth
    return "\n".join(lines)


def without_enrichment(text: str) -> str:
    """Returns enriched text as plain text; one line break in it is only a space."""
    text = _ENRICHED_MARK.sub("", _ENRICHED_PARAMETER.sub("", text.replace("\r\n", "\n")))
    return _LINE_BREAKS.sub(lambda found: found.group(1) or " ", text.replace("<<", "<"))
