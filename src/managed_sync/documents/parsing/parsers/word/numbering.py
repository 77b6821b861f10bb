"""Counts the items of the lists of a Word file, and writes their numbers as Word shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.word.attributes import number_of, value_of

__all__ = ["Label", "Numbering", "formatted", "roman"]

_LEVELS = 9
_PLACE = re.compile(r"%([1-9])")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MAX_ROMAN = 4000
_CHINESE = "〇一二三四五六七八九"
_NO_LIST = "0"


@dataclass(frozen=True)
class Label:
    """The mark of a list item.

    Attributes:
        text: A number such as ``"2."`` or ``"(a)"``; empty for a bullet.
        depth: The depth of the item, from 0.
    """

    text: str
    depth: int


@dataclass
class _Level:
    style: str = "decimal"
    text: str = ""
    start: int = 1
    restart: int = -1
    is_legal: bool = False
    paragraph_style: str = ""


@dataclass
class _List:
    levels: list[_Level]
    counts: list[int | None] = field(default_factory=lambda: [None] * _LEVELS)


class Numbering:
    """The lists of a Word file and how far they have been counted.

    Args:
        root: The root of the part with the lists, if the file has one.
    """

    def __init__(self, root: Element | None) -> None:
        self._abstract: dict[str, Element] = {}
        self._numbers: dict[str, Element] = {}
        self._by_style: dict[str, str] = {}
        for element in [*root] if root is not None else []:
            if element.tag == "w:abstractNum":
                identifier = element.get("w:abstractNumId", "")
                self._abstract[identifier] = element
                if link := value_of(element, "w:styleLink"):
                    self._by_style[link] = identifier
            elif element.tag == "w:num":
                self._numbers[element.get("w:numId", "")] = element
        self._lists: dict[str, _List] = {}
        self._by_number: dict[str, tuple[_List, list[_Level]]] = {}

    def next_label(self, number: str, level: int, style: str) -> Label | None:
        """Counts an item and returns its mark, or ``None`` if it belongs to no list.

        Args:
            number: The id of the list.
            level: The level of the item; -1 if only its style tells it.
            style: The id of the paragraph's style.
        """
        if not number or number == _NO_LIST:
            return None
        found = self._find(number)
        if found is None:
            return Label("", max(level, 0))
        counted, levels = found
        if level < 0:
            level = next((i for i, one in enumerate(levels) if one.paragraph_style == style), 0)
        level = min(level, _LEVELS - 1)
        this = levels[level]
        _count(counted, levels, level)
        if this.style == "none" and not this.text:
            return None
        if this.style == "bullet":
            return Label("", level)
        return Label(_written(this, levels, counted), level)

    def _find(self, number: str) -> tuple[_List, list[_Level]] | None:
        if number in self._by_number:
            return self._by_number[number]
        element = self._numbers.get(number)
        if element is None:
            return None
        identifier = value_of(element, "w:abstractNumId")
        abstract = self._abstract.get(identifier)
        if abstract is None:
            return None
        if link := value_of(abstract, "w:numStyleLink"):
            identifier = self._by_style.get(link, identifier)
        if identifier not in self._lists:
            self._lists[identifier] = _List(_read_levels(self._abstract[identifier]))
        counted = self._lists[identifier]
        levels = list(counted.levels)
        for override in element.findall("w:lvlOverride"):
            index = number_of(override.get("w:ilvl", ""), 0)
            if not 0 <= index < _LEVELS:
                continue
            if (changed := override.find("w:lvl")) is not None:
                levels[index] = _read_level(changed)
            start = value_of(override, "w:startOverride")
            if start:
                # The first item of this list starts again, though others count the same levels.
                counted.counts[index] = None
                levels[index] = _Level(**{**vars(levels[index]), "start": number_of(start, 1)})
        self._by_number[number] = (counted, levels)
        return self._by_number[number]


def _read_levels(abstract: Element) -> list[_Level]:
    levels = [_Level() for _ in range(_LEVELS)]
    for element in abstract.findall("w:lvl"):
        index = number_of(element.get("w:ilvl", ""), 0)
        if 0 <= index < _LEVELS:
            levels[index] = _read_level(element)
    return levels


def _read_level(element: Element) -> _Level:
    legal = element.find("w:isLgl")
    return _Level(
        style=value_of(element, "w:numFmt") or "decimal",
        text=value_of(element, "w:lvlText"),
        start=number_of(value_of(element, "w:start"), 1),
        restart=number_of(value_of(element, "w:lvlRestart"), -1),
        is_legal=legal is not None and legal.get("w:val", "1") not in {"0", "false"},
        paragraph_style=value_of(element, "w:pStyle"),
    )


def _count(counted: _List, levels: list[_Level], level: int) -> None:
    counts = counted.counts
    count = counts[level]
    counts[level] = levels[level].start if count is None else count + 1
    for above in range(level):
        if counts[above] is None:
            counts[above] = levels[above].start
    for below in range(level + 1, _LEVELS):
        restart = levels[below].restart
        if restart < 0 or (restart > 0 and level < restart):
            counts[below] = None


def _written(this: _Level, levels: list[_Level], counted: _List) -> str:
    def count(placeholder: re.Match[str]) -> str:
        """Returns the count of the level that a placeholder such as ``%1`` names."""
        index = int(placeholder.group(1)) - 1
        value = counted.counts[index]
        if value is None:
            value = levels[index].start
        style = "decimal" if this.is_legal else levels[index].style
        return formatted(value, style)

    return _PLACE.sub(count, this.text).strip()


def formatted(value: int, style: str) -> str:
    """Returns a number in one of Word's styles, such as ``"lowerLetter"``."""
    if style in {"none", "bullet"}:
        return ""
    if style.startswith(("chineseCounting", "ideographDigital", "japaneseCounting")):
        return _chinese(value)
    writer = _WRITERS.get(style, str)
    return writer(value)


def _letters(value: int) -> str:
    # Word repeats a letter after z: aa, bb, cc.
    return chr(ord("a") + (value - 1) % 26) * min((value - 1) // 26 + 1, 9) if value > 0 else "0"


def roman(value: int) -> str:
    """Returns a number in small Roman digits."""
    if not 0 < value < _MAX_ROMAN:
        return str(value)
    text = ""
    for worth, letters in _ROMAN:
        text += letters * (value // worth)
        value %= worth
    return text


def _ordinal_suffix(value: int) -> str:
    if 10 <= value % 100 <= 20:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


def _chinese(value: int) -> str:
    if not 0 < value < 100:
        return str(value)
    tens, ones = divmod(value, 10)
    text = _CHINESE[tens] if tens > 1 else ""
    return text + ("十" if tens else "") + (_CHINESE[ones] if ones else "")


_WRITERS: dict[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda value: _letters(value).upper(),
    "lowerRoman": roman,
    "upperRoman": lambda value: roman(value).upper(),
    "decimalZero": lambda value: f"{value:02}",
    "ordinal": lambda value: f"{value}{_ordinal_suffix(value)}",
}
