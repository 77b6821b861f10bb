r"""Writing Markdown: the one form in which every document's text is kept.

A heading, a code fence and a page break mean something to the chunker, so text that only looks
like one is escaped (``\#``), and a form feed that is not a page break becomes a line break.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "PAGE_BREAK",
    "clean",
    "code_block",
    "deeper",
    "escape",
    "heading",
    "join_blocks",
    "list_item",
    "outside_code",
    "paragraph",
    "table",
    "without_code",
]

PAGE_BREAK = "\f"

_LOOKS_LIKE_STRUCTURE = re.compile(r"^( {0,3})(#{1,6}(?=[ \t]|$)|`{3,}|~{3,})", re.MULTILINE)
_NUMBERED = re.compile(r"\d{1,9}[.)]\s")
_FENCES = re.compile(r"`{3,}")
# NUL, other controls that no text needs, byte order marks, and halves of surrogate pairs.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufeff\ud800-\udfff]")
_FENCE_LINE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_HEADING_MARK = re.compile(r"^(#{1,5}) ", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")


def clean(text: str) -> str:
    """Text without characters that stores refuse, and with one kind of line ending."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", "\n"))


def escape(text: str) -> str:
    r"""Text in which no line is a heading, opens a code block, or starts a page.

    Examples:
        >>> escape("# 3 of 4")
        '\\# 3 of 4'
    """
    return _LOOKS_LIKE_STRUCTURE.sub(r"\1\\\2", clean(text).replace(PAGE_BREAK, "\n"))


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def heading(text: str, level: int) -> str:
    """A heading of a level from 1 to 6; deeper ones become 6. Blank text gives nothing."""
    title = _one_line(text)
    return f"{'#' * min(max(level, 1), 6)} {title}" if title else ""


def paragraph(text: str) -> str:
    """A paragraph, its line breaks kept."""
    return escape(text).strip("\n").rstrip()


def list_item(text: str, depth: int = 0) -> str:
    """One item of a list; an item that has a number of its own keeps it."""
    item = _one_line(text)
    if not item:
        return ""
    marker = "" if _NUMBERED.match(item) else "- "
    return f"{'  ' * depth}{marker}{item}"


def code_block(text: str, language: str = "") -> str:
    """Code in a fence that is longer than any in it."""
    code = clean(text).replace(PAGE_BREAK, "\n").strip("\n")
    if not code.strip():
        return ""
    fence = "`" * max(3, 1 + max(map(len, _FENCES.findall(code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


def table(rows: Iterable[Sequence[str]]) -> str:
    """A table whose first row is its header; rows of unequal length are filled up.

    Examples:
        >>> print(table([["Name", "Pay"], ["Ann", "10"]]))
        | Name | Pay |
        | --- | --- |
        | Ann | 10 |
    """
    cells = [[_one_line(cell).replace("|", r"\|") for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        return ""
    width = max(map(len, cells))
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in cells]
    lines.insert(1, f"| {' | '.join(['---'] * width)} |")
    return "\n".join(lines)


def outside_code(change: Callable[[str], str], text: str) -> str:
    """Markdown with its text changed, and its code blocks as they are."""
    return "\n".join(part if is_code else change(part) for part, is_code in _parts(text))


def without_code(text: str) -> str:
    """Markdown without its code blocks."""
    return "\n".join(part for part, is_code in _parts(text) if not is_code)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in parts that are code blocks or not; line breaks between them are left out."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        found = _FENCE_LINE.match(line)
        if found and not fence:
            fence = found.group(1)
            if lines:
                yield "\n".join(lines), False
            lines = [line]
        elif found and found.group(1).startswith(fence) and not found.group(2).strip():
            fence = ""
            yield "\n".join([*lines, line]), True
            lines = []
        else:
            lines.append(line)
    if lines:
        yield "\n".join(lines), bool(fence)


def deeper(text: str) -> str:
    """Markdown with its headings one level lower."""
    return outside_code(lambda part: _HEADING_MARK.sub(r"#\1 ", part), text)


def join_blocks(blocks: Iterable[str]) -> str:
    """Blocks with a blank line between them; the items of a list stay together."""
    parts: list[str] = []
    for block in blocks:
        if not block:
            continue
        if parts:
            together = _is_item(parts[-1]) and _is_item(block)
            parts.append("\n" if together else "\n\n")
        parts.append(block)
    return _BLANK_LINES.sub("\n\n", "".join(parts))


def _is_item(block: str) -> bool:
    start = block.lstrip(" ")
    return "\n" not in block and (start.startswith("- ") or bool(_NUMBERED.match(start)))
