"""Reads Markdown: the text stays, in the form that the chunker recognizes."""

from __future__ import annotations

import re

from managed_sync.documents.parsing import markdown_writer
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK

__all__ = ["parse_markdown", "split_front_matter"]

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_UNDERLINED = re.compile(
    r"^(?P<title> {0,3}[^\s|#>*+`~<-][^\n]*)\n {0,3}(?P<line>=+|-{2,})[ \t]*$", re.MULTILINE
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def parse_markdown(text: str, *, name: str) -> str:
    """Marks every heading by ``#``, turns front matter into text, and removes comments."""
    text = markdown_writer.clean(text).replace(PAGE_BREAK, "\n")
    front, text = split_front_matter(text)
    body = markdown_writer.outside_code(_plain, text).strip("\n")
    return markdown_writer.join_blocks([front, body])


def split_front_matter(text: str) -> tuple[str, str]:
    """Returns the front matter of a clean Markdown text as a paragraph, and the text after it."""
    if matter := _FRONT_MATTER.match(text):
        return markdown_writer.paragraph(matter.group(1)), text[matter.end() :]
    return "", text


def _plain(text: str) -> str:
    return _UNDERLINED.sub(_heading, _COMMENT.sub("", text))


def _heading(found: re.Match[str]) -> str:
    return markdown_writer.heading(found["title"], 1 if found["line"].startswith("=") else 2)
