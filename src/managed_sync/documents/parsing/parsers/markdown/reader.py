"""Reads Markdown: the text stays, in the form that the chunker recognizes.

One pass over the lines finds the blocks of CommonMark, in time proportional to the size.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property

from managed_sync.documents.parsing import markdown_writer
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK
from managed_sync.documents.parsing.parsers.markdown.front_matter import split_front_matter
from managed_sync.documents.parsing.parsers.markdown.html_blocks import (
    HtmlBlock,
    html_block,
    html_to_markdown,
)
from managed_sync.documents.parsing.parsers.markdown.inline import without_comments

__all__ = ["parse_markdown"]

_LONGEST_TITLE = 300
_MOST_TITLE_LINES = 5
# Lines that begin no block, as most lines do: no other pattern needs to look at them.
_PLAIN = re.compile(r" {0,3}(?:[^\s#`~<$=|\d*+-][^|]*|(?:\d|[*+-][ \t]+\w)[^|`~]*)$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_LIKE_A_FENCE = re.compile(r"^( {0,3})(?=`{3,}|~{3,})", re.MULTILINE)
_FENCE_IN_ITEM = re.compile(r"( {0,3}(?:[-*+]|\d{1,9}[.)])) {1,4}(`{3,}[^`]*|~{3,}.*)$")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_END_OF_HEADING = re.compile(r"(?:[ \t]+#+)?[ \t]*(?:\{[#.][^{}]*\}[ \t]*)?$")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*$")
# Lines that a line of dashes below does not turn into a heading.
_NO_TITLE = re.compile(r" {0,3}(?:[-*+>|<]|\d{1,9}[.)][ \t])")
_TABLE_RULE = re.compile(r" {0,3}:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+$")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_LAST_BORDER = re.compile(r"(?<!\\)\|$")


def parse_markdown(text: str, *, name: str) -> str:
    """Marks every heading by ``#``, turns front matter and HTML into text, and removes comments.

    Args:
        text: The Markdown.
        name: The name of the file in error messages.
    """
    front, text = split_front_matter(markdown_writer.clean(text).replace(PAGE_BREAK, "\n"))
    return markdown_writer.join_blocks([front, _Reader(text.split("\n"), name).read()])


class _Reader:
    def __init__(self, lines: list[str], name: str) -> None:
        self._lines = lines
        self._name = name
        self._at = 0
        self._written: list[str] = []
        self._paragraph: list[str] = []

    def read(self) -> str:
        """Returns the text with every block in the form of this package."""
        steps: tuple[Callable[[str], bool], ...] = (
            self._blank,
            self._code,
            self._heading,
            self._underlined,
            self._html,
            self._formula,
            self._table,
        )
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if _PLAIN.match(line) or not any(step(line) for step in steps):
                self._paragraph.append(line)
                self._at += 1
        self._end_paragraph()
        return "\n".join(self._written).strip("\n")

    def _end_paragraph(self) -> None:
        if not self._paragraph:
            return
        text = without_comments("\n".join(self._paragraph))
        self._paragraph = []
        if "```" in text or "~~~" in text:
            text = _LIKE_A_FENCE.sub(r"\1\\", text)
        self._written.append(text)

    def _write(self, *blocks: str) -> None:
        self._end_paragraph()
        self._written += blocks

    def _blank(self, line: str) -> bool:
        if line.strip():
            return False
        self._write("")
        self._at += 1
        return True

    def _code(self, line: str) -> bool:
        """Reads a fenced block, to its end or to that of the text, or a line of indented code."""
        if not self._paragraph and line.startswith(("    ", "\t")):
            self._write(line)
            self._at += 1
            return True
        if in_item := _FENCE_IN_ITEM.match(line):
            self._write(in_item.group(1))
            line = f"  {in_item.group(2)}"
        found = _FENCE.match(line)
        if not found:
            return False
        fence = found.group(1)
        block = [line]
        self._at += 1
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            block.append(line)
            ending = _FENCE.match(line) if fence in line else None
            if ending and ending.group(1).startswith(fence) and not line[ending.end() :].strip():
                break
        self._write(*block)
        return True

    def _heading(self, line: str) -> bool:
        found = _HEADING.match(line)
        if not found:
            return False
        title = " ".join(without_comments(found.group(2) or "").split())
        self._write(markdown_writer.heading(_END_OF_HEADING.sub("", title), len(found.group(1))))
        self._at += 1
        return True

    def _underlined(self, line: str) -> bool:
        found = _UNDERLINE.match(line) if self._paragraph else None
        if not found or _NO_TITLE.match(self._paragraph[0]):
            return False
        if len(self._paragraph) > _MOST_TITLE_LINES:
            return False
        title = without_comments(" ".join(self._paragraph))
        if not title.strip() or len(title) > _LONGEST_TITLE:
            return False
        self._paragraph = []
        self._write(markdown_writer.heading(title, 1 if found.group(1) else 2))
        self._at += 1
        return True

    def _html(self, line: str) -> bool:
        if not line.lstrip(" ").startswith("<"):
            return False
        block = html_block(line, in_paragraph=bool(self._paragraph))
        if block is HtmlBlock.COMMENT:
            return self._comment(line)
        end = self._end_of_html(block) if block else None
        if block is None or end is None:
            return False
        html = "\n".join(self._lines[self._at : end])
        self._write("", html_to_markdown(html, block, name=self._name), "")
        self._at = end
        return True

    def _comment(self, line: str) -> bool:
        """Leaves out a comment; what stands behind it is read as a line of its own."""
        if "-->" in line:
            rest = without_comments(line)
            if rest == line:
                return False
        else:
            ends = self._ends[HtmlBlock.COMMENT]
            index = bisect_left(ends, self._at + 1)
            if index == len(ends):
                return False
            self._write()
            self._at = ends[index]
            rest = self._lines[self._at].partition("-->")[2]
        if rest.strip():
            self._lines[self._at] = rest.lstrip()
        else:
            self._at += 1
        return True

    def _end_of_html(self, block: HtmlBlock) -> int | None:
        """Returns the number of the line behind an HTML block, if it has an end."""
        if block in self._ends:
            ends = self._ends[block]
            index = bisect_left(ends, self._at)
            if index < len(ends):
                last = ends[index] + 1
                return last if block is not HtmlBlock.TABLE else self._next_blank(last)
            if block is not HtmlBlock.TABLE:
                return None
        return self._next_blank(self._at + 1)

    def _next_blank(self, start: int) -> int:
        index = bisect_left(self._blanks, start)
        return self._blanks[index] if index < len(self._blanks) else len(self._lines)

    @cached_property
    def _blanks(self) -> list[int]:
        return [number for number, line in enumerate(self._lines) if not line.strip()]

    @cached_property
    def _ends(self) -> dict[HtmlBlock, list[int]]:
        """The numbers of the lines that end each kind of HTML block."""
        marks = [(block, block.value) for block in HtmlBlock if block.value]
        ends: dict[HtmlBlock, list[int]] = {block: [] for block, _ in marks}
        for number, line in enumerate(self._lines):
            if ">" in line:
                lowered = line.lower()
                for block, mark in marks:
                    if mark in lowered:
                        ends[block].append(number)
        return ends

    def _formula(self, line: str) -> bool:
        """Reads a formula between lines of two dollars, in which no line is a heading."""
        if line.strip() != "$$" or self._paragraph:
            return False
        end = self._next_blank(self._at + 1)
        for number in range(self._at + 1, end):
            if self._lines[number].strip() == "$$":
                block = "\n".join(self._lines[self._at : number + 1])
                self._write(markdown_writer.escape(block))
                self._at = number + 1
                return True
        return False

    def _table(self, line: str) -> bool:
        """Reads a table without borders, and writes it with them."""
        at = self._at + 1
        if at >= len(self._lines) or "|" not in line or not _TABLE_RULE.match(self._lines[at]):
            return False
        if len(_cells(line)) != len(_cells(self._lines[at])):
            return False
        rows = [line, self._lines[at]]
        while (at := at + 1) < len(self._lines) and "|" in self._lines[at]:
            rows.append(self._lines[at])
        self._write(*(f"| {' | '.join(_cells(without_comments(row)))} |" for row in rows))
        self._at = at
        return True


def _cells(row: str) -> list[str]:
    row = row.strip().removeprefix("|")
    return [cell.strip() for cell in _CELL_BORDER.split(_LAST_BORDER.sub("", row))]
