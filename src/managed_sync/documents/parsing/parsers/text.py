"""Reads formats that are text already: plain text, code and CSV."""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from pathlib import PurePosixPath

from managed_sync.documents.parsing.markdown_writer import (
    PAGE_BREAK,
    code_block,
    escape,
    table,
)

__all__ = ["parse_code", "parse_csv", "parse_text"]

_SEPARATORS = (",", ";", "\t", "|")
_SNIFFED = 64 * 1024
_SNIFFED_ROWS = 50


def parse_text(text: str) -> str:
    """Escapes plain text, in which form feeds are page breaks, as they are for printers."""
    return PAGE_BREAK.join(escape(page) for page in text.split(PAGE_BREAK))


def parse_code(text: str, *, filename: str) -> str:
    """Writes code and data formats as one fenced block with the language of the file's suffix."""
    return code_block(text, PurePosixPath(filename).suffix.lower().removeprefix("."))


def parse_csv(text: str) -> str:
    """Writes a CSV file as a table, with any separator, in time proportional to its size."""
    text = text.replace("\0", "").lstrip("\n\r")
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        return table(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    except csv.Error:
        return parse_text(text)
    finally:
        csv.field_size_limit(limit)


def _separator(text: str) -> str:
    """Returns the separator that gives the most of the first lines equally many values."""
    sample = text[:_SNIFFED]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample

    def score(separator: str) -> tuple[float, int]:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
        widths = Counter(len(row) for row in itertools.islice(rows, _SNIFFED_ROWS) if row)
        if not widths:
            return 0, 0
        width, count = widths.most_common(1)[0]
        return (count / widths.total() if width > 1 else 0), width

    return max(_SEPARATORS, key=score)
