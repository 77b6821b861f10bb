"""Reading a document's Markdown again: where its sections, paragraphs and sentences begin."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field

__all__ = ["Outline", "Section", "outline"]

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)")
_CLOSING_HASHES = re.compile(r"[ \t]+#+[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# Lines that stand for themselves: table rows, list items, quotations.
_OWN_LINE = re.compile(r"\s*(?:\||[-*+>•][ \t]|\d{1,9}[.)][ \t])")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*\s+")  # noqa: RUF001 - several scripts
_LINES = re.compile(r"[^\n\f]*(?:\n|\f|$)")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the text up to the next one; the first has no heading if none comes first.

    Attributes:
        start: Where it begins, in characters.
        end: Where the next one begins.
        level: The level of its heading, 0 without one.
        path: The headings above it and its own, outermost first.
    """

    start: int
    end: int
    level: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """Where a text may be cut, best places first; all offsets are ascending.

    Attributes:
        sections: The sections, without gaps.
        blocks: Where a paragraph, list, table, code block or page begins.
        sentences: Where a sentence begins, or a line that stands for itself.
        pages: Where each page but the first begins.
    """

    sections: tuple[Section, ...]
    blocks: array[int] = field(default_factory=lambda: array("Q"))
    sentences: array[int] = field(default_factory=lambda: array("Q"))
    pages: array[int] = field(default_factory=lambda: array("Q"))


def outline(text: str) -> Outline:
    """Finds the structure in one pass over the lines."""
    headings: list[tuple[int, int, str]] = []
    blocks, pages = array("Q"), array("Q")
    own_lines: list[int] = []
    fence = ""
    after_gap = False
    for match in _LINES.finditer(text):
        start, line = match.start(), match.group()
        if not line:
            continue
        if opening := _FENCE.match(line):
            if not fence:
                fence = opening.group(1)
                blocks.append(start)
            elif _closes(fence, opening.group(1), line):
                fence = ""
        elif fence:
            own_lines.append(start)
        elif found := _HEADING.match(line):
            title = _CLOSING_HASHES.sub("", found.group(2)).strip()
            headings.append((start, len(found.group(1)), title))
            blocks.append(start)
        elif line.strip():
            if after_gap:
                blocks.append(start)
            elif _OWN_LINE.match(line):
                own_lines.append(start)
        after_gap = not line.strip() or line.endswith("\f")
        if line.endswith("\f"):
            pages.append(match.end())
            fence = ""
    sentences = array("Q", sorted({*own_lines, *_sentence_starts(text)}))
    return Outline(_sections(headings, len(text)), blocks, sentences, pages)


def _closes(fence: str, candidate: str, line: str) -> bool:
    return candidate.startswith(fence) and not line.strip().strip(fence[0])


def _sentence_starts(text: str) -> list[int]:
    starts = (match.end() for match in _SENTENCE_END.finditer(text))
    # A small letter follows abbreviations ("e.g. this"), seldom the end of a sentence.
    return [start for start in starts if start < len(text) and not text[start].islower()]


def _sections(headings: list[tuple[int, int, str]], length: int) -> tuple[Section, ...]:
    sections: list[Section] = []
    first = headings[0][0] if headings else length
    if first > 0:
        sections.append(Section(0, first, 0, ()))
    path: list[tuple[int, str]] = []
    for index, (start, level, title) in enumerate(headings):
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, title))
        end = headings[index + 1][0] if index + 1 < len(headings) else length
        sections.append(Section(start, end, level, tuple(name for _, name in path)))
    return tuple(sections)
