r"""Reads the fields of Word that draw a formula, or readings above characters, from a code.

Such a field has no result: ``EQ \f(1,2)`` is one half, and ``EQ \o\ad(\s\up 10(とう),東)`` is a
character with its reading. The text exists nowhere else in the file.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["equation_of"]

_EQUATION = re.compile(r"\s*EQ\b(.*)", re.IGNORECASE | re.DOTALL)
# Switches before the first command say how a dialog made the field.
_DIALOG = re.compile(r'\s*\\\*\s*(?:"[^"]*"|[^\s\\]+)')
_COMMAND = re.compile(r"\\(?:([abdfilorsx])(?![a-z])|([lrb]c)\\?\S|[a-z]{2})\s*-?\d*\s*", re.I)
_MOST_NESTED = 20
_RAISED, _LOWERED = "\x01", "\x02"


class _Argument(NamedTuple):
    text: str
    end: int


def equation_of(code: str) -> str:
    r"""Returns the text that a field shows by its code alone; empty if it is another field.

    Examples:
        >>> equation_of(r"EQ \f(1,a+b)")
        '1/(a+b)'
        >>> equation_of(r"EQ \* jc2 \* hps11 \o\ad(\s\up 10(kyo),K)")
        'K(kyo)'
        >>> equation_of("PAGE")
        ''
    """
    found = _EQUATION.match(code)
    if not found:
        return ""
    code = found[1]
    at = 0
    while switch := _DIALOG.match(code, at):
        at = switch.end()
    text = _argument(code, at, _MOST_NESTED, is_inside=False).text
    return _plain(text).strip()


def _argument(code: str, at: int, depth: int, *, is_inside: bool) -> _Argument:
    """Reads up to the comma or bracket that ends an argument."""
    parts: list[str] = []
    command, moved = "", ""
    while at < len(code):
        letter = code[at]
        if letter == "\\" and (found := _COMMAND.match(code, at)):
            command = (found[1] or command).lower()
            moved = {"\\up": _RAISED, "\\do": _LOWERED}.get(found[0][:3].lower(), moved)
            at = found.end()
        elif letter == "\\":
            parts.append(code[at + 1 : at + 2])
            at += 2
        elif letter == "(" and depth:
            arguments: list[str] = []
            while at < len(code) and code[at] != ")":
                argument = _argument(code, at + 1, depth - 1, is_inside=True)
                arguments.append(argument.text)
                at = argument.end
            at += 1
            parts.append(_written(command, moved, arguments))
            command, moved = "", ""
        elif is_inside and letter in ",;)":
            break
        else:
            parts.append(letter)
            at += 1
    return _Argument("".join(parts), at)


def _written(command: str, moved: str, arguments: list[str]) -> str:
    if command == "s":
        return moved + "".join(map(_plain, arguments))
    if command == "o" and any(each.startswith(_RAISED) for each in arguments):
        over = "".join(each[1:] for each in arguments if each.startswith(_RAISED))
        base = "".join(_plain(each) for each in arguments if not each.startswith(_RAISED))
        return f"{base}({over})" if base and over else base or over
    plain = [*map(_plain, arguments)]
    if command == "f" and len(plain) == 2:
        return "/".join(map(_grouped, plain))
    if command == "r" and plain:
        return f"{''.join(plain[:-1])}√{_grouped(plain[-1])}"
    listed = (", " if command in {"", "a", "b", "l"} else "").join(plain)
    return f"({listed})" if command in {"", "b"} else listed


def _plain(text: str) -> str:
    return text.replace(_RAISED, "^").replace(_LOWERED, "_")


def _grouped(text: str) -> str:
    text = text.strip()
    return text if text.isalnum() else f"({text})"
