"""The reranker of the extra ``demo``: static word vectors and shared words, small and offline.

A passage is good if one of its sentences is near the question by the bundled embedding, if it has
the question's words, rare ones above all and best in one sentence, and if the ranking before had it
among the first.

Guarantees:

- Only the passages that are passed in, and the order in which they are, decide on their order. If a
  user may read all of them, nothing that the user may not read changes it.

See ``docs/decisions/0045-retrieval-bundled-reranker.md``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import mul

from managed_sync.arguments import check_number
from managed_sync.bundled_embedding import load_bundled_model
from managed_sync.retrieval.reranking.shared_words import shared_words

__all__ = ["BundledReranker"]

# Chosen on the tune half of the sample company's questions and on Cranfield; see the decision.
_WEIGHT_OF_MEANING = 1.0
_WEIGHT_OF_WORDS = 0.7
_WEIGHT_OF_SENTENCE = 0.5
_WEIGHT_OF_RANK = 0.6
# The rank that has half the worth of the first one.
_HALF = 10

_SENTENCE_END = re.compile(r"(?<=[.!?\u3002])\s+|\n+")
# Shorter pieces say nothing by themselves: rules of tables, numbers of lists.
_SHORTEST_SENTENCE = 16
_LONGEST_TITLES = 300
_HEADING_SEPARATOR = " > "


class BundledReranker:
    """Scores passages by how well they answer a question, with nothing to download.

    Pass it as ``reranker=`` to a ``PermissionAwareRetriever`` of either framework. It knows words
    but no grammar; a cross-encoder orders better and takes much longer.

    Args:
        rank_weight: The weight of the ranking before, at least 0. The default of 0.6 is for the
            bundled embedding. If a better model made the ranking, pass 1.2, so that this reranker
            moves its passages less far.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
        ConfigurationError: ``rank_weight`` is negative or no number.

    Examples:
        >>> question = "Who pays for hotels?"
        >>> lunch, hotels = BundledReranker().predict(
        ...     [(question, "Lunch is at noon."), (question, "The company pays for hotels.")]
        ... )
        >>> lunch < hotels
        True
    """

    def __init__(self, *, rank_weight: float = _WEIGHT_OF_RANK) -> None:
        check_number("rank_weight", rank_weight)
        self._rank_weight = rank_weight
        self._model = load_bundled_model("BundledReranker")

    def predict(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Returns a score for each pair of a question and a passage; higher is better.

        The passages of one question are compared with each other, so a score means nothing beside
        those of another call.

        Args:
            pairs: In the order of the ranking before, which counts as well. A passage may begin
                with its title and headings, up to the first empty line.
        """
        places: dict[str, list[int]] = defaultdict(list)
        for place, (question, _) in enumerate(pairs):
            places[question].append(place)
        scores = [0.0] * len(pairs)
        for question, own in places.items():
            passages = [pairs[place][1] for place in own]
            for rank, score in enumerate(self.relevance(question, passages)):
                scores[own[rank]] = score + self._rank_weight * _HALF / (_HALF + rank)
        return scores

    def relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        """Returns how well each passage answers a question, whatever their order is.

        Args:
            question: The question.
            passages: The passages, which are compared with each other.
        """
        sentences = [list(_sentences(passage)) for passage in passages]
        meanings = _in_proportion(self._meanings(question, sentences))
        words = shared_words(question, passages, sentences)
        in_passage = _in_proportion([each.in_passage for each in words])
        in_sentence = _in_proportion([each.in_sentence for each in words])
        return [
            _WEIGHT_OF_MEANING * meaning
            + _WEIGHT_OF_WORDS * passage
            + _WEIGHT_OF_SENTENCE * sentence
            for meaning, passage, sentence in zip(meanings, in_passage, in_sentence, strict=True)
        ]

    def _meanings(self, question: str, sentences: Sequence[Sequence[str]]) -> list[float]:
        """Returns the similarity of the question and the best sentence of each passage."""
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


def _in_proportion(values: Sequence[float]) -> list[float]:
    """Returns values in proportion to the highest one."""
    highest = max(values, default=0.0)
    return [value / highest for value in values] if highest > 0 else [0.0] * len(values)
