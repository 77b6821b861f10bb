"""Writes the equations of Office files (OMML) as text on one line.

The form is the linear one that Word itself offers: ``(a+b)/2``, ``x_i^2``, ``√(n)``, ``∑_(i=1)^n``.
A model and a search read it as easily as TeX, and it adds no words to those of the equation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

__all__ = ["linear"]

_SIMPLE = re.compile(r"[\w.]*|\(.*\)|\S")
_PROPERTIES = re.compile(r"(?:m|w):\w*Pr|w:(?:del|moveFrom|instrText|delText)")
_SPACES = re.compile(r"\s+")


def linear(equation: Element) -> str:
    """Returns an equation, ``m:oMath`` or ``m:oMathPara``, as text on one line."""
    if equation.tag == "m:oMathPara":
        return "; ".join(filter(None, map(linear, equation.iter("m:oMath"))))
    return _SPACES.sub(" ", _children(equation)).strip()


def _children(element: Element | None) -> str:
    return "" if element is None else "".join(map(_write, element))


def _write(element: Element) -> str:
    tag = element.tag
    if tag in {"m:t", "w:t"}:
        return element.text or ""
    if writer := _WRITERS.get(tag):
        return writer(element)
    if _PROPERTIES.fullmatch(tag):
        return ""
    if tag in {"w:tab", "w:br", "w:cr"}:
        return " "
    return _children(element)


def _part(element: Element, name: str) -> str:
    return _children(element.find(f"m:{name}")).strip()


def _grouped(element: Element, name: str) -> str:
    """Returns a part, in brackets if it is longer than one number, name or sign."""
    text = _part(element, name)
    return text if _SIMPLE.fullmatch(text) and text.count("(") < 2 else f"({text})"


def _property(element: Element, name: str, default: str) -> str:
    properties = element.find(f"{element.tag}Pr")
    found = None if properties is None else properties.find(f"m:{name}")
    return default if found is None else found.get("m:val", default)


def _fraction(element: Element) -> str:
    if _property(element, "type", "bar") == "noBar":
        return f"({_part(element, 'num')}¦{_part(element, 'den')})"
    return f"{_grouped(element, 'num')}/{_grouped(element, 'den')}"


def _scripts(element: Element) -> str:
    return _grouped(element, "e") + _limits(element)


def _limits(element: Element) -> str:
    below, above = _grouped(element, "sub"), _grouped(element, "sup")
    return (f"_{below}" if below else "") + (f"^{above}" if above else "")


def _before(element: Element) -> str:
    return f"{_limits(element)} {_grouped(element, 'e')}"


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    inside = _part(element, "e")
    return f"√({degree}&{inside})" if degree else f"√({inside})"


def _operator(element: Element) -> str:
    return f"{_property(element, 'chr', '∫')}{_limits(element)} {_part(element, 'e')}"


def _brackets(element: Element) -> str:
    opening, closing = _property(element, "begChr", "("), _property(element, "endChr", ")")
    separator = _property(element, "sepChr", "|")
    inside = [_children(each).strip() for each in element.findall("m:e")]
    return f"{opening}{separator.join(inside)}{closing}"


def _matrix(element: Element) -> str:
    rows = [
        ", ".join(_children(cell).strip() for cell in row.findall("m:e"))
        for row in element.findall("m:mr")
    ]
    return f"[{'; '.join(rows)}]"


def _lines(element: Element) -> str:
    return "; ".join(_children(line).strip() for line in element.findall("m:e"))


def _function(element: Element) -> str:
    return f"{_part(element, 'fName')} {_grouped(element, 'e')}"


def _limit_below(element: Element) -> str:
    return f"{_part(element, 'e')}_{_grouped(element, 'lim')}"


def _limit_above(element: Element) -> str:
    return f"{_part(element, 'e')}^{_grouped(element, 'lim')}"


def _accent(element: Element) -> str:
    return _grouped(element, "e") + _property(element, "chr", "\u0302")


_WRITERS: dict[str, Callable[[Element], str]] = {
    "m:f": _fraction,
    "m:sSub": _scripts,
    "m:sSup": _scripts,
    "m:sSubSup": _scripts,
    "m:sPre": _before,
    "m:rad": _root,
    "m:nary": _operator,
    "m:d": _brackets,
    "m:m": _matrix,
    "m:eqArr": _lines,
    "m:func": _function,
    "m:limLow": _limit_below,
    "m:limUpp": _limit_above,
    "m:acc": _accent,
}
