"""Writes equations of OpenDocument files (MathML) as text on one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

__all__ = ["linear"]

_SIMPLE = re.compile(r"[\w.]*|\S")


def linear(element: Element) -> str:
    """Returns an equation as text, in the form of ``equations.linear``."""
    return " ".join(_write(element).split())


def _write(element: Element) -> str:
    tag = element.tag
    if tag == "math:annotation":
        return ""
    parts = [*map(_write, element)]
    if writer := _WRITERS.get((tag, len(parts))) or _WRITERS.get((tag, 0)):
        return writer(parts)
    return (element.text or "").strip() + "".join(parts)


def _joined(sign: str) -> Callable[[list[str]], str]:
    return lambda parts: sign.join(map(_grouped, parts))


def _limits(parts: list[str]) -> str:
    base, below, above = map(_grouped, parts)
    return f"{base}_{below}^{above}"


def _grouped(text: str) -> str:
    text = text.strip()
    return text if _SIMPLE.fullmatch(text) else f"({text})"


# By tag and number of parts; 0 stands for any.
_WRITERS: dict[tuple[str, int], Callable[[list[str]], str]] = {
    ("math:msub", 2): _joined("_"),
    ("math:munder", 2): _joined("_"),
    ("math:msup", 2): _joined("^"),
    ("math:mover", 2): _joined("^"),
    ("math:mfrac", 2): _joined("/"),
    ("math:msubsup", 3): _limits,
    ("math:munderover", 3): _limits,
    ("math:mroot", 2): lambda parts: f"√({parts[1]}&{parts[0]})",
    ("math:msqrt", 0): lambda parts: f"√({''.join(parts)})",
    ("math:mtable", 0): lambda parts: f"[{'; '.join(parts)}]",
    ("math:mtr", 0): ", ".join,
}
