"""The tables of a document as HTML, for whoever shows or computes with them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from managed_sync.documents import markdown

__all__ = ["MOST_CHARACTERS", "small_tables_html", "without_tables"]

Value = TypeVar("Value")

# Stores keep metadata beside the text, and some of them little of it.
MOST_CHARACTERS = 2000
_TABLE = re.compile(
    r"^(?P<head>\|[^\n]*\|)\n\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*\n(?P<body>(?:\|[^\n]*\|(?:\n|\Z))*)",
    re.MULTILINE,
)
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


def small_tables_html(text: str) -> str:
    r"""All tables of a Markdown text, if they are small; otherwise nothing.

    Examples:
        >>> small_tables_html("| City |\n| --- |\n| Oslo |\n")
        '<table><tr><th>City</th></tr><tr><td>Oslo</td></tr></table>'
    """
    if "\n|" not in text:
        return ""
    found: list[str] = []
    length = 0
    for table in _tables(text):
        length += len(table)
        if length > MOST_CHARACTERS:
            return ""
        found.append(table)
    return "".join(found)


def without_tables(metadata: Mapping[str, Value]) -> dict[str, Value]:
    """What a chunk has of its document's metadata: not the tables, for it has its own."""
    return {key: value for key, value in metadata.items() if key != "tables_html"}


def _tables(text: str) -> Iterator[str]:
    for table in _TABLE.finditer(markdown.without_code(text)):
        rows = [_row(line, "td") for line in table["body"].splitlines()]
        yield f"<table>{_row(table['head'], 'th')}{''.join(rows)}</table>"


def _row(line: str, tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in _cells(line))}</tr>"


def _cells(line: str) -> Sequence[str]:
    cells = _BETWEEN_CELLS.split(line.strip()[1:-1])
    return [html.escape(cell.strip().replace(r"\|", "|"), quote=False) for cell in cells]
