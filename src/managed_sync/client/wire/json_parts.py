"""Splits JSON into parts without parsing it, so that one unreadable part leaves the others intact.

Python's parser refuses numbers of thousands of digits and nesting hundreds of levels deep, and then
returns nothing of the whole text.
"""

from __future__ import annotations

import json
import re

__all__ = ["items", "members"]

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(rf"{_STRING}|[][{{}},]", re.DOTALL)
_NAME = re.compile(rf"\s*+({_STRING})\s*+:", re.DOTALL)


def items(text: str) -> list[str]:
    """Returns the texts of an array's items, or of an object's members.

    Raises:
        ValueError: The text is cut off.
    """
    parts: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
                start = token.end() if depth == 1 else start
            case "]" | "}":
                depth -= 1
                if depth == 0:
                    parts.append(text[start : token.start()])
                    return [part for part in parts if part.strip()]
            case "," if depth == 1:
                parts.append(text[start : token.start()])
                start = token.end()
    raise ValueError("The text is cut off.")


def members(text: str) -> dict[str, str]:
    """Returns the texts of an object's values by their names.

    Raises:
        ValueError: The text is not an object, or is cut off.
    """
    found = {}
    for part in items(text):
        name = _NAME.match(part)
        if name is None:
            raise ValueError("A member has no name.")
        found[str(json.loads(name[1]))] = part[name.end() :]
    return found
