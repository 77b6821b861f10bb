"""The words and lines of a page, with their positions.

PDFium gives letters in the order in which they read, also from right to left, and puts blanks and
line breaks between them. This module adds where each word is, how large its type is, and in which
direction it runs. See ``docs/decisions/0050-documents-hidden-text.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.pdf.geometry import Box, Frame
from managed_sync.documents.parsing.parsers.pdf.letters import Letters

__all__ = [
    "BULLET",
    "UNSPACED",
    "Line",
    "PageText",
    "Word",
    "is_right_to_left",
    "letter_boxes",
    "read_text",
]

# PDFium's mark for a hyphen at the end of a line, in place of the hyphen and the line break.
_HYPHEN = "\ufffe"
_TOKEN = re.compile(r"[\r\n]+|\ufffe|[^\s\ufffe]+")
BULLET = re.compile(r"[•◦▪▫‣⁃●○■□◆➢➤✓·–\uf0a7\uf0b7\uf0d8\uf076]\s+")  # noqa: RUF001
# Kana, Han and full-width forms are written without blanks.
UNSPACED = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Words are in one line if their boxes overlap by this part of the lower one.
_SAME_LINE = 0.35
# After a line break of PDFium, they also have to be this near to each other.
_NEXT = 1.0
_NO_BLANK = 0.12
# A word drawn twice is moved by less than this part of its height.
_SAME_PLACE = 0.15
# Places are noted by areas of so many points, and in each only so many of a word, so that the time
# for a page grows with its words.
_AREA, _MOST_NOTED = 16, 20
# A gap between letters that are set widely is narrower than this part of their height, and as wide
# as the one before it.
_SPACED, _AS_WIDE = 0.3, 1.3
# A gap wider than this is none between the words of a sentence.
_WIDE = 1.5
# Two figures next to each other are hardly a sentence, so that a narrower gap parts them.
_WIDE_BETWEEN_FIGURES = 0.7
_FIGURE = re.compile(r"[(*$€£+−–-]{0,3}\d[\d.,:/–-]*[)%*]{0,3}")  # noqa: RUF001
# What numbers an item or a heading stands at a distance from it.
_MARKER = re.compile(r"\(?(?:\w{1,3}[.)]|\d{1,3}(?:\.\d{1,3})+\.?)|[^\w\s]")


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
        pieces: The parts between wide gaps, once the words are released; empty without such gaps.
    """

    words: list[Word]
    turns: int
    size: float
    bold: bool = False
    box: Box = field(init=False)
    text: str = field(init=False)
    marked: str = field(init=False, default="")
    pieces: list[Line] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        boxes = [word.box for word in self.words]
        self.box = Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        )
        self.text = " ".join(word.text for word in self.words)

    @property
    def word_count(self) -> float:
        """The number of words; two letters count as one in a script without blanks."""
        return self.text.count(" ") + 1 + len(UNSPACED.findall(self.text)) / 2

    def with_links(self) -> str:
        """Returns the text, with the links of its words as Markdown."""
        parts: list[str] = []
        for target, words in groupby(self.words, key=lambda word: word.target):
            shown = " ".join(word.text for word in words)
            # An address that is printed is its own link, also the part of it on a line.
            parts.append(link(shown, target) if target and shown not in target else shown)
        return " ".join(parts)

    def release_words(self) -> None:
        """Keeps only what a whole document needs of a line, since words take much memory."""
        self.marked = self.with_links()
        runs = [*_runs(self.words, self.size)]
        if len(runs) > 1:
            self.pieces = [Line(run, self.turns, self.size, self.bold) for run in runs]
            for piece in self.pieces:
                piece.marked = piece.with_links()
                piece.words = []
        self.words = []


