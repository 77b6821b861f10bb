"""Reads the text inside the paragraphs of OpenDocument files."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import link

__all__ = ["inline_text"]

_SPACES = re.compile(r"[ \t\r\n]+")
_MAX_SPACES = 100
_CHARACTERS = {"text:tab": "\t", "text:line-break": "\n"}
# Codes of fields, marks of changes, and readings that are added by their base.
_NOT_TEXT = {"text:tracked-changes", "text:script", "office:script", "text:ruby-text"}


def inline_text(element: Element, other: Callable[[Element], str | None]) -> str:
    """Returns the text of a paragraph, with the targets of its links.

    Args:
        element: A paragraph or a part of one.
        other: Returns the text of an element that is more than text, such as a note or a frame; or
            ``None`` for one whose content is read as text.
    """
    return "".join(_parts(element, other))


def _parts(element: Element, other: Callable[[Element], str | None]) -> list[str]:
    # Line breaks and series of blanks in the file stand for one blank.
    parts = [_SPACES.sub(" ", element.text or "")]
    for child in element:
        parts += _child(child, other)
        if child.tail:
            parts.append(_SPACES.sub(" ", child.tail))
    return parts


def _child(child: Element, other: Callable[[Element], str | None]) -> list[str]:
    tag = child.tag
    if tag in _NOT_TEXT:
        return []
    if tag == "text:s":
        count = child.get("text:c", "1")
        return [" " * min(int(count), _MAX_SPACES) if count.isdecimal() else " "]
    if tag in _CHARACTERS:
        return [_CHARACTERS[tag]]
    if tag == "text:ruby":
        return _ruby(child, other)
    text = other(child)
    if text is not None:
        return [text]
    parts = _parts(child, other)
    return [_linked("".join(parts), child.get("xlink:href", ""))] if tag == "text:a" else parts


def _linked(text: str, target: str) -> str:
    shown = text.strip()
    if not shown or "[^" in shown or "](" in shown:
        return text
    before = text[: len(text) - len(text.lstrip())]
    return before + link(shown, target) + text[len(text.rstrip()) :]


def _ruby(element: Element, other: Callable[[Element], str | None]) -> list[str]:
    base, reading = element.find("text:ruby-base"), element.find("text:ruby-text")
    parts = [] if base is None else _parts(base, other)
    above = "" if reading is None else "".join(reading.itertext()).strip()
    return [*parts, f"({above})"] if above else parts
