"""Compares the Markdown that a parser returns with the truth about the file."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from benchmarks.parsing.truth.model import (
    Cell,
    Covered,
    Formula,
    Items,
    Row,
    Text,
    Truth,
    Unspaced,
    greek,
    words,
)

__all__ = ["Measured", "Share", "measure"]

_HEADING = re.compile(r" {0,3}#{1,6} (.+)")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
_RULE_ROW = re.compile(r"[|\s:-]+")
# The targets of links and the marks of notes are no texts of a cell.
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)")
_NOTE_MARK = re.compile(r"\[\^[^\]]+\]")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_SPLIT_WORD = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n\s*(?=[^\W\d_])")


@dataclass(frozen=True)
class Share:
    """A number of things out of all."""

    kept: int = 0
    of: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.kept + other.kept, self.of + other.of)

    @property
    def value(self) -> float | None:
        """The share, or ``None`` if there is nothing to keep."""
        return self.kept / self.of if self.of else None


@dataclass(frozen=True)
class Measured:
    """One file, as one parser reads it.

    Attributes:
        recall: Of the words of the file, those in the text.
        made_up: Of the words of the text, those that are not in the file, or too often.
        order: Of the words that the file has once, those in reading order.
        parts: Of the words of each part. Words that only this part has decide, if it has any.
        rows: Of the rows of tables, those with each cell in its column.
        headings_found: Of the headings of the file, those that are headings in the text.
        headings_right: Of the headings in the text, those that are headings in the file.
    """

    recall: Share
    made_up: Share
    order: Share
    parts: dict[str, Share] = field(default_factory=dict)
    rows: Share = Share()
    headings_found: Share = Share()
    headings_right: Share = Share()


def measure(text: str, truth: Truth) -> Measured:
    """Compares a text with the truth."""
    text = _SPLIT_WORD.sub("", text)
    found_words = words(text)
    found = Counter(found_words)
    pairs = set(pairwise(found_words))
    for texts in truth.parts.values():
        found.update(_kept_formulas(text, [one for one in texts if isinstance(one, Formula)]))
    expected = _expected(truth, found, pairs)
    counted = _sum(counts for part, counts in expected.items() if part not in truth.uncounted)
    everything = _sum(expected.values())
    return Measured(
        recall=Share((counted & found).total(), counted.total()),
        made_up=Share((found - everything).total(), found.total()),
        order=_in_order(found_words, words(_SPLIT_WORD.sub("", "\n".join(truth.flow)))),
        parts={part: _of_part(part, expected, everything, found) for part in expected},
        rows=_rows(text, truth.rows),
        **_headings(text, truth.headings),
    )


def _expected(
    truth: Truth, found: Counter[str], pairs: Collection[tuple[str, str]]
) -> dict[str, Counter[str]]:
    """The words of each part, in the ways of writing them that are in the text.

    A word serves as many texts as it is in the text: "1.5" does not stand for a second cell, which
    is shown as "2".
    """
    left = found.copy()
    expected: dict[str, Counter[str]] = {part: Counter() for part in truth.parts}
    texts = [(part, one) for part, texts in truth.parts.items() for one in texts]
    # Those first that have no other way to be written.
    for part, one in sorted(
        texts, key=lambda pair: 1 if isinstance(pair[1], str) else len(pair[1])
    ):
        way = _best(one, left, pairs)
        expected[part].update(way)
        left.subtract(way)
    return expected


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    result: Counter[str] = Counter()
    for counter in counters:
        result.update(counter)
    return result


def _best(text: Text, left: Counter[str], pairs: Collection[tuple[str, str]]) -> list[str]:
    """The words of a text, or of that way to write it of which most is in the text.

    If several ways have all their words in it, that one counts whose words stand together: "2.10"
    and "2.1" are three words of which a sheet of numbers may have each somewhere.
    """
    if isinstance(text, Formula):
        return [_compact(text)]
    if isinstance(text, str):
        return words(_SPLIT_WORD.sub("", text))
    ways = [words(one) for one in text]
    return max(
        ways,
        key=lambda way: (
            sum(left[word] > 0 for word in way) / max(1, len(way)),
            sum(pair in pairs for pair in pairwise(way)) / max(1, len(way) - 1) if way[1:] else 1,
        ),
    )


def _compact(text: str) -> str:
    """The letters and digits of a text, without the commands of TeX between them."""
    return f"={''.join(words(_COMMAND.sub(' ', greek(text))))}"


def _kept_formulas(text: str, formulas: Sequence[Formula]) -> Counter[str]:
    """Each formula counts as one word."""
    everything = _compact(text) if formulas else ""
    wanted = Counter(map(_compact, formulas))
    return Counter({one: min(count, everything.count(one[1:])) for one, count in wanted.items()})


def _of_part(
    part: str,
    expected: dict[str, Counter[str]],
    everything: Counter[str],
    found: Counter[str],
) -> Share:
    counts = expected[part]
    others = everything - counts
    own = Counter({word: count for word, count in counts.items() if word not in others})
    if own:
        return Share((own & found).total(), own.total())
    # Without words of its own, the other parts are served first.
    return Share((counts & (found - others)).total(), counts.total())


def _in_order(found: Sequence[str], expected: Sequence[str]) -> Share:
    """The longest increasing sequence of the words that both sides have once."""
    once = {word for word, count in Counter(found).items() if count == 1}
    once &= {word for word, count in Counter(expected).items() if count == 1}
    places = {word: index for index, word in enumerate(found) if word in once}
    ends: list[int] = []
    for word in expected:
        if word not in once:
            continue
        place = places[word]
        at = bisect_left(ends, place)
        ends[at : at + 1] = [place]
    return Share(len(ends), len(once))


def _plain(text: str) -> str:
    return " ".join(words(text))


def _title(text: str) -> str:
    """A title without its number, which is not always a part of the text."""
    found = words(text)
    while len(found) > 1 and found[0].isdecimal():
        del found[0]
    return " ".join(found)


def _rows(text: str, expected: Sequence[Row]) -> Share:
    expected = [row for row in expected if any(words(text) for cell in row for text in cell)]
    if not expected:
        return Share()
    by_start: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for line in text.replace("\f", "\n").split("\n"):
        if not line.startswith("|") or _RULE_ROW.fullmatch(line):
            continue
        inside = _NOTE_MARK.sub("", _LINK.sub(r"\1", line.rstrip()[1:].removesuffix("|")))
        cells = tuple(_plain(cell) for cell in _BETWEEN_CELLS.split(inside))
        if start := next(filter(None, cells), ""):
            by_start[start].append(cells)
    kept = 0
    for row in expected:
        for start in _starts(row, by_start):
            rows = by_start.get(start, [])
            match = next((i for i, cells in enumerate(rows[:200]) if _is_row(cells, row)), None)
            if match is not None:
                del rows[match]
                kept += 1
                break
    return Share(kept, len(expected))


def _starts(row: Row, known: Collection[str]) -> list[str]:
    """The first texts that a line with this row may have."""
    starts: dict[str, None] = {}
    for cell in row:
        texts = list(map(_plain, cell))
        starts.update(dict.fromkeys(filter(None, texts)))
        if any(isinstance(text, Items | Unspaced) for text in cell):
            starts.update(dict.fromkeys(start for start in known if _is_cell(start, cell)))
        if texts and all(texts):
            break
    return list(starts)


def _is_row(found: Sequence[str], row: Row) -> bool:
    places = {0}  # where the next cell may be
    for cell in row:
        after = {
            place + 1
            for place in places
            if _is_cell(found[place] if place < len(found) else "", cell or ("",))
        }
        is_needed = bool(cell) and not isinstance(cell, Covered)
        places = after if is_needed else after | places
    return any(not any(found[place:]) for place in places)


def _is_cell(found: str, cell: Cell) -> bool:
    return any(
        found == _plain(text)
        or (isinstance(text, Items) and _numbered(text).fullmatch(found) is not None)
        or (isinstance(text, Unspaced) and found.replace(" ", "") == _unspaced(text))
        for text in cell
    )


@cache
def _unspaced(text: Unspaced) -> str:
    return "".join(words(text))


@cache
def _numbered(text: Items) -> re.Pattern[str]:
    """The plain texts of list items, each of which may have a number of a few signs before it."""
    lines = filter(None, map(_plain, text.split("\n")))
    return re.compile(" ".join(rf"(?:\w{{1,4}} ){{0,4}}{re.escape(line)}" for line in lines))


def _headings(text: str, expected: Sequence[str]) -> dict[str, Share]:
    titles = Counter(filter(None, map(_title, expected)))
    if not titles:
        return {}
    lines = text.replace("\f", "\n").split("\n")
    found = Counter(
        filter(None, (_title(heading[1]) for line in lines if (heading := _HEADING.match(line))))
    )
    common = (titles & found).total()
    return {
        "headings_found": Share(common, titles.total()),
        "headings_right": Share(common, found.total()),
    }
