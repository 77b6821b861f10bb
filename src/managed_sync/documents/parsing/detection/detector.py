"""Detects the type of a file by its content type, its name, and its bytes, weighed together.

Bytes that leave no doubt come first: a PDF with the content type of a Word file is read as a PDF.
Then come the content type and the name. A binary type for bytes that are plain text is wrong, and a
content type that only says "text" or "unknown" leaves the decision to the name.
"""

from __future__ import annotations

import re

from managed_sync.documents.parsing.decoding import is_text
from managed_sync.documents.parsing.detection.refusals import (
    bytes_without_text,
    not_read,
    wrong_type,
)
from managed_sync.documents.parsing.detection.signatures import type_of_bytes
from managed_sync.documents.parsing.detection.texts import (
    beginning,
    flat_document,
    is_page_fragment,
    is_web_archive,
    type_by_start,
)
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
# None of them begins as another one of these does.
_MARKED_TEXTS = {FileType.HTML, FileType.ICS, FileType.VCF}
_MISTAKEN_TEXTS = {FileType.CSV, FileType.ICS, FileType.VCF}
_OFTEN_PAGES = {*_OFTEN_TEXT, FileType.DOCX, FileType.XLSX}
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t]*\S")


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
    start = beginning(data)
    if found := _loosely_marked(data, start, {declared, named}):
        return found
    kind = _weighed(declared, named)
    if not is_text(data):
        raise _refusal(kind, declared, name, media_type)
    if found := flat_document(start, name):
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
        if kind in _OFTEN_PAGES and is_page_fragment(start):
            return FileType.HTML
        if kind in _OFTEN_PAGES and is_web_archive(start):
            return FileType.MHT
        kind = type_by_start(start) or kind
    if kind in _MISTAKEN_TEXTS and (found := type_by_start(start)) in _MARKED_TEXTS:
        return found
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
