"""Turns a question into the terms that are searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from managed_sync.keywords.analysis import question_identifiers, question_words
from managed_sync.keywords.columns import number_pair
from managed_sync.keywords.stemming import stem
from managed_sync.keywords.stop_words import without_stop_words

__all__ = ["question_terms"]

# A question of more is a text; a search for all of its words would take long and say little.
_MOST_TERMS = 40
_MOST_CHARACTERS = 10_000


def question_terms(question: str) -> list[str]:
    """Returns the terms of a question; a chunk with one of them matches.

    Args:
        question: Any text.

    Examples:
        >>> question_terms("What are VPN errors 612?")
        ['vpn', 'error', '612', 'error 612']
        >>> question_terms("?!")
        []
    """
    question = question[:_MOST_CHARACTERS]
    words = [*without_stop_words(question_words(question)), *question_identifiers(question)]
    terms = dict.fromkeys([*map(stem, words), *_number_pairs(question.split())])
    return list(islice(terms, _MOST_TERMS))


def _number_pairs(pieces: Sequence[str]) -> Iterator[str]:
    """Yields pairs of neighbors that are words; parts of an identifier are none.

    An identifier is a term as a whole.
    """
    for first, second in pairwise(map(question_words, pieces)):
        if len(first) == len(second) == 1:
            pair = number_pair(stem(first[0]), stem(second[0]))
            if pair is not None:
                yield pair
