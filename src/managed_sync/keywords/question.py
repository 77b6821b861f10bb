"""Turns a question into an expression of SQLite's full-text search.

Guarantees:

- Nothing in a question is syntax of the search: its terms are letters and digits, in quotes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from managed_sync.keywords.analysis import question_terms, question_words
from managed_sync.keywords.stop_words import without_stop_words

__all__ = ["match_expression"]

# A question of more is a text; a search for all of its words would take long and say little.
_MOST_TERMS = 40
_MOST_CHARACTERS = 10_000


def match_expression(question: str) -> str | None:
    """Returns an expression that matches any term of a question; ``None`` if it has none.

    Args:
        question: Any text.

    Examples:
        >>> match_expression("What is VPN error 612?")
        '"vpn" OR "error" OR "612" OR "error 612"'
        >>> match_expression("?!") is None
        True
    """
    question = question[:_MOST_CHARACTERS]
    words = question_words(question)
    pairs = _pairs(question.split())
    terms = dict.fromkeys([*without_stop_words(words), *question_terms(question), *pairs])
    return " OR ".join(f'"{term}"' for term in list(terms)[:_MOST_TERMS]) or None


def _pairs(pieces: Sequence[str]) -> Iterator[str]:
    """Yields neighbors of which one has a digit: a number says little without its word.

    Parts of an identifier are no neighbors, since it is a term as a whole.
    """
    for first, second in pairwise(map(question_words, pieces)):
        if len(first) == len(second) == 1 and any(map(str.isdigit, first[0] + second[0])):
            yield f"{first[0]} {second[0]}"
