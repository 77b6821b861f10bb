"""Finds the lines that a PDF's bookmarks point to: the headings that its author named."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from managed_sync.documents.parsing.parsers.pdf.lines import Line

__all__ = ["Bookmark", "OutlineHeading", "bookmarks", "matched"]

_MAX_BOOKMARKS = 20_000
_MAX_ON_PAGE = 200
_MAX_LINES = 5
_MAX_LEVEL = 6
_NO_LETTER = re.compile(r"[\W_]+")
# The number of a title, with the word before it, as in "Exhibit 2.3-1" or "Chapter IV:".
_NUMBER = re.compile(
    r"\s*(?:[^\W\d_]+\s+)?(?:[A-Z][.-])?(?:\d+(?:[.-]\d+)*|[ivxlc]+(?=[.):]))[.):]*\s+",
    re.IGNORECASE,
)


class Bookmark(NamedTuple):
    """An entry of the outline.

    Attributes:
        title: Its text.
        level: Its depth, from 1.
        page: The index of the page that it opens.
    """

    title: str
    level: int
    page: int


class OutlineHeading(NamedTuple):
    """A heading that a bookmark names.

    Attributes:
        lines: The lines that it takes.
        level: Its level.
        title: The title of the bookmark if it says more than the lines, such as a number.
    """

    lines: list[Line]
    level: int
    title: str


def bookmarks(document: Any) -> list[Bookmark]:
    """Returns the bookmarks of a document that open one of its pages."""
    found: list[Bookmark] = []
    for number, entry in enumerate(document.get_toc(max_depth=_MAX_LEVEL + 2)):
        if number >= _MAX_BOOKMARKS:
            break
        target = entry.get_dest()
        page = target.get_index() if target else None
        if page is not None and 0 <= page < len(document) and (title := entry.get_title()):
            found.append(Bookmark(title, min(entry.level + 1, _MAX_LEVEL), page))
    return found


def matched(marks: Sequence[Bookmark], pages: Sequence[Sequence[Line]]) -> list[OutlineHeading]:
    """Returns the lines on the pages that bookmarks name.

    A title may take several lines. Its number may be missing in the bookmark, or on the page. A
    bookmark may open the page before its heading.
    """
    by_page = defaultdict[int, list[Bookmark]](list)
    for mark in marks:
        if len(by_page[mark.page]) < _MAX_ON_PAGE:
            by_page[mark.page].append(mark)
    found: list[OutlineHeading] = []
    taken: set[int] = set()
    texts: dict[int, _Texts] = {}
    for number, wanted in sorted(by_page.items()):
        texts = {
            page: texts.get(page) or _Texts(pages[page])
            for page in (number, number + 1)
            if page < len(pages)
        }
        for mark in wanted:
            for text in texts.values():
                lines = text.find(mark.title, taken)
                if lines:
                    taken.update(map(id, lines))
                    shown = _letters("".join(line.text for line in lines))
                    says_more = len(_letters(mark.title)) > len(shown)
                    title = mark.title.strip() if says_more else ""
                    found.append(OutlineHeading(lines, mark.level, title))
                    break
    return found


class _Texts:
    """The lines of a page, to be compared with titles."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._letters = [_letters(line.text) for line in lines]
        self._unnumbered = [_letters(_unnumbered(line.text)) for line in lines]

    def find(self, title: str, taken: set[int]) -> list[Line]:
        """Returns the lines that are exactly a title, and no other heading yet."""
        wanted = [letters for letters in _forms(title) if letters]
        candidates = [
            (self._lines[index].size, -index, count)
            for index, line in enumerate(self._lines)
            if id(line) not in taken
            for letters in wanted
            if (count := self._length(index, letters))
        ]
        if not candidates:
            return []
        # Among equal ones, such as the entry of a table of contents, the largest.
        _, first, count = max(candidates)
        return [*self._lines[-first : -first + count]]

    def _length(self, index: int, wanted: str) -> int:
        """Returns the number of lines from this one that are the title together, or 0."""
        for start in {self._letters[index], self._unnumbered[index]}:
            text = start
            for count in range(1, _MAX_LINES + 1):
                if not text or not wanted.startswith(text):
                    break
                if text == wanted:
                    return count
                if index + count >= len(self._lines):
                    break
                text += self._letters[index + count]
        return 0


def _forms(title: str) -> Iterator[str]:
    yield _letters(title)
    yield _letters(_unnumbered(title))


def _unnumbered(text: str) -> str:
    number = _NUMBER.match(text)
    return text[number.end() :] if number else text


def _letters(text: str) -> str:
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _NO_LETTER.sub("", folded.casefold())
