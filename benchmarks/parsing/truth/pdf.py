"""Reads PDF with ``pdftotext`` of Poppler, and bookmarks, form values and notes with ``pypdf``."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pypdf

from benchmarks.parsing.truth.model import DamagedFileError, Truth, words

__all__ = ["needs", "read_pdf"]

_SECONDS = 60
_NOTES = {"/Text", "/FreeText", "/Highlight", "/Underline", "/StrikeOut", "/Squiggly", "/Caret"}


def needs() -> str:
    """Returns a sentence that says what to install, or nothing."""
    if shutil.which("pdftotext"):
        return ""
    return (
        "PDF is measured against pdftotext: install it with apt-get install poppler-utils, "
        "or brew install poppler."
    )


def read_pdf(data: bytes) -> Truth:
    """Returns the truth about a PDF.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    run = subprocess.run(
        ["pdftotext", "-enc", "UTF-8", "-", "-"],  # noqa: S607 - wherever it is installed
        input=data,
        capture_output=True,
        check=False,
        timeout=_SECONDS,
    )
    if run.returncode:
        reason = run.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise DamagedFileError(f"pdftotext cannot read it: {reason}")
    truth = Truth(uncounted=frozenset({"form values", "notes"}))
    pages = run.stdout.decode("utf-8", "replace").split("\f")
    for page in pages:
        truth.add("text", page)
        truth.flow.append(page)
    try:
        _add_structure(truth, pypdf.PdfReader(io.BytesIO(data)), pages)
    except Exception:  # noqa: BLE001 - of whatever kind: pdftotext has read it
        truth.headings.clear()
    return truth


def _add_structure(truth: Truth, reader: pypdf.PdfReader, pages: list[str]) -> None:
    texts = [f" {' '.join(words(page))} " for page in pages]
    for title, page in _bookmarks(reader, reader.outline):
        # Only a title that its page shows can be a heading of the text.
        plain = " ".join(words(title))
        if plain and 0 <= page < len(texts) and f" {plain} " in texts[page]:
            truth.headings.append(title)
    for field in (reader.get_fields() or {}).values():
        value = field.get("/V")
        if isinstance(value, str) and not value.startswith("/"):
            truth.add("form values", value)
    for page_ in reader.pages:
        annotations: Any = page_.get("/Annots")
        for one in (annotations.get_object() if annotations is not None else None) or ():
            note = one.get_object()
            if note.get("/Subtype") in _NOTES and isinstance(note.get("/Contents"), str):
                truth.add("notes", str(note["/Contents"]))


def _bookmarks(reader: pypdf.PdfReader, outline: Any) -> Iterator[tuple[str, int]]:
    for one in outline:
        if isinstance(one, list):
            yield from _bookmarks(reader, one)
        elif one.title:
            number = reader.get_destination_page_number(one)
            yield str(one.title), -1 if number is None else number
