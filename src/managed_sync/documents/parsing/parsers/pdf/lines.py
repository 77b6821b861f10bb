"""The words and lines of a page, with their positions.

PDFium gives letters in the order in which they read, also from right to left, and puts blanks and
line breaks between them. This module adds where each word is, how large its type is, and in which
direction it runs.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.pdf.geometry import Box, Frame, quarter_turns

__all__ = ["Line", "PageText", "Word", "is_right_to_left", "letter_boxes", "read_text"]

# PDFium's mark for a hyphen at the end of a line, in place of the hyphen and the line break.
_HYPHEN = "\ufffe"
_TOKEN = re.compile(r"[\r\n]+|\ufffe|[^\s\ufffe]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOLD = re.compile(r"bold|black|heavy|demi(?!tal)|(?<![a-z])bd(?![a-z])", re.IGNORECASE)
_FORCE_BOLD = 1 << 18
_MAX_FONT_NAME = 100
# Words are in one line if their boxes overlap by this part of the lower one.
_SAME_LINE = 0.35
# After a line break of PDFium, they also have to be this near to each other.
_NEXT = 1.0
_NO_BLANK = 0.12


@dataclass(slots=True)
class Word:
    """A run of letters without a blank.

    Attributes:
        text: The letters, in the order in which they read.
        box: Where they are, in the frame of their line.
        first: The index of the first letter on the page.
        count: The number of letters, as the page counts them.
        target: The address that a link on this word opens.
    """

    text: str
    box: Box
    first: int
    count: int
    target: str = ""


@dataclass(slots=True)
class Line:
    """Words next to each other.

    Attributes:
        words: The words, in the order in which they read.
        turns: The direction in which the line runs; see :class:`Frame`.
        box: Where it is, in its own frame.
        size: The height of its type.
        bold: Whether all of it is in bold type.
        text: The plain text.
        marked: The text with links, once the words are released.
    """

    words: list[Word]
    turns: int
    size: float
    bold: bool = False
    box: Box = field(init=False)
    text: str = field(init=False)
    marked: str = field(init=False, default="")

    def __post_init__(self) -> None:
        boxes = [word.box for word in self.words]
        self.box = Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )
        self.text = " ".join(word.text for word in self.words)

    def with_links(self) -> str:
        """Returns the text, with the links of its words as Markdown."""
        parts: list[str] = []
        for target, words in groupby(self.words, key=lambda word: word.target):
            shown = " ".join(word.text for word in words)
            # An address that is printed is its own link, also the part of it on a line.
            parts.append(link(shown, target) if target and shown not in target else shown)
        return " ".join(parts)

    def with_line(self, other: Line) -> Line:
        """Returns this line continued by another one, after the words of both are released."""
        joined = copy(self)
        joined.box = Box(
            min(self.box.left, other.box.left),
            min(self.box.top, other.box.top),
            max(self.box.right, other.box.right),
            max(self.box.bottom, other.box.bottom),
        )
        joined.text = f"{self.text} {other.text}"
        joined.marked = f"{self.marked} {other.marked}"
        joined.bold = self.bold and other.bold
        return joined

    def release_words(self) -> None:
        """Keeps only what a whole document needs of a line, since words take much memory."""
        self.marked = self.with_links()
        self.words = []


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page.

    Attributes:
        lines: The lines, in the order in which the page draws them.
        frame: The frame of most of them.
    """

    lines: list[Line]
    frame: Frame


class _Letters:
    """Asks PDFium about single letters of a page."""

    def __init__(self, text_page: Any, shown: tuple[float, float, float, float]) -> None:
        from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

        self._raw = raw
        self._page = text_page
        self._rectangle = raw.FS_RECTF()
        self._name = ctypes.create_string_buffer(_MAX_FONT_NAME)
        self._flags = ctypes.c_int()
        self._matrix = raw.FS_MATRIX()
        self.frames = [Frame(turns, shown) for turns in range(4)]

    def text(self) -> str:
        """Returns the letters, exactly one character for each; halves of a pair count as two."""
        count = self._raw.FPDFText_CountChars(self._page)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (2 * count + 1))()
        written = self._raw.FPDFText_GetText(self._page, 0, count, buffer)
        if written - 1 == count:
            units = memoryview(buffer).cast("B")[: 2 * count].tobytes()
            try:
                text = units.decode("utf-16-le")
            except UnicodeDecodeError:
                text = ""
            if len(text) == count:
                return text
            return "".join(map(chr, buffer[:count]))
        codes = (self._raw.FPDFText_GetUnicode(self._page, index) for index in range(count))
        return "".join(chr(code) if code < 0x110000 else " " for code in codes)

    def box(self, first: int, last: int, frame: Frame) -> Box:
        """Returns where a run of letters is, with the height of their type."""
        rectangle = self._rectangle
        self._raw.FPDFText_GetLooseCharBox(self._page, first, rectangle)
        left, top = rectangle.left, rectangle.top
        right, bottom = rectangle.right, rectangle.bottom
        if last != first:
            self._raw.FPDFText_GetLooseCharBox(self._page, last, rectangle)
            left, right = min(left, rectangle.left), max(right, rectangle.right)
            top, bottom = max(top, rectangle.top), min(bottom, rectangle.bottom)
        return frame.place(left, top, right, bottom)

    def turns(self, first: int, last: int) -> int:
        """Returns the direction of a word: as its letters are turned, or down if they are not."""
        turns = quarter_turns(self._raw.FPDFText_GetCharAngle(self._page, first))
        if turns == 0 and first != last:
            one = self.box(first, first, self.frames[0])
            other = self.box(last, last, self.frames[0])
            height = one.bottom - one.top
            aside = abs(other.middle[0] - one.middle[0])
            if other.top - one.top > max(height / 2, 2 * aside):
                return 3
        return turns

    def size(self, index: int) -> float:
        """Returns the size of the type of a letter, as it is shown; 0 if it is unknown."""
        if not self._raw.FPDFText_GetMatrix(self._page, index, self._matrix):
            return 0.0
        scale = math.hypot(self._matrix.c, self._matrix.d)
        return float(self._raw.FPDFText_GetFontSize(self._page, index) * scale)

    def is_bold(self, index: int) -> bool:
        """Tells whether the font of a letter is bold by its name or its flags."""
        size = self._raw.FPDFText_GetFontInfo(
            self._page, index, self._name, _MAX_FONT_NAME, self._flags
        )
        name = self._name.value if 0 < size <= _MAX_FONT_NAME else b""
        return bool(
            _BOLD.search(name.decode("utf-8", "replace")) or self._flags.value & _FORCE_BOLD
        )


