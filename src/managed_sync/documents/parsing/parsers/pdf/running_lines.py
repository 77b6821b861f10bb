"""Finds what only counts: headers and footers with a page number, and the numbers of lines.

A line is one if similar lines are at the same place near the same edge of other pages, and a number
in them counts the pages. Lines of larger type are titles ("Chapter 3"). A number alone also has to
stand apart at the very edge, so figures of the text are never taken for one. Headers without a
number are kept: they cannot be distinguished from the text of similar pages.

Contracts, pleadings and drafts number their lines at the side of the page. Such numbers would stand
between any two lines of a sentence.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from managed_sync.documents.parsing.parsers.pdf.lines import Line
from managed_sync.documents.parsing.parsers.pdf.pages import Page
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table

__all__ = ["line_numbers", "running_lines"]

_NUMBER = re.compile(r"\d+|(?<!\w)[ivxlc]{1,7}(?!\w)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_PAGE_WORDS = {"page", "seite", "página", "pagina", "pág", "p", "s", "of", "von", "de", "di", "sur"}
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
# Headers have a few lines, in this part of the page.
_EDGE_ROWS = 4
_BARE_ROWS = 2
_EDGE = 0.2
# Lines at the same place on two pages may differ by this, in points.
_SAME_PLACE = 4.0
# Titles are in larger type than the text.
_LARGER = 1.1
# A line stands apart if the gap to the text is larger than this part of its height.
_APART = 0.6
# In a long document, a line has to repeat this often.
_LONG, _REPEATED = 5, 3
# A column of numbers counts lines from this many on, if the lines next to it are mostly one text.
_FEWEST_NUMBERS = 8
_LINE_NUMBER = re.compile(r"[1-9]\d{0,3}")
_STEPS = {1, 2, 5, 10}
_MOSTLY = 0.7


class _Candidate(NamedTuple):
    """A line near an edge of a page."""

    page: int
    line: Line
    is_top: bool
    depth: int
    is_apart: bool
    shape: str
    numbers: tuple[int, ...]


def running_lines(pages: Sequence[Page], *, body_size: float, title: str) -> set[int]:
    """Returns the ids of the headers and footers with a page number.

    The first of its kind is not among them if it says something that is neither in the title nor
    elsewhere on its page.

    Args:
        pages: The pages; their tables have no running lines.
        body_size: The height of most of the type.
        title: The title that the file states.
    """
    candidates = [
        each
        for number, page in enumerate(pages)
        for each in _candidates(number, page)
        if each.line.size <= _LARGER * body_size
    ]
    found: set[int] = set()
    for group in _groups(candidates):
        if not _is_running(group, len(pages)):
            continue
        first = group[0]
        words = _words(first.shape) - _PAGE_WORDS - _known(pages[first.page], first.line, title)
        found.update(id(each.line) for each in (group[1:] if words else group))
    return found


def line_numbers(pages: Sequence[Page]) -> set[int]:
    """Returns the ids of the numbers that count the lines of most pages, at one side of the text.

    Args:
        pages: The pages.
    """
    found = [column for page in pages if (column := _column_of_numbers(page.lines))]
    sure = sum(column.is_beside_text for column in found)
    texts = sum(len(page.lines) >= _FEWEST_NUMBERS for page in pages)
    if sure < min(_REPEATED, max(texts, 2)) or sure < texts / 2:
        return set()
    return {id(line) for column in found for line in column.numbers}


class _Column(NamedTuple):
    """Numbers at one side of a page, from top to bottom, and the lines next to them."""

    numbers: list[Line]
    beside: list[Line]

    @property
    def is_beside_text(self) -> bool:
        """Tells whether the numbers count lines of text, not the rows of a table or a list."""
        # A row of a table has gaps, and a list has fewer lines than numbers, or more.
        texts = sum(not line.pieces for line in self.beside)
        steps = abs(int(self.numbers[-1].text) - int(self.numbers[0].text)) + 1
        is_text = _MOSTLY * steps < len(self.beside) < steps / _MOSTLY
        return is_text and texts >= _MOSTLY * len(self.beside)


def _column_of_numbers(lines: Sequence[Line]) -> _Column | None:
    numbers: list[Line] = []
    counted = [line for line in lines if _LINE_NUMBER.fullmatch(line.text)]
    for side in ("left", "right"):
        columns = defaultdict[int, list[Line]](list)
        for line in counted:
            columns[round(getattr(line.box, side) / _SAME_PLACE)].append(line)
        numbers = max((numbers, *columns.values()), key=len)
    if len(numbers) < _FEWEST_NUMBERS:
        return None
    numbers.sort(key=lambda line: line.box.top)
    steps = Counter(int(below.text) - int(above.text) for above, below in pairwise(numbers))
    step, count = steps.most_common(1)[0]
    if step not in _STEPS or count < _MOSTLY * (len(numbers) - 1):
        return None
    top, bottom = numbers[0].box.top, numbers[-1].box.bottom
    ids = set(map(id, numbers))
    beside = [
        line
        for line in lines
        if id(line) not in ids and line.box.bottom > top and line.box.top < bottom
    ]
    left = min((line.box.left for line in beside), default=math.inf)
    right = max((line.box.right for line in beside), default=-math.inf)
    is_outside = all(line.box.right < left for line in numbers) or all(
        line.box.left > right for line in numbers
    )
    return _Column(numbers, beside) if is_outside else None


def _candidates(number: int, page: Page) -> Iterator[_Candidate]:
    height = page.height
    rows = _rows(page.items)
    for is_top in (True, False):
        ordered = rows if is_top else rows[::-1]
        inwards = zip(ordered[:_EDGE_ROWS], [*ordered[1:], []], strict=False)
        for depth, (row, inner) in enumerate(inwards):
            top, bottom = min(line.box.top for line in row), max(line.box.bottom for line in row)
            if (bottom > _EDGE * height) if is_top else (top < (1 - _EDGE) * height):
                break
            gap = (
                min((line.box.top for line in inner), default=bottom) - bottom
                if is_top
                else top - max((line.box.bottom for line in inner), default=top)
            )
            for line in row:
                if isinstance(line, Table):
                    continue
                yield _Candidate(
                    number,
                    line,
                    is_top,
                    depth,
                    gap > _APART * line.size,
                    _NUMBER.sub("#", line.text),
                    tuple(_value(found.group()) for found in _NUMBER.finditer(line.text)),
                )


def _rows(items: Iterable[Line | Table]) -> list[list[Line | Table]]:
    """Returns the lines from top to bottom; lines next to each other are one row."""
    rows: list[list[Line | Table]] = []
    for line in sorted(items, key=lambda line: line.box.middle[1]):
        if rows and rows[-1][0].box.bottom > line.box.middle[1]:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _groups(candidates: Iterable[_Candidate]) -> Iterator[list[_Candidate]]:
    """Yields similar lines at the same place, page by page."""
    similar = defaultdict[tuple[bool, str], list[_Candidate]](list)
    for each in candidates:
        similar[each.is_top, each.shape].append(each)
    for group in similar.values():
        at = sorted(group, key=lambda each: each.line.box.middle[1])
        same: list[_Candidate] = []
        for each in at:
            if same and each.line.box.middle[1] > same[-1].line.box.middle[1] + _SAME_PLACE:
                yield sorted(same, key=lambda one: one.page)
                same = []
            same.append(each)
        if same:
            yield sorted(same, key=lambda one: one.page)


def _is_running(group: Sequence[_Candidate], pages: int) -> bool:
    numbers = {each.page for each in group}
    if len(numbers) < min(_REPEATED if pages >= _LONG else 2, pages) or pages == 1:
        return False
    if len(group) > len(numbers):
        return False  # The same line twice on a page, such as a row of figures.
    return _counts_pages(group)


def _counts_pages(group: Sequence[_Candidate]) -> bool:
    """Tells whether a number in the lines grows with the pages."""
    offsets = Counter[tuple[int, int]]()
    for each in group:
        for place, number in enumerate(each.numbers):
            offsets[place, number - each.page] += 1
    if not offsets:
        return False
    # Numbers start again after a front matter, so not all of them have the same offset.
    (_, count) = offsets.most_common(1)[0]
    enough = count > len(group) / 2 or count >= _LONG
    if _words(group[0].shape):
        return enough
    apart = sum(each.is_apart and each.depth < _BARE_ROWS for each in group)
    return enough and apart > len(group) / 2


def _value(number: str) -> int:
    if number.isdecimal():
        return int(number[:9])
    values = [_ROMAN[digit] for digit in number.lower()]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _known(page: Page, running: Line, title: str) -> set[str]:
    """Returns the words of the title and of the other lines of a page."""
    words = _words(title)
    for line in page.lines:
        if line is not running:
            words |= _words(line.text)
    return words
