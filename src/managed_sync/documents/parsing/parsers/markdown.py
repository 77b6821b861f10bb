"""Markdown: kept as it is, but for what the chunker would not recognize."""

from __future__ import annotations

import re

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK

__all__ = ["parse_markdown"]

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_UNDERLINED = re.compile(
    r"^(?P<title> {0,3}[^\s|#>*+`~<-][^\n]*)\n {0,3}(?P<line>=+|-{2,})[ \t]*$", re.MULTILINE
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def parse_markdown(text: str) -> str:
    """Markdown with every heading marked by ``#``, front matter as text, and no comments."""
    text = markdown.clean(text).replace(PAGE_BREAK, "\n")
    front = ""
    if matter := _FRONT_MATTER.match(text):
        front, text = markdown.paragraph(matter.group(1)), text[matter.end() :]
    return markdown.join_blocks([front, markdown.outside_code(_plain, text).strip("\n")])


def _plain(text: str) -> str:
    return _UNDERLINED.sub(_heading, _COMMENT.sub("", text))


def _heading(found: re.Match[str]) -> str:
    return markdown.heading(found["title"], 1 if found["line"].startswith("=") else 2)
