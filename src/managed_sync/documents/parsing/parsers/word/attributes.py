"""Reads the values that Word files keep in attributes of child elements."""

from __future__ import annotations

from xml.etree.ElementTree import Element

__all__ = ["is_on", "number_of", "value_of"]

_MAX_DIGITS = 6


def value_of(element: Element | None, name: str) -> str:
    """Returns the ``w:val`` of a child, empty if there is no such child."""
    child = None if element is None else element.find(name)
    return "" if child is None else child.get("w:val", "")


def is_on(properties: Element | None, name: str) -> bool | None:
    """Returns a switch such as ``w:vanish``, or ``None`` if it is not set."""
    switch = None if properties is None else properties.find(name)
    if switch is None:
        return None
    return switch.get("w:val", "true").lower() not in {"0", "false", "off", "none"}


def number_of(text: str, default: int) -> int:
    """Returns a whole number of a few digits; larger ones occur only in damaged files."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if is_number else default
