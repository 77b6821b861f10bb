"""Chooses how the truth about a file is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from benchmarks.parsing.truth import pdf
from benchmarks.parsing.truth.archive import read_archive
from benchmarks.parsing.truth.book import read_book
from benchmarks.parsing.truth.formats import format_of
from benchmarks.parsing.truth.html import read_html
from benchmarks.parsing.truth.mail import read_mail, read_mailbox
from benchmarks.parsing.truth.model import Truth, UnsupportedFileError
from benchmarks.parsing.truth.office.old_office import (
    read_binary_workbook,
    read_doc,
    read_msg,
    read_ppt,
    read_xls,
)
from benchmarks.parsing.truth.office.open_document import read_open_document
from benchmarks.parsing.truth.office.rich_text import read_rich_text
from benchmarks.parsing.truth.office.slides import read_slides
from benchmarks.parsing.truth.office.word import read_word
from benchmarks.parsing.truth.office.workbook import read_workbook
from benchmarks.parsing.truth.pdf import read_pdf
from benchmarks.parsing.truth.plain import (
    read_calendar,
    read_cards,
    read_csv,
    read_markdown,
    read_notebook,
    read_plain,
)

__all__ = ["FORMATS", "missing_tools", "read_truth"]

# Programs that test e-mail keep messages as texts.
_MESSAGE = re.compile(
    rb"(?=[^\n]*:)(?:[A-Za-z0-9-]+:[^\n]*\r?\n(?:[ \t][^\n]*\r?\n)*)*?"
    rb"(?:Received|Message-ID|MIME-Version|Return-Path):",
    re.IGNORECASE,
)
_READERS: Mapping[str, Callable[[bytes], Truth]] = {
    "pdf": read_pdf,
    "docx": read_word,
    "pptx": read_slides,
    "xlsx": read_workbook,
    "html": read_html,
    "mht": read_mail,
    "msg": read_msg,
    "doc": read_doc,
    "ppt": read_ppt,
    "xls": read_xls,
    "xlsb": read_binary_workbook,
    "md": read_markdown,
    "odt": read_open_document,
    "ods": read_open_document,
    "odp": read_open_document,
    "rtf": read_rich_text,
    "epub": read_book,
    "csv": read_csv,
    "ipynb": read_notebook,
    "ics": read_calendar,
    "vcf": read_cards,
}
_WITH_FILES: Mapping[str, Callable[[bytes], Truth]] = {
    "eml": lambda data: read_mail(data, read_attachment=_inner_text),
    "mbox": lambda data: read_mailbox(data, read_attachment=_inner_text),
    "txt": lambda data: (
        read_mail(data, read_attachment=_inner_text) if _MESSAGE.match(data) else read_plain(data)
    ),
    "archive": lambda data: read_archive(data, read_member=_inner_text),
}
FORMATS = (*_READERS, *_WITH_FILES)


def read_truth(data: bytes, kind: str) -> Truth:
    """Returns the truth about a file of this format.

    Raises:
        DamagedFileError: It is damaged or protected.
        UnsupportedFileError: Nothing independent reads this format.
    """
    reader = _READERS.get(kind) or _WITH_FILES.get(kind)
    if reader is None:
        raise UnsupportedFileError(f"nothing independent reads {kind}")
    return reader(data)


def _inner_text(data: bytes, name: str) -> str:
    """The text of a file in another one; files in files of files are left out."""
    reader = _READERS.get(format_of(name))
    if reader is None or not data:
        return ""
    try:
        truth = reader(data)
    except Exception:  # noqa: BLE001 - of whatever kind: it is then not a part of the truth
        return ""
    return "\n".join(
        text if isinstance(text, str) else text[0]
        for part, texts in truth.parts.items()
        if part not in truth.uncounted
        for text in texts
    )


def missing_tools(kinds: set[str]) -> str:
    """Returns a sentence that says what to install to measure these formats, or nothing."""
    return pdf.needs() if "pdf" in kinds else ""
