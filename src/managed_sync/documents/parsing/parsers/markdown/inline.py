"""Reads the text within a paragraph of Markdown: comments and embedded pictures."""

from __future__ import annotations

import re

__all__ = ["without_comments"]

_PICTURE = re.compile(r"data:[\w.+-]{1,60}/[\w.+-]{1,60};base64,[\w+/=%-]*")
_MARKS = re.compile(r"\\`|`+|<!--")


def without_comments(text: str) -> str:
    """Removes pictures in Base64, and the HTML comments of a paragraph that are not in code.

    Examples:
        >>> without_comments("a <!-- b --> `<!--` c -->")
        'a  `<!--` c -->'
    """
    if ";base64," in text:
        text = _PICTURE.sub("", text)
    if "<!--" not in text or "-->" not in text:
        return text
    marks = list(_MARKS.finditer(text))
    # For each run of backticks, the end of the next run of the same length closes the span.
    closing: dict[int, int] = {}
    following: dict[int, int] = {}
    for mark in reversed(marks):
        if mark.group().startswith("`"):
            length = len(mark.group())
            closing[mark.start()] = following.get(length, -1)
            following[length] = mark.end()
    last_end = text.rfind("-->")
    parts: list[str] = []
    done = skipped = 0
    for mark in marks:
        start = mark.start()
        if start < skipped or mark.group().startswith("\\"):
            continue
        if mark.group() != "<!--":
            skipped = max(closing[start], mark.end())
        elif start < last_end:
            end = text.find("-->", start + 2)
            if end >= 0:
                parts.append(text[done:start])
                done = skipped = end + 3
    return "".join([*parts, text[done:]])
