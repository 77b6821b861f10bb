"""The tables of a document as HTML, for whoever shows or computes with them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from managed_sync.documents.parsing import markdown_writer as markdown

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
    if "|\n|" not in text:
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
    if "```" in text or "~~~" in text:
        text = markdown.without_code(text)
    for table in _TABLE.finditer(text):
        rows = "".join(_row(line, "td") for line in _escaped(table["body"]).splitlines())
        yield f"<table>{_row(_escaped(table['head']), 'th')}{rows}</table>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _row(line: str, tag: str) -> str:
    cells = _BETWEEN_CELLS.split(line.strip()[1:-1])
    row = f"</{tag}><{tag}>".join(map(str.strip, cells)).replace(r"\|", "|")
    return f"<tr><{tag}>{row}</{tag}></tr>"
