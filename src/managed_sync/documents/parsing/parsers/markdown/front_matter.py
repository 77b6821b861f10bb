"""Reads the front matter of Markdown, in YAML or TOML."""

from __future__ import annotations

import re

from managed_sync.documents.parsing import markdown_writer

__all__ = ["split_front_matter"]

_KEY = re.compile(r"[\w\"'][^:\n]{0,100}:(?:\s|$)|[\w.\"'-]+\s*=", re.MULTILINE)
_FRONT_MATTER_MARKS = {"---": ("---", "..."), "+++": ("+++",)}


def split_front_matter(text: str) -> tuple[str, str]:
    """Returns the front matter of a clean Markdown text as a paragraph, and the text after it."""
    first, _, rest = text.partition("\n")
    ends = _FRONT_MATTER_MARKS.get(first.rstrip())
    if ends is None:
        return "", text
    lines = rest.split("\n")
    for number, line in enumerate(lines):
        if line.rstrip() in ends:
            matter = "\n".join(lines[:number])
            # A rule at the beginning has a blank line below it, or at least no keys.
            if matter[:1].strip() and _KEY.match(matter.lstrip("# \t-")):
                return markdown_writer.paragraph(matter), "\n".join(lines[number + 1 :])
            break
    return "", text
