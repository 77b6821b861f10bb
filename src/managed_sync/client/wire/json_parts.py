"""Takes JSON apart without reading it: what cannot be read in one part leaves the others alone.

Python's parser refuses numbers of thousands of digits and nesting that is hundreds of levels deep,
and then gives nothing of the whole text.
"""

from __future__ import annotations

import json
import re

__all__ = ["items", "members"]

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(rf"{_STRING}|[][{{}},]", re.DOTALL)
_NAME = re.compile(rf"\s*+({_STRING})\s*+:", re.DOTALL)


def items(text: str) -> list[str]:
    """Returns the texts of what is in an array, or of the members of an object.

    Raises:
        ValueError: The text breaks off.
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
    raise ValueError("The text breaks off.")


def members(text: str) -> dict[str, str]:
    """Returns the texts of an object's values, by their names.

    Raises:
        ValueError: It is no object, or breaks off.
    """
    found = {}
    for part in items(text):
        name = _NAME.match(part)
        if name is None:
            raise ValueError("A member has no name.")
        found[str(json.loads(name[1]))] = part[name.end() :]
    return found
