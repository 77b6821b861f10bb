"""Opens a PDF with PDFium."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from managed_sync.documents.parsing.base import missing_parser, unreadable
from managed_sync.errors import ParsingError

__all__ = ["PDFIUM", "opened"]

PDFIUM = threading.RLock()
"""Held while PDFium is called, since it crashes the process if two threads call it.

A thread may hold it twice: the collection of garbage may close a document at any time.
"""


@contextmanager
def opened(data: bytes, *, name: str) -> Iterator[Any]:
    """Opens a document, which needs no password if anybody may read it.

    Raises:
        ParsingError: The file is damaged, or needs a password.
        MissingExtraError: ``pypdfium2`` is not installed.
    """
    try:
        import pypdfium2  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise unreadable(name, _reason(error)) from error
    try:
        if not len(document):
            raise ParsingError(f"{name} could not be read: it has no pages.")
        yield document
    finally:
        with PDFIUM:
            document.close()


def _reason(error: Exception) -> Exception:
    """Returns an error that says in plain words why PDFium refused a file."""
    text = str(error)
    if "security" in text:
        return ValueError("it is protected in a way that cannot be opened; save it without")
    return ValueError("it is damaged") if "format" in text else error
