"""Words that a question and passages have in common, and what they are worth.

Guarantees:

- How rare a word is comes from the passages that are passed in, and from nothing else.

See ``docs/decisions/0045-retrieval-bundled-reranker.md``.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from managed_sync.keywords.stop_words import without_stop_words

__all__ = ["SharedWords", "shared_words"]

# Scripts without spaces are compared character by character.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
# Words with a common beginning are taken for forms of one word: "approve" and "approval".
_SHORTEST_STEM = 4
_SHARE_OF_STEM = 0.7
_WORTH_OF_FORM = 0.9
# The passages are the best of many more. A word that all of them have is no stop word.
_PASSAGES_BEHIND_EACH = 10
# The usual settings of BM25.
_SATURATION = 1.2
_SHARE_OF_LENGTH = 0.75


class SharedWords(NamedTuple):
    """The worth of the question's words in a passage.

    Attributes:
        in_passage: By BM25: repetitions count less and less, and those in long passages less.
        in_sentence: The sum of the worths in the best sentence.
    """

    in_passage: float
    in_sentence: float


def shared_words(
    question: str, passages: Sequence[str], sentences: Sequence[Sequence[str]]
) -> list[SharedWords]:
    """Returns the worth of the question's words in each passage.

    Args:
        question: The question.
        passages: The passages to compare.
        sentences: The sentences of each passage, at least one.
    """
    counts = [Counter(_words(passage)) for passage in passages]
    by_sentence = [[frozenset(_words(each)) for each in own] for own in sentences]
    penalties = _penalties([count.total() for count in counts])
    by_beginning: dict[str, set[str]] = defaultdict(set)
    for form in frozenset[str]().union(*counts):
        by_beginning[form[:_SHORTEST_STEM]].add(form)
    in_passage = [0.0] * len(passages)
    in_sentences = [[0.0] * len(own) for own in sentences]
    for word in dict.fromkeys(without_stop_words(_words(question))):
        likeness = _likenesses(word, by_beginning)
        rarity = _rarity([_best(likeness, count.keys()) for count in counts])
        for place, count in enumerate(counts):
            found = sum(likeness[form] * count[form] for form in likeness.keys() & count.keys())
            if found:
                share = found * (_SATURATION + 1) / (found + penalties[place])
                in_passage[place] += rarity * share
                for number, forms in enumerate(by_sentence[place]):
                    in_sentences[place][number] += rarity * _best(likeness, forms)
    return [SharedWords(*each) for each in zip(in_passage, map(max, in_sentences), strict=True)]


def _penalties(lengths: Sequence[int]) -> list[float]:
    """Returns what is added to the occurrences in passages of these lengths."""
    average = sum(lengths) / max(1, len(lengths)) or 1.0
    return [
        _SATURATION * (1 - _SHARE_OF_LENGTH + _SHARE_OF_LENGTH * length / average)
        for length in lengths
    ]


def _rarity(shares: Sequence[float]) -> float:
    frequency = sum(shares)
    passages = _PASSAGES_BEHIND_EACH * len(shares)
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def _best(likeness: Mapping[str, float], forms: Set[str]) -> float:
    return max((likeness[form] for form in likeness.keys() & forms), default=0.0)


def _words(text: str) -> list[str]:
    """Returns the words of a text without case and accents."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(c for c in folded if not unicodedata.combining(c)))


def _likenesses(word: str, by_beginning: Mapping[str, set[str]]) -> dict[str, float]:
    """Returns the words that may be forms of a word, each with the worth of finding it."""
    likeness = {}
    for form in by_beginning.get(word[:_SHORTEST_STEM], ()):
        if form == word:
            likeness[form] = 1.0
        elif word.isalpha() and form.isalpha():
            longest = max(len(word), len(form))
            if _common_beginning(word, form) >= max(_SHORTEST_STEM, _SHARE_OF_STEM * longest):
                likeness[form] = _WORTH_OF_FORM
    return likeness


def _common_beginning(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
