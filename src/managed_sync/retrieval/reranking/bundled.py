"""The reranker of the extra ``demo``: static word vectors and shared words, small and offline.

A passage is good if one of its sentences is near the question by the bundled embedding, and if it
has the question's words, rare ones above all.

Guarantees:

- Only the passages that are passed in decide on their order. If a user may read all of them,
  nothing that the user may not read changes it.

See ``docs/decisions/0045-retrieval-bundled-reranker.md``.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import mul

from managed_sync.bundled_embedding import load_bundled_model
from managed_sync.keywords.stop_words import without_stop_words

__all__ = ["BundledReranker"]

# Chosen on the tune half of the sample company's questions; see the decision.
_WEIGHT_OF_MEANING = 0.7
_WEIGHT_OF_WORDS = 1.0

# Scripts without spaces are compared character by character.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002])\s+|\n+")
# Shorter pieces say nothing by themselves: rules of tables, numbers of lists.
_SHORTEST_SENTENCE = 16
_LONGEST_TITLES = 300
_HEADING_SEPARATOR = " > "
# Words with a common beginning are taken for forms of one word: "approve" and "approval".
_SHORTEST_STEM = 4
_SHARE_OF_STEM = 0.7
_WORTH_OF_FORM = 0.9


class BundledReranker:
    """Scores passages by how well they answer a question, with nothing to download.

    Pass it as ``reranker=`` to a ``PermissionAwareRetriever`` of either framework. It knows words
    but no grammar; a cross-encoder orders better and takes much longer.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.

    Examples:
        >>> question = "Who pays for hotels?"
        >>> lunch, hotels = BundledReranker().predict(
        ...     [(question, "Lunch is at noon."), (question, "The company pays for hotels.")]
        ... )
        >>> lunch < hotels
        True
    """

    def __init__(self) -> None:
        self._model = load_bundled_model()

    def predict(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Returns a score for each pair of a question and a passage; higher is better.

        The passages of one question are compared with each other, so a score means nothing beside
        those of another call.

        Args:
            pairs: A passage may begin with its title and headings, up to the first empty line.
        """
        places: dict[str, list[int]] = defaultdict(list)
        for place, (question, _) in enumerate(pairs):
            places[question].append(place)
        scores = [0.0] * len(pairs)
        for question, own in places.items():
            passages = [pairs[place][1] for place in own]
            for place, score in zip(own, self._scores(question, passages), strict=True):
                scores[place] = score
        return scores

    def _scores(self, question: str, passages: Sequence[str]) -> list[float]:
        asked = without_stop_words(_words(question))
        meanings = _in_proportion(self._meanings(question, passages))
        coverages = _in_proportion(_coverages(asked, passages))
        return [
            _WEIGHT_OF_MEANING * meaning + _WEIGHT_OF_WORDS * coverage
            for meaning, coverage in zip(meanings, coverages, strict=True)
        ]

    def _meanings(self, question: str, passages: Sequence[str]) -> list[float]:
        """Returns the similarity of the question and the best sentence of each passage."""
        sentences = [list(_sentences(passage)) for passage in passages]
        asked, *vectors = self._model.embed([question, *(s for each in sentences for s in each)])
        similarities = iter([sum(map(mul, asked, vector)) for vector in vectors])
        return [max(next(similarities) for _ in each) for each in sentences]


def _sentences(passage: str) -> Iterator[str]:
    """Yields each sentence or line of a passage, after its title and its last heading."""
    titles, separator, text = passage.partition("\n\n")
    if not separator or len(titles) > _LONGEST_TITLES:
        titles, text = "", passage
    title, _, headings = titles.partition("\n")
    context = f"{title} {headings.rpartition(_HEADING_SEPARATOR)[2]}".strip()
    pieces = [piece.strip() for piece in _SENTENCE_END.split(text)]
    long = [piece for piece in pieces if len(piece) >= _SHORTEST_SENTENCE]
    yield from (f"{context}: {piece}" for piece in long or [text.strip()])


def _coverages(asked: Sequence[str], passages: Sequence[str]) -> list[float]:
    """Returns the worth of those words of a question that each passage has."""
    forms = [frozenset(_words(passage)) for passage in passages]
    by_beginning: dict[str, set[str]] = defaultdict(set)
    for form in frozenset[str]().union(*forms):
        by_beginning[form[:_SHORTEST_STEM]].add(form)
    coverages = [0.0] * len(passages)
    for word in dict.fromkeys(asked):
        likeness = _likenesses(word, by_beginning)
        shares = [max((likeness[f] for f in likeness.keys() & own), default=0.0) for own in forms]
        frequency = sum(shares)
        rarity = math.log(1 + (len(passages) - frequency + 0.5) / (frequency + 0.5))
        for place, share in enumerate(shares):
            coverages[place] += rarity * share
    return coverages


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


def _in_proportion(values: Sequence[float]) -> list[float]:
    """Returns values in proportion to the highest one."""
    highest = max(values, default=0.0)
    return [value / highest for value in values] if highest > 0 else [0.0] * len(values)
