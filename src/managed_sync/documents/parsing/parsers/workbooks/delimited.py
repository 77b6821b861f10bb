"""Reads CSV and other files with separators between values, in time proportional to their size."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from managed_sync.documents.parsing.markdown_writer import join_blocks, paragraph, table

__all__ = ["parse_csv"]

_SEPARATORS = (",", ";", "\t", "|")
_SNIFFED = 64 * 1024
_SNIFFED_ROWS = 50
# More lines above the names of the columns than any export has.
_MAX_TITLES = 20
_MAX_OPEN_QUOTES = 20
_NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d\s*%?")
# Excel's own first line, which names the separator and is no data.
_NAMED = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


def parse_csv(text: str) -> str:
    """Writes a CSV file as a table, with any separator.

    Lines with one value above the first row with several, such as the title of an export, become
    paragraphs.
    """
    text = text.replace("\0", "").lstrip("\n\r")
    named = _NAMED.match(text)
    text = text[named.end() :] if named else text
    separator = named[1] if named else _separator(text)
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        rows = [
            (number, row)
            for number, row in enumerate(_rows(text, separator))
            if any(map(str.strip, row))
        ]
    finally:
        csv.field_size_limit(limit)
    titles = _titles(rows[: _MAX_TITLES + 1])
    paragraphs = [paragraph(" ".join(row).strip()) for _, row in rows[:titles]]
    return join_blocks([*paragraphs, table(row for _, row in rows[titles:])])


def _titles(rows: Sequence[tuple[int, Sequence[str]]]) -> int:
    """Returns how many rows are titles above the table, by the numbers and values of rows."""
    filled = [sum(1 for value in row if value.strip()) for _, row in rows]
    first = next((index for index, count in enumerate(filled) if count > 1), 0)
    if not first:
        return 0
    (number, row), (below, values) = rows[first - 1], rows[first]
    # The name of one column only, in the row right above the values.
    is_last = len(row) == len(values) and bool(row[-1].strip())
    is_first = len(row) == len(values) == 2 and any(map(_NUMBER.fullmatch, values))
    return first - 1 if below == number + 1 and (is_last or is_first) else first


def _rows(text: str, separator: str) -> Iterator[Sequence[str]]:
    """Yields the rows. A quote that is never closed is a letter of its line, not the whole rest."""
    lines = io.StringIO(text, newline="").readlines()
    start = 0
    for _ in range(_MAX_OPEN_QUOTES):
        begin = start
        for row, first, last in _numbered(lines[start:], separator):
            is_last = start + last == len(lines)
            if is_last and last - first > 1 and _is_open(lines[start + first :]):
                begin = start + first
                break
            yield row
        else:
            return
        yield from csv.reader([lines[begin]], delimiter=separator, quoting=csv.QUOTE_NONE)
        start = begin + 1
    yield from csv.reader(lines[start:], delimiter=separator, quoting=csv.QUOTE_NONE)


def _numbered(lines: Sequence[str], separator: str) -> Iterator[tuple[Sequence[str], int, int]]:
    """Yields each row with the numbers of its first line and of the line after it."""
    reader = csv.reader(lines, delimiter=separator)
    first = 0
    for row in reader:
        yield row, first, reader.line_num
        first = reader.line_num


def _is_open(lines: Sequence[str]) -> bool:
    return sum(line.count('"') for line in lines) % 2 == 1


def _separator(text: str) -> str:
    """Returns the separator that gives the most of the first lines equally many values."""
    sample = text[:_SNIFFED]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample

    def score(separator: str) -> tuple[float, int]:
        """Returns the share of rows that have the most frequent width, and that width."""
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
        widths = Counter(len(row) for row in itertools.islice(rows, _SNIFFED_ROWS) if row)
        if not widths:
            return 0, 0
        width, count = widths.most_common(1)[0]
        return (count / widths.total() if width > 1 else 0), width

    best = max(_SEPARATORS, key=score)
    return "\t" if best == "," and _is_one_column(sample) else best


def _is_one_column(sample: str) -> bool:
    """Tells whether commas belong to the text: "Smith, John" below a name without a comma."""
    lines = [line for line in sample.splitlines() if line.strip()]
    if not lines or "," in lines[0] or '"' in sample or "\t" in sample:
        return False
    return not re.search(r",(?! )", sample)
