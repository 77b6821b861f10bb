"""Excerpts of passages: the sentence that answers, and what fits around it."""

from __future__ import annotations

import re
import textwrap

from managed_sync.retrieval.reranking import BundledReranker

__all__ = ["answering_excerpt"]

_PIECE_END = re.compile(r"(?<=[.!?\u3002])\s+|\n+")
# Also rules of tables and headings without words.
_BLANK = re.compile(r"[\s|:#-]*")
_CUT = "…"


def answering_excerpt(question: str, text: str, length: int) -> str:
    """Returns the sentence or line of a passage that is nearest to a question, on one line.

    Sentences after it, and then before it, are added as long as they fit.

    Args:
        question: The question.
        text: The passage.
        length: The most characters.
    """
    lines = [line for line in map(str.strip, _PIECE_END.split(text)) if not _BLANK.fullmatch(line)]
    if not lines:
        return ""
    scores = BundledReranker().relevance(question, lines)
    # A heading has the question's words, and the text below it has the answer.
    is_heading = [line.startswith("#") for line in lines]
    first = max(range(len(lines)), key=lambda place: (not is_heading[place], scores[place]))
    pieces = [" ".join(line.strip("# ").split()) for line in lines]
    last = first + 1
    while last < len(pieces) and _fits(pieces[first : last + 1], length):
        last += 1
    while first > 0 and _fits(pieces[first - 1 : last], length):
        first -= 1
    start, end = _CUT + " " if first > 0 else "", " " + _CUT if last < len(pieces) else ""
    shown = textwrap.shorten(" ".join(pieces[first:last]), length - 4, placeholder=f" {_CUT}")
    return f"{start}{shown}{end if not shown.endswith(_CUT) else ''}"


def _fits(pieces: list[str], length: int) -> bool:
    return len(" ".join(pieces)) <= length - 4
