"""Recognizes formats that are text by their first tags and lines."""

from __future__ import annotations

import codecs
import re

from managed_sync.documents.parsing.detection.refusals import saved_as_xml
from managed_sync.documents.parsing.detection.signatures import BLANK
from managed_sync.documents.parsing.file_types import FileType, declared_type

__all__ = ["beginning", "flat_document", "is_page_fragment", "is_web_archive", "type_by_start"]

_START = 16 * 1024
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_STARTS = (
    (re.compile(rb"<(?:!doctype\s+)?html\b", re.IGNORECASE), FileType.HTML),
    (re.compile(rb"<(?:!doctype\s+)?svg\b", re.IGNORECASE), FileType.SVG),
    (re.compile(rb"BEGIN:VCALENDAR"), FileType.ICS),
    (re.compile(rb"BEGIN:VCARD"), FileType.VCF),
    (
        re.compile(rb"From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d "),
        FileType.MBOX,
    ),
)
# Programs write parts of pages, too; a comment that is left has its end further below.
_FRAGMENT = re.compile(
    rb"<(?:!--|!doctype\b|/?(?:html|head|meta|title|link|base|style|script|body|header|main|section|"
    rb"article|div|p|table|caption|colgroup|thead|tbody|tr|th|td|span|font|center|h[1-6]|hr|br|"
    rb"b|i|u|strong|em|a|img|ul|ol|dl|form|pre|blockquote)[\s/>])",
    re.IGNORECASE,
)
_MAIL_HEADER = re.compile(
    rb"^(?:Return-Path|Received|Message-ID|MIME-Version|Delivered-To):", re.IGNORECASE | re.M
)
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t]*\S")
_MIME_VERSION = re.compile(rb"^MIME-Version:", re.IGNORECASE | re.M)
_RELATED = re.compile(rb"^Content-Type:\s*multipart/related\b", re.IGNORECASE | re.M)
# Browsers name themselves as the sender of a page that they save.
_SENT = re.compile(rb"^(?:Received:|From:(?!\s*<?Saved by))", re.IGNORECASE | re.M)
_FLAT_TYPE = re.compile(rb'office:mimetype="([^"]{1,100})"')
# The first element of the XML that Office writes in place of its usual files.
_OFFICE_XML = (
    (
        re.compile(rb"<(?:\w+:)?Workbook\s[^>]*urn:schemas-microsoft-com:office:spreadsheet"),
        ".xlsx",
    ),
    (
        re.compile(
            rb"<\w+:wordDocument\s[^>]*http://schemas\.microsoft\.com/office/word/2003/wordml"
        ),
        ".docx",
    ),
    (
        re.compile(rb"<\w+:package\s[^>]*http://schemas\.microsoft\.com/office/2006/xmlPackage"),
        ".docx, .xlsx or .pptx",
    ),
)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def beginning(data: bytes) -> bytes:
    """Returns the first bytes of a text, from its first tag or word on.

    Blanks, XML declarations and comments before that are skipped, and UTF-16 becomes UTF-8.
    """
    start = data[:_START]
    if start.startswith(_UTF16):
        start = start.decode("utf-16", "replace").encode("utf-8", "replace")
    start = start.lstrip(BLANK)
    while start.startswith((b"<?", b"<!--")):
        closing = b"?>" if start.startswith(b"<?") else b"-->"
        end = start.find(closing)
        if end < 0:
            break
        start = start[end + len(closing) :].lstrip()
    return start


def type_by_start(start: bytes) -> FileType | None:
    """Returns the type of a text by its first lines."""
    for pattern, kind in _STARTS:
        if pattern.match(start):
            return kind
    headers = _headers(start)
    if is_web_archive(start) and not _SENT.search(headers):
        return FileType.MHT
    if _HEADER.match(headers) and len(_MAIL_HEADER.findall(headers)) >= 2:
        return FileType.EMAIL
    return None


def is_page_fragment(start: bytes) -> bool:
    """Tells whether a text begins with any tag of a web page."""
    return _FRAGMENT.match(start) is not None


def is_web_archive(start: bytes) -> bool:
    """Tells whether a text begins with the headers of a page that is kept as a message."""
    headers = _headers(start)
    return bool(
        _HEADER.match(headers) and _MIME_VERSION.search(headers) and _RELATED.search(headers)
    )


def flat_document(start: bytes, name: str) -> FileType | None:
    """Returns the type of an OpenDocument file that is a single XML file.

    Raises:
        ParsingError: It is a single XML file of Microsoft Office.
    """
    for root, suffix in _OFFICE_XML:
        if root.match(start):
            raise saved_as_xml(name, suffix)
    if not start.startswith(b"<office:document"):
        return None
    found = _FLAT_TYPE.search(start)
    return declared_type(found.group(1).decode("ascii", "replace")) if found else None


def _headers(start: bytes) -> bytes:
    return _END_OF_HEADERS.split(start, maxsplit=1)[0]
