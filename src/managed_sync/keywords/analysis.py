r"""Turns texts and questions into the terms that the keyword index compares.

Both go through the same steps, so a term of a question is a term of the text that it stands in:

- Case, accents and compatibility forms are folded: ``Café`` is ``cafe``, ``ﬁne`` is ``fine``.
- Identifiers are terms as a whole and by their parts: ``INC-2026-012`` is also ``inc``, ``2026``
  and ``012``; an address is also its user and its host.
- Texts in scripts without spaces between words are cut into single characters and pairs of them.

The words are then what is between characters of ASCII that are no letters or digits. A whole
identifier is one of them because its punctuation is written in private characters.

See ``docs/decisions/0041-keywords-index.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain

from managed_sync.documents.model import storable

__all__ = ["question_identifiers", "question_words", "text_words"]

# Accents of Latin, Greek and Cyrillic letters, and the points of Hebrew and Arabic. The marks of
# other scripts are letters of their own, such as the vowels of Thai.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0640\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff]+"
)
# Letters that have no decomposition, hyphens of all kinds, and characters that are not seen.
_REPLACED = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00ad\u200c\u200d\u2060\ufeff", ""),
        "\u0111": "d",
        "\u00f0": "d",
        "\u0127": "h",
        "\u0131": "i",
        "\u0142": "l",
        "\u00f8": "o",
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u00fe": "th",
    }
)
# Everything but letters, digits and the marks that belong to letters; sentences end with U+0964.
_SEPARATORS = re.compile(
    "[^\x00-\x7f\\w\u0900-\u1aff\u3099\u309a]+|[\u0964\u0965\u0e3f\u0e5a\u0e5b]+"
)
# Once the separators are gone.
_WORD = re.compile("[0-9a-z\x80-\U0010ffff]+")
# Japanese, Chinese and Korean; Thai, Lao, Burmese and Khmer.
_WITHOUT_SPACES = re.compile(
    "[\u3005-\u3007\u3041-\u309a\u309d-\u30fa\u30fc-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U000323af"
    "\u0e01-\u0e3a\u0e40-\u0e59\u0e80-\u0eff\u1000-\u109f\u1780-\u17dd]+"
)
_IDENTIFIER = re.compile(
    r"[^\W_]+(?:(?:[-_./\\@:+#&=~%]+|(?<=\d),(?=\d))[^\W_]+)+|\b[^\W\d_](?:\+\+|#)"
)
_JOINTS = re.compile(r"[/\\@:=&~%]+")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,3}(?:\.\d{3})+")
_LONGEST_IDENTIFIER = 200
_AROUND_WORDS = ".,;:!?\"'()[]{}<>*`|-_"
# Punctuation of a whole identifier, in characters that no text has after the folding.
_PRIVATE = {ord(character): 0xE000 + ord(character) for character in r"-_./\@:+#&=~%,"}


def text_words(text: str) -> list[str]:
    """Returns the words of a text in their order, and behind them the identifiers as a whole."""
    folded = _folded(text)
    identifiers = _identifiers(folded)
    if not folded.isascii():
        folded = _WITHOUT_SPACES.sub(_characters_and_pairs, _SEPARATORS.sub(" ", folded))
    return [*_WORD.findall(folded), *identifiers]


def question_words(question: str) -> list[str]:
    """Returns the words of a question in their order, without the identifiers as a whole."""
    folded = _folded(storable(question))
    return _WORD.findall(_WITHOUT_SPACES.sub(_pairs, _SEPARATORS.sub(" ", folded)))


def question_identifiers(question: str) -> list[str]:
    """Returns the identifiers of a question as a whole."""
    return list(_identifiers(_folded(storable(question))))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).translate(_REPLACED)


def _identifiers(folded: str) -> Iterator[str]:
    # Most words have no punctuation inside, and are found out much faster than by the expression.
    candidates = (word for word in map(_stripped, folded.split()) if not word.isalnum())
    for found in chain.from_iterable(map(_IDENTIFIER.finditer, candidates)):
        whole = found.group()
        if len(whole) > _LONGEST_IDENTIFIER:
            continue
        yield whole.translate(_PRIVATE)
        if _THOUSANDS.fullmatch(whole):
            yield whole.replace(",", "").replace(".", "")
        parts = _JOINTS.split(whole)
        if len(parts) > 1:
            for part in parts:
                if _IDENTIFIER.fullmatch(part):
                    yield part.translate(_PRIVATE)


def _stripped(word: str) -> str:
    return word if word.isalnum() else word.strip(_AROUND_WORDS)


def _characters_and_pairs(run: re.Match[str]) -> str:
    text = run.group()
    pairs = (text[place : place + 2] for place in range(len(text) - 1))
    return f" {' '.join(text)} {' '.join(pairs)} "


def _pairs(run: re.Match[str]) -> str:
    text = run.group()
    if len(text) == 1:
        return f" {text} "
    return f" {' '.join(text[place : place + 2] for place in range(len(text) - 1))} "
