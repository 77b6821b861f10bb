"""Resolves the styles of a Word file: levels of headings, lists, hidden text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.word.attributes import is_on, value_of

__all__ = ["Styles", "outline_level"]

_MAX_CHAIN = 20
_BODY_LEVEL = 9
# Word writes "heading 1" in every language; other programs write what their users see.
_HEADING_NAMES = (
    "heading|überschrift|titre|título|titulo|titolo|kop|rubrik|overskrift|nagłówek|заголовок"
    "|otsikko|nadpis|başlık|cabeçalho|címsor|标题|標題|見出し|제목|כותרת|عنوان"  # noqa: RUF001 - Turkish
)
_HEADING = re.compile(rf"(?:{_HEADING_NAMES})\s*([1-9])(?:\s*(?:char|,.*|\+.*))?")
_TITLE = {"title", "titel", "titolo", "标题", "標題", "表題", "제목"}
_LIST = re.compile(r"(list bullet|list number|liste à puces|aufzählungszeichen)\s*([2-5])?")


def outline_level(properties: Element | None) -> int | None:
    """Returns the heading level that properties state, 0 for body text, ``None`` if they do not."""
    stated = value_of(properties, "w:outlineLvl")
    if not stated.isdecimal():
        return None
    level = int(stated)
    return level + 1 if level < _BODY_LEVEL else 0


@dataclass(frozen=True)
class _Style:
    name: str
    based_on: str
    paragraph: Element | None
    run: Element | None


class Styles:
    """The styles of a Word file.

    Args:
        root: The root of the part with the styles, if the file has one.
    """

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, _Style] = {}
        self._default = ""
        for style in root.findall("w:style") if root is not None else []:
            identifier = style.get("w:styleId", "")
            self._styles[identifier] = _Style(
                name=value_of(style, "w:name").lower(),
                based_on=value_of(style, "w:basedOn"),
                paragraph=style.find("w:pPr"),
                run=style.find("w:rPr"),
            )
            is_default = style.get("w:default", "0").lower() in {"1", "true", "on"}
            if is_default and style.get("w:type") == "paragraph":
                self._default = identifier
        self.heading_level = lru_cache(maxsize=None)(self._heading_level)
        self.is_hidden = lru_cache(maxsize=None)(self._is_hidden)
        self.list_depth = lru_cache(maxsize=None)(self._list_depth)
        self.numbering = lru_cache(maxsize=None)(self._numbering)

    def _heading_level(self, identifier: str) -> int:
        """Returns the level of headings in a paragraph style, 0 for other styles."""
        for style in self._chain(identifier):
            if (level := _level_of_name(style.name)) > 0:
                return level
            if (stated := outline_level(style.paragraph)) is not None:
                return stated
        return 0 if identifier in self._styles else _level_of_name(_spaced(identifier))

    def _is_hidden(self, identifier: str) -> bool:
        """Tells whether the text of a style is hidden."""
        for style in self._chain(identifier):
            hidden = is_on(style.run, "w:vanish")
            if hidden is not None:
                return hidden
        return False

    def _list_depth(self, identifier: str) -> int:
        """Returns the depth in the name of a list style, -1 for other styles."""
        style = self._styles.get(identifier)
        found = _LIST.match(style.name if style else _spaced(identifier))
        return int(found.group(2) or 1) - 1 if found else -1

    def _numbering(self, identifier: str) -> tuple[str, int]:
        """Returns the id and the level of the list that a style belongs to, or an empty id."""
        level = -1
        for style in self._chain(identifier or self._default):
            properties = None if style.paragraph is None else style.paragraph.find("w:numPr")
            if properties is None:
                continue
            stated = value_of(properties, "w:ilvl")
            if level < 0 and stated.isdecimal():
                level = int(stated)
            if number := value_of(properties, "w:numId"):
                return number, level
        return "", level

    def _chain(self, identifier: str) -> list[_Style]:
        """Returns a style and those that it is based on."""
        chain: list[_Style] = []
        while len(chain) < _MAX_CHAIN and (style := self._styles.get(identifier)):
            chain.append(style)
            identifier = style.based_on
        return chain


def _level_of_name(name: str) -> int:
    if name in _TITLE:
        return 1
    found = _HEADING.fullmatch(name)
    return int(found.group(1)) if found else 0


def _spaced(identifier: str) -> str:
    """Returns the name that an identifier was made of: ``Heading1``, ``ListBullet2``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])|[_-]", " ", identifier).lower()
