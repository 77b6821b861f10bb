"""Puts the lines of a page together: into blocks by their positions, and into text by their words.

A block is a paragraph, a heading, an item of a list, or some rows; what is in it has the same type
and stands closely together.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from managed_sync.documents.parsing.parsers.pdf.lines import BULLET, UNSPACED, Line
from managed_sync.documents.parsing.parsers.pdf.tables.aligned import are_aligned
from managed_sync.documents.parsing.parsers.pdf.tables.table import Table

__all__ = ["SENTENCE_ENDS", "Block", "blocks", "join", "known_words"]

_NUMBERED = re.compile(r"\d{1,2}(?:(?:\.\d{1,2}){1,3}[.)]?|[.)])\s+(?=[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN = re.compile(r"([^\W\d_]+)-$")
_BEGIN = re.compile(r"[^\W\d_]+")
SENTENCE_ENDS = (".", "!", "?", ":", "。", "！", "？", "؟", "।")  # noqa: RUF001
# All measures are parts of the height of the type.
_SAME_SIZE = 1.12
_FARTHER = 0.35
_UPWARDS = 0.5
_INDENT = 0.8
_BLANK = 0.25
_USUAL_GAP = 0.3
_NEAR_RIGHT = 4.0
_FEW = 3
_LONGEST_WORD = 80


@dataclass(slots=True)
class Block:
    """Lines that belong together.

    Attributes:
        lines: The lines, from top to bottom.
        right: Where its lines would be full.
    """

    lines: list[Line]
    right: float

    @property
    def text(self) -> str:
        """The plain text of the lines, on one line."""
        return " ".join(line.text for line in self.lines)

    def ends_on_purpose(self, index: int, following: Line | None = None) -> bool:
        """Tells whether the first word of the next line would have fit, or either is a row."""
        line = self.lines[index]
        after = following or (self.lines[index + 1] if index + 1 < len(self.lines) else None)
        if after is None or self._is_row(index) or self._is_row(index + 1):
            return True
        width = after.box.right - after.box.left
        first = width * len(after.text.partition(" ")[0]) / max(len(after.text), 1)
        room = self.right - line.box.right
        return room > first + _BLANK * line.size and not after.text[:1].islower()

    def _is_row(self, index: int) -> bool:
        """Tells whether a line has a wide gap below or above one of its neighbors."""
        near = self.lines[max(index - 1, 0) : index + 2]
        return any(are_aligned(one, other) for one, other in pairwise(near))


def blocks(
    items: Iterable[Line | Table], *, breaks: Collection[int] = ()
) -> Iterator[Block | Table]:
    """Yields the blocks of a page, in the order of its lines.

    Args:
        items: The lines and tables of one direction, in reading order.
        breaks: The ids of lines that begin a block in any position.
    """
    for column in _columns(items):
        lines = [item for item in column if isinstance(item, Line)]
        usual = _usual_gap(lines)
        right = max((line.box.right for line in lines), default=0.0)
        block: list[Line] = []
        for item in column:
            if isinstance(item, Table):
                if block:
                    yield _block(block, right)
                block = []
                yield item
                continue
            if block and (id(item) in breaks or not _continues(block, item, usual, right)):
                yield _block(block, right)
                block = []
            block.append(item)
        if block:
            yield _block(block, right)


def _columns(items: Iterable[Line | Table]) -> Iterator[list[Line | Table]]:
    """Yields runs of items that follow each other downwards."""
    column: list[Line | Table] = []
    for item in items:
        if column:
            before = column[-1].box
            height = item.size if isinstance(item, Line) else 0.0
            beside = item.box.left > before.right and item.box.top < before.bottom - height / 2
            if item.box.top < before.top - _UPWARDS * height or beside:
                yield column
                column = []
        column.append(item)
    if column:
        yield column


def _usual_gap(lines: Sequence[Line]) -> float:
    """Returns the gap between most lines, as a part of their height."""
    gaps = [
        (below.box.top - above.box.bottom) / above.size
        for above, below in pairwise(lines)
        if above.size > 0 and 1 / _SAME_SIZE < below.size / above.size < _SAME_SIZE
    ]
    near = [gap for gap in gaps if -_UPWARDS < gap < 2]
    return statistics.median_low(near) if len(near) >= _FEW else _USUAL_GAP


def _continues(block: Sequence[Line], line: Line, usual: float, right: float) -> bool:
    last = block[-1]
    if not 1 / _SAME_SIZE < line.size / max(last.size, 1e-3) < _SAME_SIZE:
        return False
    if line.box.top - last.box.bottom > (usual + _FARTHER) * last.size:
        return False
    if line.box.left > max(each.box.right for each in block[-3:]) or line.box.right < last.box.left:
        return False
    if BULLET.match(line.text):
        return False
    ends = Block([last, line], right).ends_on_purpose(0)
    if ends and (
        line.bold is not last.bold
        or _NUMBERED.match(line.text)
        # A numbered line that is not full is a title or an item.
        or (len(block) == 1 and _NUMBERED.match(last.text))
    ):
        return False
    is_indented = line.box.left > last.box.left + _INDENT * line.size
    return not (last.text.endswith(SENTENCE_ENDS) and (ends or (len(block) > 1 and is_indented)))


def _block(lines: list[Line], right: float) -> Block:
    """Makes a block; one with full lines has an edge of its own."""
    own = max(line.box.right for line in lines)
    full = sum(line.box.right > own - _NEAR_RIGHT * line.size for line in lines)
    words = sum(line.text.count(" ") + 1 for line in lines)
    is_text = len(lines) >= _FEW and full > len(lines) / 2 and words >= 4 * len(lines)
    return Block(lines, own if is_text else right)


def known_words(texts: Iterable[str]) -> set[str]:
    """Returns the words of the lines, without those that a line end breaks."""
    return {
        word.casefold()
        for text in texts
        for word in _WORD.findall(_BROKEN.sub("", text) if text.endswith("-") else text)
    }


def join(lines: Iterable[tuple[str, str]], words: Collection[str]) -> str:
    """Joins lines; a word that was broken between two of them becomes whole again.

    The hyphen stays if the text has the word with it elsewhere, or has both parts as words, but
    not the whole one.

    Args:
        lines: The text before each line, a blank or a line break, and the line.
        words: The words that the document has.

    Examples:
        >>> join([("", "a for-"), (" ", "mula for two")], {"two"})
        'a formula for two'
        >>> join([("", "a well-"), (" ", "known one")], {"well", "known"})
        'a well-known one'
    """
    parts: list[str] = []
    for between, line in lines:
        if parts and line:
            parts[-1], between = _joint(parts[-1], between, line, words)  # noqa: PLW2901
            parts.append(between)
        if line:
            parts.append(line)
    return "".join(parts)


def _joint(first: str, between: str, second: str, words: Collection[str]) -> tuple[str, str]:
    """Returns the first of two lines, maybe without its hyphen, and the text between them."""
    broken = _BROKEN.search(first[-_LONGEST_WORD:]) if first.endswith("-") else None
    rest = _BEGIN.match(second)
    if broken and rest:
        if not rest.group()[0].islower():
            return first, ""
        left, right = broken[1].casefold(), rest.group().casefold()
        is_compound = f"{left}-{right}" in words or (
            left in words and right in words and left + right not in words
        )
        return (first if is_compound else first[:-1]), ""
    if between == " " and UNSPACED.match(first[-1]) and UNSPACED.match(second[0]):
        return first, ""
    return first, between
