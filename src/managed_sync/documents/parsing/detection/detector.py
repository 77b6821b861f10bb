"""Detects the type of a file by its content type, its name, and its bytes, weighed together.

Bytes that leave no doubt come first: a PDF with the content type of a Word file is read as a PDF.
Then come the content type and the name. A binary type for bytes that are plain text is wrong, and a
content type that only says "text" or "unknown" leaves the decision to the name.
"""

from __future__ import annotations

import itertools
import re

from managed_sync.documents.parsing.decoding import is_text
from managed_sync.documents.parsing.detection.refusals import (
    bytes_without_text,
    not_read,
    wrong_type,
)
from managed_sync.documents.parsing.detection.signatures import BLANK, type_of_bytes
from managed_sync.documents.parsing.file_types import (
    FileType,
    declared_type,
    display_name,
    is_unknown,
    named_type,
    plain_media_type,
)

__all__ = ["detect_file_type"]

_TEXT_TYPES = {
    *(FileType.HTML, FileType.MARKDOWN, FileType.CSV, FileType.NOTEBOOK, FileType.SVG),
    *(FileType.EMAIL, FileType.MBOX, FileType.MHT, FileType.ICS, FileType.VCF),
    *(FileType.CODE, FileType.TEXT),
}
# Types that a name can make more exact.
_GENERAL = {
    FileType.TEXT: _TEXT_TYPES,
    FileType.CODE: {FileType.NOTEBOOK, FileType.SVG, FileType.HTML},
    FileType.EMAIL: {FileType.MBOX, FileType.MHT, FileType.TEXT},
}
# From the more exact to the more general.
_MAIL_ORDER = [FileType.MBOX, FileType.MHT, FileType.EMAIL, FileType.MSG]
_MAILS: set[FileType | None] = {*_MAIL_ORDER}
# Programs write tables and pages under the names of old Office files.
_OFTEN_TEXT = {FileType.DOC: FileType.TEXT, FileType.XLS: FileType.CSV}
_HTML_START = re.compile(rb"<(?:!doctype\s+)?html\b", re.IGNORECASE)
_SVG_START = re.compile(rb"<(?:!doctype\s+)?svg\b", re.IGNORECASE)
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t]*\S")
_MAIL_HEADER = re.compile(
    rb"^(?:Return-Path|Received|Message-ID|MIME-Version|Delivered-To):", re.IGNORECASE | re.M
)
_MBOX_START = re.compile(rb"From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d ")
_FLAT_TYPE = re.compile(rb'office:mimetype="([^"]{1,100})"')
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_START = 16 * 1024


def detect_file_type(data: bytes, *, content_type: str, filename: str) -> FileType:
    """Returns the type of a file, to choose a parser by.

    Raises:
        ParsingError: The type has no text, the file is encrypted, or it unpacks to more than
            1 GiB or more than 100 times its size.
    """
    name = display_name(filename, content_type)
    if found := type_of_bytes(data, name):
        return found
    media_type = plain_media_type(content_type)
    declared, named = declared_type(media_type), named_type(filename)
    start = _without_comments(data[:_START].lstrip(BLANK))
    if found := _loosely_marked(data, start, {declared, named}):
        return found
    kind = _weighed(declared, named)
    if not is_text(data):
        raise _refusal(kind, declared, name, media_type)
    if found := _flat_document(start):
        return found
    kind = _type_of_text(start, kind, named)
    if kind is None and not media_type.startswith(("audio/", "video/")):
        return FileType.TEXT
    if kind not in _TEXT_TYPES:
        raise _refusal(kind, declared, name, media_type)
    return kind


def _loosely_marked(data: bytes, start: bytes, suggested: set[FileType | None]) -> FileType | None:
    """Returns a suggested type of which the bytes have some mark, though not the usual one."""
    if FileType.PDF in suggested and b"%PDF-" in data[:1024]:
        # Some programs write a few bytes of their own before it.
        return FileType.PDF
    if FileType.RTF in suggested and data.startswith(b"{\\"):
        return FileType.RTF
    # Mails may hold bytes of any kind below their headers.
    mails = _MAILS & suggested
    if mails and _HEADER.match(start):
        first = next(kind for kind in _MAIL_ORDER if kind in mails)
        return FileType.EMAIL if first is FileType.MSG else first
    return None


def _type_of_text(start: bytes, kind: FileType | None, named: FileType | None) -> FileType | None:
    """Returns the type of bytes that are text, if it is known."""
    if kind is FileType.EMAIL and named is not FileType.EMAIL:
        # It has no header.
        kind = FileType.TEXT
    if kind not in _TEXT_TYPES or kind is FileType.TEXT:
        # A web page with the type of a Word file, or the export of a document.
        kind = _type_by_start(start) or kind
    return _OFTEN_TEXT.get(kind, kind) if kind else None


def _weighed(declared: FileType | None, named: FileType | None) -> FileType | None:
    """Returns the type that the content type and the name suggest together.

    A binary type needs its bytes, so that only a type of text is of use where they have been
    looked at.
    """
    if named is None:
        return declared
    if declared is None or named in _GENERAL.get(declared, ()):
        return named
    return named if named in _TEXT_TYPES and declared not in _TEXT_TYPES else declared


def _refusal(
    kind: FileType | None, declared: FileType | None, name: str, media_type: str
) -> Exception:
    if kind is None and not is_unknown(media_type):
        return not_read(name, media_type)
    if kind is FileType.IMAGE and media_type.startswith("image/"):
        return not_read(name, media_type)
    if kind is None or kind in _TEXT_TYPES or declared in _TEXT_TYPES:
        return bytes_without_text(name, media_type)
    return wrong_type(name, kind)


def _type_by_start(start: bytes) -> FileType | None:
    """Returns the type of a text by its first lines."""
    if _HTML_START.match(start):
        return FileType.HTML
    if _SVG_START.match(start):
        return FileType.SVG
    if start.startswith((b"BEGIN:VCALENDAR", b"BEGIN:VCARD")):
        return FileType.ICS if start.startswith(b"BEGIN:VCAL") else FileType.VCF
    if _MBOX_START.match(start):
        return FileType.MBOX
    headers = _END_OF_HEADERS.split(start, maxsplit=1)[0]
    if _HEADER.match(headers) and len(_MAIL_HEADER.findall(headers)) >= 2:
        return FileType.EMAIL
    return None


def _flat_document(start: bytes) -> FileType | None:
    """Returns the type of an OpenDocument file that is a single XML file."""
    if not start.startswith(b"<office:document"):
        return None
    found = _FLAT_TYPE.search(start)
    return declared_type(found.group(1).decode("ascii", "replace")) if found else None


def _without_comments(start: bytes) -> bytes:
    """Returns what follows the XML declaration and the comments at the beginning of a page."""
    for opening, closing in itertools.cycle(((b"<?", b"?>"), (b"<!--", b"-->"))):
        end = start.find(closing) if start.startswith(opening) else -1
        if end >= 0:
            start = start[end + len(closing) :].lstrip()
        elif opening == b"<!--":
            break
    return start
