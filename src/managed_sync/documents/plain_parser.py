"""Formats that are text already: nothing has to be recognized, only kept."""

from __future__ import annotations

import csv
import io
from pathlib import PurePosixPath

from managed_sync.documents.markdown import PAGE_BREAK, code_block, escape, table

__all__ = ["parse_code", "parse_large_csv", "parse_text"]

_SNIFFED = 64 * 1024


def parse_text(text: str) -> str:
    """Plain text as it is; form feeds are page breaks there too, as printers read them."""
    return PAGE_BREAK.join(escape(page) for page in text.split(PAGE_BREAK))


def parse_code(text: str, *, filename: str) -> str:
    """Code and data formats as one fenced block, named by the file's suffix."""
    return code_block(text, PurePosixPath(filename).suffix.lower().removeprefix("."))


def parse_large_csv(text: str) -> str:
    """A CSV file as a table, row by row, in time that grows with its size only."""
    sample = text[:_SNIFFED]
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(sample, delimiters=",;|\t")
    except csv.Error:
        dialect = csv.excel
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        return table(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), dialect))
    finally:
        csv.field_size_limit(limit)
