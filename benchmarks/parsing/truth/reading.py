"""Chooses how the truth about a file is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.parsing.truth import pdf
from benchmarks.parsing.truth.book import read_book
from benchmarks.parsing.truth.html import read_html
from benchmarks.parsing.truth.mail import read_mail, read_mailbox
from benchmarks.parsing.truth.model import Truth, UnsupportedFileError
from benchmarks.parsing.truth.old_office import (
    read_binary_workbook,
    read_doc,
    read_msg,
    read_ppt,
    read_xls,
)
from benchmarks.parsing.truth.open_document import read_open_document
from benchmarks.parsing.truth.pdf import read_pdf
from benchmarks.parsing.truth.plain import (
    read_calendar,
    read_cards,
    read_csv,
    read_notebook,
    read_plain,
)
from benchmarks.parsing.truth.rich_text import read_rich_text
from benchmarks.parsing.truth.slides import read_slides
from benchmarks.parsing.truth.word import read_word
from benchmarks.parsing.truth.workbook import read_workbook

__all__ = ["FORMATS", "missing_tools", "read_truth"]

_READERS: Mapping[str, Callable[[bytes], Truth]] = {
    "pdf": read_pdf,
    "docx": read_word,
    "pptx": read_slides,
    "xlsx": read_workbook,
    "html": read_html,
    "eml": read_mail,
    "mbox": read_mailbox,
    "mht": read_mail,
    "msg": read_msg,
    "doc": read_doc,
    "ppt": read_ppt,
    "xls": read_xls,
    "xlsb": read_binary_workbook,
    "md": read_plain,
    "odt": read_open_document,
    "ods": read_open_document,
    "odp": read_open_document,
    "rtf": read_rich_text,
    "epub": read_book,
    "csv": read_csv,
    "txt": read_plain,
    "ipynb": read_notebook,
    "ics": read_calendar,
    "vcf": read_cards,
}
FORMATS = tuple(_READERS)


def read_truth(data: bytes, kind: str) -> Truth:
    """Returns the truth about a file of this format.

    Raises:
        DamagedFileError: It is damaged or protected.
        UnsupportedFileError: Nothing independent reads this format.
    """
    if kind not in _READERS:
        raise UnsupportedFileError(f"nothing independent reads {kind}")
    return _READERS[kind](data)


def missing_tools(kinds: set[str]) -> str:
    """Returns a sentence that says what to install to measure these formats, or nothing."""
    return pdf.needs() if "pdf" in kinds else ""
