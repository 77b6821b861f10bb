r"""Writes Markdown, the form of every document's text.

The chunker reads headings, code fences and page breaks, so text that only looks like one is escaped
(``\#``), and a form feed that is not a page break becomes a line break.
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
    "join_pages",
    "link",
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
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
# Targets that mean something outside of their file. Longer ones are mostly tracking parameters.
_TARGET = re.compile(r"(?:https?://|mailto:)[^\s<>]{1,300}", re.IGNORECASE)


def clean(text: str) -> str:
    """Removes characters that stores refuse, and makes all line endings the same."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", "\n"))


def escape(text: str) -> str:
    r"""Escapes text so that no line is a heading, opens a code block, or starts a page.

    Examples:
        >>> escape("# 3 of 4")
        '\\# 3 of 4'
    """
    return _LOOKS_LIKE_STRUCTURE.sub(r"\1\\\2", clean(text).replace(PAGE_BREAK, "\n"))


def _one_line(text: str) -> str:
    if text.isprintable() and "  " not in text:
        # Most cells of tables: no other space than the blank, and nothing to clean.
        return text.strip(" ")
    return " ".join(clean(text).split())


def heading(text: str, level: int) -> str:
    """Writes a heading; levels are limited to 6, and a blank one is an empty string."""
    title = _one_line(text)
    return f"{'#' * min(max(level, 1), 6)} {title}" if title else ""


def paragraph(text: str) -> str:
    """Writes a paragraph, with its line breaks."""
    return escape(text).strip("\n").rstrip()


def link(text: str, target: str) -> str:
    """Writes a link to a page or an address; any other target is left out.

    Examples:
        >>> link("The plan", "https://harbor.example/plan")
        '[The plan](https://harbor.example/plan)'
        >>> link("Above", "#top")
        'Above'
    """
    shown = _one_line(text)
    if not shown or not _TARGET.fullmatch(target) or shown in {target, target[len("mailto:") :]}:
        return shown
    address = target.replace("(", "%28").replace(")", "%29")
    return f"[{shown.replace('[', '(').replace(']', ')')}]({address})"


def list_item(text: str, depth: int = 0) -> str:
    """Writes one item of a list; an item that begins with a number keeps it."""
    item = _one_line(text)
    if not item:
        return ""
    marker = "" if _NUMBERED.match(item) else "- "
    return f"{'  ' * depth}{marker}{item}"


def code_block(text: str, language: str = "") -> str:
    """Writes code in a fence that is longer than any fence in the code."""
    code = clean(text).replace(PAGE_BREAK, "\n").strip("\n")
    if not code.strip():
        return ""
    fence = "`" * max(3, 1 + max(map(len, _FENCES.findall(code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Writes a table whose first row is its header; shorter rows are filled up.

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
    """Changes the text of Markdown, except in code blocks."""
    if "```" not in text and "~~~" not in text:
        return change(text)
    return "\n".join(part if is_code else change(part) for part, is_code in _parts(text))


def without_code(text: str) -> str:
    """Removes the code blocks of Markdown."""
    return "\n".join(part for part, is_code in _parts(text) if not is_code)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Splits the text into code blocks and others, without the line breaks between them."""
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
    """Lowers the headings of Markdown by one level."""
    return outside_code(lambda part: _HEADING_MARK.sub(r"#\1 ", part), text)


def join_blocks(blocks: Iterable[str]) -> str:
    """Joins blocks with a blank line between them; the items of a list stay together."""
    parts: list[str] = []
    for block in blocks:
        if not block:
            continue
        if parts:
            together = _is_item(parts[-1]) and _is_item(block)
            parts.append("\n" if together else "\n\n")
        parts.append(block)
    return _BLANK_LINES.sub("\n\n", "".join(parts))


def join_pages(pages: Iterable[str]) -> str:
    """Joins pages with a page break between them."""
    return f"\n\n{PAGE_BREAK}".join(page.strip("\n") for page in pages)


def _is_item(block: str) -> bool:
    start = block.lstrip(" ")
    return "\n" not in block and (start.startswith("- ") or bool(_NUMBERED.match(start)))
