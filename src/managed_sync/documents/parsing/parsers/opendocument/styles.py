"""Resolves the styles of an OpenDocument text: page breaks, hidden text, numbers of lists."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.word.numbering import formatted

__all__ = ["ListLevel", "ListStyle", "TextStyles"]

_MAX_CHAIN = 20
_NUMBER_STYLES = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_BREAK = "xsl-fo-compatible:break-before"


@dataclass(frozen=True)
class ListLevel:
    """A level of a list style; without a number it has bullets."""

    number: str = ""
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    levels_shown: int = 1


ListStyle = dict[int, ListLevel]


class TextStyles:
    """The styles of an OpenDocument text.

    Args:
        roots: The roots of the parts with styles, the text itself among them.
    """

    def __init__(self, roots: list[Element]) -> None:
        self._styles: dict[tuple[str, str], Element] = {}
        self._lists: dict[str, ListStyle] = {}
        self.outline: ListStyle = {}
        for root in roots:
            for style in root.iter("style:style"):
                key = style.get("style:family", ""), style.get("style:name", "")
                self._styles[key] = style
            for style in root.iter("text:list-style"):
                self._lists[style.get("style:name", "")] = _read_levels(style)
            for style in root.iter("text:outline-style"):
                self.outline = _read_levels(style)

    def begins_page(self, name: str) -> bool:
        """Tells whether a paragraph or table of a style begins on a new page."""
        for family in ("paragraph", "table"):
            style = self._styles.get((family, name))
            if style is None:
                continue
            if style.get("style:master-page-name"):
                return True
            properties = style.find(f"style:{family}-properties")
            return properties is not None and properties.get(_BREAK) == "page"
        return False

    def is_hidden(self, family: str, name: str) -> bool:
        """Tells whether the text of a style is hidden."""
        for _ in range(_MAX_CHAIN):
            style = self._styles.get((family, name))
            if style is None:
                return False
            properties = style.find("style:text-properties")
            if properties is not None and (display := properties.get("text:display")):
                return display == "none"
            name = style.get("style:parent-style-name", "")
        return False

    def list_of(self, name: str) -> ListStyle:
        """Returns a list style; one that is not known has bullets."""
        return self._lists.get(name, {})


def label(style: ListStyle, counts: dict[int, int], level: int) -> str:
    """Returns the number of an item, as text; nothing for a bullet.

    Args:
        style: The style of the list.
        counts: How far each level has been counted, from 1.
        level: The level of the item, from 1.
    """
    this = style.get(level, ListLevel())
    if not this.number:
        return ""
    shown = range(max(1, level - this.levels_shown + 1), level + 1)
    numbers = [
        formatted(counts.get(each, 1), _NUMBER_STYLES.get(style[each].number, "decimal"))
        for each in shown
        if each in style and style[each].number
    ]
    return f"{this.prefix}{'.'.join(numbers)}{this.suffix}".strip()


def _read_levels(style: Element) -> ListStyle:
    levels: ListStyle = {}
    for element in style:
        level = element.get("text:level", "")
        if not level.isdecimal():
            continue
        is_number = "number" in element.tag or "outline" in element.tag
        shown, start = element.get("text:display-levels", "1"), element.get("text:start-value", "1")
        levels[int(level)] = ListLevel(
            number=element.get("style:num-format", "") if is_number else "",
            prefix=element.get("style:num-prefix", ""),
            suffix=element.get("style:num-suffix", ""),
            start=int(start) if start.isdecimal() else 1,
            levels_shown=min(int(shown), 10) if shown.isdecimal() else 1,
        )
    return levels
