"""Chooses how the truth about a file is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.parsing.truth import pdf
from benchmarks.parsing.truth.html import read_html
from benchmarks.parsing.truth.mail import read_mail
from benchmarks.parsing.truth.model import Truth, UnsupportedFileError
from benchmarks.parsing.truth.pdf import read_pdf
from benchmarks.parsing.truth.word import read_word

__all__ = ["FORMATS", "missing_tools", "read_truth"]

_READERS: Mapping[str, Callable[[bytes], Truth]] = {
    "pdf": read_pdf,
    "docx": read_word,
    "html": read_html,
    "eml": read_mail,
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
