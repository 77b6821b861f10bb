"""The files that are attached to a PDF."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import partial
from typing import Any

from managed_sync.documents.parsing.base import unreadable
from managed_sync.documents.parsing.parsers.pdf.document import PDFIUM, opened
from managed_sync.documents.parsing.parts import Member, too_large

__all__ = ["attachments"]


def attachments(data: bytes, *, name: str) -> Iterator[Member]:
    """Yields the files that are attached to a document; each has to be read before the next one.

    PDFium is free for other threads, and for a PDF that is attached, while a file is in use.

    Args:
        data: The document.
        name: The name of the document in error messages.
    """
    with opened(data, name=name) as document:
        with PDFIUM:
            count = document.count_attachments()
        for index in range(count):
            with PDFIUM:
                title, content_type = _labels(document, index)
            yield Member(title, partial(_content, document, index, title), content_type)


def _labels(document: Any, index: int) -> tuple[str, str]:
    """Returns the name and the type of an attachment, as far as they are stated."""
    from pypdfium2 import PdfiumError  # noqa: PLC0415 - comes with an extra

    labels = ["", ""]
    try:
        attachment = document.get_attachment(index)
        labels[0] = attachment.get_name()
        labels[1] = attachment.get_subtype()
    except PdfiumError:
        pass
    return labels[0], labels[1]


def _content(document: Any, index: int, name: str, limit: int) -> bytes:
    from pypdfium2 import PdfiumError, raw  # noqa: PLC0415 - comes with an extra

    with PDFIUM:
        try:
            attachment = document.get_attachment(index)
            size = ctypes.c_ulong()
            raw.FPDFAttachment_GetFile(attachment, None, 0, size)
            if size.value > limit:
                raise too_large(name, limit)
            return bytes(attachment.get_data()) if size.value else b""
        except PdfiumError as error:
            raise unreadable(name, error) from error
