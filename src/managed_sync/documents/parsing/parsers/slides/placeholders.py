"""Finds out which paragraphs of a slide have bullets, as its layout and master say."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.office.drawing_text import is_bulleted
from managed_sync.documents.parsing.parsers.office.package import Package

__all__ = ["Placeholder", "Placeholders", "placeholder_of"]

Placeholder = tuple[str, str]
"""The type and the index of a placeholder."""

TITLES = {"title", "ctrTitle"}
_BODY = {"body", "obj", "subTitle", "tbl", "chart", "dgm", "media", "clipArt", "pic"}


def placeholder_of(shape: Element) -> Placeholder | None:
    """Returns the placeholder that a shape fills, if it fills one."""
    for found in shape.iter("p:ph"):
        return found.get("type", "obj"), found.get("idx", "0")
    return None


class Placeholders:
    """The placeholders of the layouts and masters of a presentation."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._parts: dict[str, list[tuple[Placeholder, Element]]] = {}
        self._body_styles: dict[str, Element | None] = {}

    def bulleted(
        self, slide: str, placeholder: Placeholder | None, shape: Element, level: int
    ) -> bool:
        """Tells whether paragraphs of a level have bullets in a shape of a slide."""
        style = f"a:lvl{level + 1}pPr"
        own = is_bulleted(_level_style(shape, style))
        if own is not None or placeholder is None:
            return bool(own)
        for layout in self._package.related(slide, "slideLayout"):
            kind, index = placeholder
            for (_, other_index), other in self._placeholders(layout):
                if (
                    other_index == index
                    and (found := is_bulleted(_level_style(other, style))) is not None
                ):
                    return found
            for master in self._package.related(layout, "slideMaster"):
                for (other_kind, _), other in self._placeholders(master):
                    same = other_kind == kind or (kind in _BODY and other_kind == "body")
                    if same and (found := is_bulleted(_level_style(other, style))) is not None:
                        return found
                body = self._body_style(master)
                if kind in _BODY and body is not None:
                    return bool(is_bulleted(body.find(style)))
        return False

    def _placeholders(self, part: str) -> list[tuple[Placeholder, Element]]:
        if part not in self._parts:
            self._read(part)
        return self._parts[part]

    def _body_style(self, master: str) -> Element | None:
        if master not in self._parts:
            self._read(master)
        return self._body_styles[master]

    def _read(self, part: str) -> None:
        root = self._package.xml(part)
        shapes = [] if root is None else [*root.iter("p:sp")]
        self._parts[part] = [
            (found, shape) for shape in shapes if (found := placeholder_of(shape)) is not None
        ]
        styles = [] if root is None else [*root.iter("p:bodyStyle")]
        self._body_styles[part] = styles[0] if styles else None


def _level_style(shape: Element, style: str) -> Element | None:
    for styles in shape.iter("a:lstStyle"):
        return styles.find(style)
    return None