def joined(lines: Sequence[Line]) -> Line:
    """Returns the line that several make one after the other, after their words are released."""
    line = copy(lines[0])
    if len(lines) == 1:
        return line
    line.box = Box(
        min(each.box.left for each in lines),
        min(each.box.top for each in lines),
        max(each.box.right for each in lines),
        max(each.box.bottom for each in lines),
    )
    line.text = " ".join(each.text for each in lines)
    line.marked = " ".join(each.marked for each in lines)
    line.bold = all(each.bold for each in lines)
    runs: list[list[Line]] = []
    for piece in (piece for each in lines for piece in each.pieces or [each]):
        if not runs or _is_wide(runs[-1][-1].box, piece.box, line.size):
            runs.append([])
        runs[-1].append(piece)
    line.pieces = [joined(run) for run in runs] if len(runs) > 1 else []
    return line


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page.

    Attributes:
        lines: The lines, in the order in which the page draws them.
        frame: The frame of most of them.
    """

    lines: list[Line]
    frame: Frame


def read_text(page: Any, text_page: Any) -> PageText:
    """Returns the lines of a page.

    Args:
        page: The page.
        text_page: PDFium's handle of its text.
    """
    letters = Letters(text_page, page.get_bbox())
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
    letters = Letters(text_page, page.get_bbox())
    for index in range(word.first, word.first + word.count):
        yield letters.box(index, index, frame)


def _lines(letters: Letters) -> Iterator[Line]:
    words: list[Word] = []
    turns = 0
    is_broken = False
    drawn = _Drawn(letters)
    for text, first, last in _tokens(letters):
        if text[0] in "\r\n":
            is_broken = True
            continue
        if text == _HYPHEN:
            if words:
                words[-1].text += "-"
            is_broken = True
            continue
        turned = letters.turns(first, last) if is_broken or not words else turns
        word = _word(letters, text, first, last, turned)
        if not letters.frames[turned].shows(word.box) or drawn.again(word, turned, words):
            continue
        if words and (turned != turns or not _is_next(words[-1], word, is_broken=is_broken)):
            yield _line(letters, words, turns)
            words = []
            turned = letters.turns(first, last)
            word = _word(letters, text, first, last, turned)
        if words and (
            _touches(words[-1], word)
            if is_broken
            else _is_spaced(letters, words[-1], word, letters.frames[turned])
        ):
            words[-1] = _joined(words[-1], word)
        elif word.text:
            words.append(word)
        turns, is_broken = turned, False
    if words:
        yield _line(letters, words, turns)


def _tokens(letters: Letters) -> Iterator[tuple[str, int, int]]:
    """Yields line breaks, hyphens and words, with their first and last letters.

    PDFium makes one word of a column of single figures, as of vertical Japanese.
    """
    is_broken = True
    for token in _TOKEN.finditer(letters.text()):
        text, first, last = token.group(), token.start(), token.end() - 1
        if is_broken and letters.are_stacked(first, last) and not UNSPACED.search(text):
            for index, letter in enumerate(text, first):
                yield "\n", index, index
                yield letter, index, index
        else:
            yield text, first, last
        is_broken = text[0] in "\r\n"


class _Drawn:
    """The words of a page by their places: bold type and shadows may be the same word twice."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._places: dict[tuple[int, str, int, int], list[Box]] = {}

    def again(self, word: Word, turns: int, line: Sequence[Word]) -> bool:
        """Tells whether a word was drawn before at its place, and else notes it."""
        box = word.box
        most = _SAME_PLACE * (box.bottom - box.top)
        near = {
            (turns, word.text, int((box.left + x) // _AREA), int((box.top + y) // _AREA))
            for x in (-most, most)
            for y in (-most, most)
        }
        if any(_is_same_place(each, box) for key in near for each in self._places.get(key, ())):
            return True
        key = (turns, word.text, int(box.left // _AREA), int(box.top // _AREA))
        if len(noted := self._places.setdefault(key, [])) < _MOST_NOTED:
            noted.append(box)
        rest = word.count
        if line and rest < line[-1].count and line[-1].text.endswith(word.text):
            # The part of the word before it that is drawn twice.
            last = line[-1].first + line[-1].count - 1
            end = self._letters.box(last - rest + 1, last, self._letters.frames[turns])
            return _is_same_place(end, word.box)
        return False


def _is_same_place(one: Box, other: Box) -> bool:
    most = _SAME_PLACE * (other.bottom - other.top)
    return max(map(abs, (a - b for a, b in zip(one, other, strict=True)))) < most


def _is_spaced(letters: Letters, word: Word, other: Word, frame: Frame) -> bool:
    """Tells whether a gap is one between the letters of a word that is set widely.

    PDFium puts a blank there if no letter of the page is one, and some gap is wider than usual.
    """
    gap = other.box.left - word.box.right
    height = other.box.bottom - other.box.top
    if not 0 < gap < _SPACED * height or word.count < 2 or not letters.is_guessed(other.first - 1):
        return False
    last = word.first + word.count - 1
    before, after = (letters.box(index, index, frame) for index in (last - 1, last))
    inner = after.left - before.right
    return inner > _NO_BLANK / 2 * height and gap < _AS_WIDE * inner


def _runs(words: Sequence[Word], size: float) -> Iterator[list[Word]]:
    """Yields the words between wide gaps; the number or bullet of an item is no run of its own."""
    run: list[Word] = []
    for word in words:
        if (
            run
            and (
                _is_wide(run[-1].box, word.box, size)
                or (
                    _is_wide(run[-1].box, word.box, size, _WIDE_BETWEEN_FIGURES)
                    and _FIGURE.fullmatch(run[-1].text)
                    and _FIGURE.fullmatch(word.text)
                )
            )
            and not (
                run[-1] is words[0] and _MARKER.fullmatch(run[0].text) and word.text[0].isalpha()
            )
        ):
            yield run
            run = []
        run.append(word)
    yield run


def _is_wide(one: Box, other: Box, size: float, least: float = _WIDE) -> bool:
    return max(other.left - one.right, one.left - other.right) > least * size


def _word(letters: Letters, text: str, first: int, last: int, turns: int) -> Word:
    box = letters.box(first, last, letters.frames[turns])
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    if "\xad" in text:
        # Many fonts map their hyphen to the soft hyphen; on a page it is always drawn.
        text = text.replace("\xad", "-")
    return Word(text, box, first, last - first + 1)


def _is_next(word: Word, other: Word, *, is_broken: bool) -> bool:
    """Tells whether a word continues the line of the one before it.

    PDFium breaks a line at small figures, such as the digits of a fraction.
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


def _line(letters: Letters, words: Sequence[Word], turns: int) -> Line:
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
