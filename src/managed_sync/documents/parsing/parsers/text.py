"""Reads formats that are text already: plain text and code."""

from __future__ import annotations

from pathlib import PurePosixPath

from managed_sync.documents.parsing.markdown_writer import (
    PAGE_BREAK,
    code_block,
    escape,
)

__all__ = ["parse_code", "parse_text"]


def parse_text(text: str) -> str:
    """Escapes plain text, in which form feeds are page breaks, as they are for printers."""
    return PAGE_BREAK.join(escape(page) for page in text.split(PAGE_BREAK))


def parse_code(text: str, *, filename: str) -> str:
    """Writes code and data formats as one fenced block with the language of the file's suffix."""
    return code_block(text, PurePosixPath(filename).suffix.lower().removeprefix("."))