def read_text(page: Any, text_page: Any) -> PageText:
    """Returns the lines of a page.

    Args:
        page: The page.
        text_page: PDFium's handle of its text.
    """
    letters = _Letters(text_page, page.get_bbox())
    lines = [*_lines(letters)]
    votes = Counter[int]()
    for line in lines:
        votes[line.turns] += len(line.text)
    # Without a text to tell, a page is seen as it is shown.
    upright = page.get_rotation() // 90 % 4
    turns = max(votes, key=lambda turns: (votes[turns], turns == upright), default=upright)
    return PageText(lines, letters.frames[turns])


def letter_boxes(page: Any, text_page: Any, word: Word, frame: Frame) -> Iterator[Box]:
    """Yields where each letter of a word is."""
    letters = _Letters(text_page, page.get_bbox())
    for index in range(word.first, word.first + word.count):
        yield letters.box(index, index, frame)


def _lines(letters: _Letters) -> Iterator[Line]:
    words: list[Word] = []
    turns = 0
    is_broken = False
    for token in _TOKEN.finditer(letters.text()):
        text = token.group()
        if text[0] in "\r\n":
            is_broken = True
            continue
        if text == _HYPHEN:
            if words:
                words[-1].text += "-"
            is_broken = True
            continue
        first, last = token.start(), token.end() - 1
        turned = letters.turns(first, last) if is_broken or not words else turns
        word = _word(letters, text, first, last, turned)
        if words and (turned != turns or not _is_next(words[-1], word, is_broken=is_broken)):
            yield _line(letters, words, turns)
            words = []
            turned = letters.turns(first, last)
            word = _word(letters, text, first, last, turned)
        if words and is_broken and _touches(words[-1], word):
            words[-1] = _joined(words[-1], word)
        elif word.text:
            words.append(word)
        turns, is_broken = turned, False
    if words:
        yield _line(letters, words, turns)


def _word(letters: _Letters, text: str, first: int, last: int, turns: int) -> Word:
    box = letters.box(first, last, letters.frames[turns])
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    if "\xad" in text:
        # Many fonts map their hyphen to the soft hyphen; on a page it is always drawn.
        text = text.replace("\xad", "-")
    return Word(text, box, first, last - first + 1)


def _is_next(word: Word, other: Word, *, is_broken: bool) -> bool:
    """Tells whether a word continues the line of the one before it.

    PDFium breaks a line at small figures, such as those of a fraction.
    """
    one, two = word.box, other.box
    height = min(one.bottom - one.top, two.bottom - two.top)
    shared = min(one.bottom, two.bottom) - max(one.top, two.top)
    if shared < _SAME_LINE * height:
        return False
    gap = two.left - one.right
    return not is_broken or -_NEXT * height < gap < _NEXT * height


def _touches(word: Word, other: Word) -> bool:
    """Tells whether there is no blank between two words of a line."""
    gap = other.box.left - word.box.right
    return abs(gap) < _NO_BLANK * (other.box.bottom - other.box.top) and word.text[-1] != "-"


def _joined(word: Word, other: Word) -> Word:
    box = Box(
        word.box.left,
        min(word.box.top, other.box.top),
        other.box.right,
        max(word.box.bottom, other.box.bottom),
    )
    return Word(word.text + other.text, box, word.first, other.first + other.count - word.first)


def _line(letters: _Letters, words: Sequence[Word], turns: int) -> Line:
    longest = max(words, key=lambda word: word.count)
    size = letters.size(longest.first) or longest.box.bottom - longest.box.top
    bold = all(
        letters.is_bold(index) for index in (words[0].first, words[-1].first + words[-1].count - 1)
    )
    return Line([*words], turns, size, bold)


def is_right_to_left(texts: Iterable[str]) -> bool:
    """Tells whether most letters are Arabic, Hebrew or of another such script."""
    right = left = 0
    for text in texts:
        if text.isascii():
            left += len(text)
            continue
        directions = [unicodedata.bidirectional(letter) for letter in text]
        right += sum(direction in {"R", "AL"} for direction in directions)
        left += directions.count("L")
    return right > left
