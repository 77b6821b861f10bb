r"""Finds sentences in every script, and places to cut at in scripts without spaces.

The characters that end a sentence have Unicode's property ``Sentence_Terminal``. As in
Unicode's rules for text segmentation (UAX #29), most of them end a sentence wherever they are, but
the full stop and its relatives do so only if more text of another sentence follows: here, after
white space. The same holds for ASCII's ``!`` and ``?``, which are also parts of addresses and code.

See ``docs/decisions/0039-documents-table-chunks.md``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple
from unicodedata import category

__all__ = ["character_start", "clause_starts", "sentence_starts", "whole_character"]

_CLOSERS = "\"'”’)]"  # noqa: RUF001 - quotation marks of several languages
_ASCII_END = re.compile(rf"[.!?][{re.escape(_CLOSERS)}]*\s+")
# The characters of Latin, Greek and Cyrillic texts, without those that only Unicode's rules know,
# such as "»" and "…". Between these characters, sentences end as in ASCII.
_BEYOND_ASCII_RULES = re.compile(r"[^\0-\u00ba\u00bc-\u0588\u2010-\u2022]")
_MARKS = frozenset({"Mn", "Mc", "Me", "Cf", "Sk"})
_JOINER = "\u200d"
_FURTHEST = 32


class _Patterns(NamedTuple):
    sentence_end: Any
    clause_end: Any
    character: Any


@cache
def _patterns() -> _Patterns:
    import regex  # noqa: PLC0415 - importing this package should stay quick

    # French has a space before the mark that ends a quotation.
    closer = rf"(?:[ \u00a0\u202f]?»|[{re.escape(_CLOSERS)}[\p{{Pe}}\p{{Pf}}--[}}]]])"
    return _Patterns(
        regex.compile(
            rf"(?V1)(?:[.!?…\p{{SB=ATerm}}]{closer}*\s+"
            rf"|[\p{{STerm}}--[!?\p{{SB=ATerm}}]]++{closer}*+"
            # Nothing that belongs to the sentence before it begins the next one.
            r"(?:\s++|(?![\p{STerm}\p{SB=SContinue}\p{M}\p{Cf}…])))"
        ),
        regex.compile(r"[、，；：､](?=[^\s\p{P}\p{M}])"),  # noqa: RUF001 - punctuation of CJK
        # Where Unicode's line breaking (UAX #14) separates ideographs and syllables.
        regex.compile(r"(?V1)(?<=[\p{lb=ID}\p{lb=CJ}\p{lb=NS}\p{lb=CL}])[\p{lb=ID}&&\p{L}]"),
    )


def sentence_starts(text: str, low: int, high: int, until: int) -> list[int]:
    """Returns the starts of sentences in a range.

    Args:
        text: The text.
        low: The first offset of the range.
        high: The offset after the last one of the range.
        until: The end of the text to look at, which is not before the range's.
    """
    start = low
    while start > 0 and text[start - 1].isspace():
        start -= 1
    furthest = max(0, start - _FURTHEST)
    while start > furthest and _closes(text[start - 1]):
        start -= 1
    start = max(0, start - 1)
    pattern = _ASCII_END if _is_quick(text, start, until) else _patterns().sentence_end
    # A small letter follows abbreviations ("e.g. this"), seldom the end of a sentence.
    return [
        offset
        for end in pattern.finditer(text, start, until)
        if low <= (offset := end.end()) < high and not text[offset].islower()
    ]


def clause_starts(text: str, low: int, high: int) -> list[int]:
    """Returns the starts of clauses in a range, in text that has no spaces between them."""
    if text.isascii():
        return []
    found = [mark.end() for mark in _patterns().clause_end.finditer(text, max(0, low - 1), high)]
    return [offset for offset in found if low <= offset < high]


def character_start(text: str, low: int, high: int, *, last: bool = False) -> int | None:
    """Returns the first or the last offset in a range between two ideographs or syllables.

    Args:
        text: The text.
        low: The first offset of the range.
        high: The offset after the last one of the range.
        last: Whether to return the last such offset.
    """
    if text.isascii():
        return None
    if last:
        low = max(low, high - _FURTHEST)
        found = [start.start() for start in _patterns().character.finditer(text, low, high)]
        return found[-1] if found else None
    first = _patterns().character.search(text, low, high)
    return first.start() if first else None


def whole_character(text: str, low: int, offset: int) -> int:
    """Returns the last offset up to this one that is not inside a character with its marks.

    If no such offset follows ``low``, it is the offset itself.
    """
    end = offset
    furthest = max(low, offset - _FURTHEST)
    while end > furthest and end < len(text):
        if text[end - 1] != _JOINER and category(text[end]) not in _MARKS:
            return end
        end -= 1
    return offset


def _is_quick(text: str, low: int, high: int) -> bool:
    """Tells whether ASCII's rules are enough; those for every script take several times as long."""
    return text.isascii() or not _BEYOND_ASCII_RULES.search(text, low, high)


def _closes(character: str) -> bool:
    if character.isascii():
        return character in _CLOSERS
    return character in _CLOSERS or category(character) in {"Pe", "Pf"}
