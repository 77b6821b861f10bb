r"""Reads JSON as text: letters that were escaped, such as ``\u00e9``, are written as letters."""

from __future__ import annotations

import json
import re
import unicodedata

__all__ = ["unescape_json"]

# A pair of escapes for one letter, one escape, or a backslash with the letter that belongs to it.
_ESCAPE = re.compile(
    r"\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\."
)
# Between letters of Persian and Indian scripts, and in emoji.
_JOINERS = {"\u200c", "\u200d"}
# The values are not needed; a number may have any length.
_DECODER = json.JSONDecoder(
    object_pairs_hook=lambda _: None, parse_int=lambda _: 0, parse_float=lambda _: 0.0
)


def unescape_json(text: str) -> str:
    r"""Writes the escaped letters of JSON, or of lines of JSON, as letters.

    The text stays JSON with the same values. What is not valid JSON stays as it is.

    Examples:
        >>> unescape_json(r'{"city": "K\u00f6ln \u0022"}')
        '{"city": "Köln \\u0022"}'
    """
    if "\\u" not in text:
        return text
    if _is_valid(text):
        return _ESCAPE.sub(_letter, text)
    lines = text.split("\n")
    return "\n".join(
        _ESCAPE.sub(_letter, line)
        if "\\u" in line and line.lstrip().startswith(("{", "[")) and _is_valid(line)
        else line
        for line in lines
    )


def _is_valid(text: str) -> bool:
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _letter(found: re.Match[str]) -> str:
    high, low, single = found.groups()
    if high:
        letter = chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    elif single:
        letter = chr(int(single, 16))
    else:
        return found[0]
    is_shown = letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
    return letter if is_shown and letter not in '"\\' else found[0]
