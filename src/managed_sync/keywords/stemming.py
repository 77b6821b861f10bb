"""Porter's stemmer for English words.

It joins the forms of a word, such as "restart", "restarts" and "restarting". It works by endings
alone, so words of other languages lose endings too, in texts and questions alike.

M. F. Porter, "An algorithm for suffix stripping", Program 14 (1980), with the two later changes of
its author ("logi" and "bli").
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

__all__ = ["stem"]

_SHORTEST, _LONGEST = 3, 64
_LONGEST_KEPT = 200
_KEPT_STEMS = 50_000


def _endings(text: str) -> tuple[tuple[str, str], ...]:
    """Returns endings with what replaces them, the longest ones first."""
    pairs = (each.split(":") for each in text.split())
    return tuple(sorted(((old, new) for old, new in pairs), key=lambda pair: -len(pair[0])))


_SECOND = _endings(
    "ational:ate tional:tion enci:ence anci:ance izer:ize logi:log bli:ble alli:al entli:ent eli:e "
    "ousli:ous ization:ize ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous "
    "aliti:al iviti:ive biliti:ble"
)
_THIRD = _endings("icate:ic ative: alize:al iciti:ic ical:ic ful: ness:")
_FOURTH = _endings(
    "al: ance: ence: er: ic: able: ible: ant: ement: ment: ent: sion:s tion:t ou: ism: ate: iti: "
    "ous: ive: ize:"
)


@lru_cache(_KEPT_STEMS)
def stem(word: str) -> str:
    """Returns the stem of a word in lower case; that of a very long word is its beginning.

    Examples:
        >>> [stem(word) for word in ("restarting", "restarts", "policies", "612")]
        ['restart', 'restart', 'polici', '612']
    """
    if not _SHORTEST <= len(word) <= _LONGEST:
        return word[:_LONGEST_KEPT]
    word = _without_past(_without_plural(word))
    if word.endswith("y") and "v" in _shape(word[:-1]):
        word = f"{word[:-1]}i"
    word = _replaced(word, _SECOND, lambda shape: "vc" in shape)
    word = _replaced(word, _THIRD, lambda shape: "vc" in shape)
    word = _replaced(word, _FOURTH, lambda shape: shape.count("vc") > 1)
    return _without_final_e(word)


def _shape(word: str) -> str:
    """Returns a letter for each of the word's: "v" for a vowel, "c" for a consonant."""
    shape = ""
    for letter in word:
        is_vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if is_vowel else "c"
    return shape


def _without_plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _without_past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if "vc" in _shape(word[:-3]) else word
    for ending in ("ed", "ing"):
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            return _completed(rest) if "v" in _shape(rest) else word
    return word


def _completed(rest: str) -> str:
    """Returns what is left of a word without "ed" or "ing" as it is written alone."""
    if rest.endswith(("at", "bl", "iz")):
        return f"{rest}e"
    if rest[-2:-1] == rest[-1:] and rest[-1] not in "lsz" and _shape(rest)[-1] == "c":
        return rest[:-1]
    return f"{rest}e" if _shape(rest).count("vc") == 1 and _is_short(rest) else rest


def _is_short(word: str) -> bool:
    """Returns whether a word ends like "hop": consonant, vowel, consonant."""
    return _shape(word)[-3:] == "cvc" and word[-1] not in "wxy"


def _replaced(
    word: str, endings: tuple[tuple[str, str], ...], is_enough: Callable[[str], bool]
) -> str:
    """Returns the word with its longest ending replaced, if enough is left before it."""
    for old, new in endings:
        if word.endswith(old):
            rest = word.removesuffix(old)
            kept = f"{rest}{new}" if old in {"sion", "tion"} else rest
            return f"{rest}{new}" if is_enough(_shape(kept)) else word
    return word


def _without_final_e(word: str) -> str:
    if word.endswith("e"):
        rest = word[:-1]
        measure = _shape(rest).count("vc")
        if measure > 1 or (measure == 1 and not _is_short(rest)):
            word = rest
    if word.endswith("ll") and _shape(word).count("vc") > 1:
        return word[:-1]
    return word
