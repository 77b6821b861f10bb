"""The retrieval plan: which searches and checks lead to the best passages a subject may read.

A plan is a generator of steps without I/O. A driver (see ``drivers``) carries out each step and
sends the answer back, so that the synchronous and the asynchronous path share every decision.

What this module promises:

- A hit is returned only if a check in this plan allowed its object.
- No object is checked twice in one plan.
- Allowed hits keep the store's order; none among those seen is left out for a worse one.
- A result of fewer than ``k`` passages is complete, or says that it is not.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from managed_sync.permissions.report import RetrievalReport

__all__ = ["Check", "Hit", "Outcome", "Plan", "Search", "post_filter"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result.

    Attributes:
        object_id: The source object it came from; ``None`` if the store does not say.
        chunk_id: Its own id, where the store has one; a repeated one is the same passage.
        passage: The framework's own document or node.
    """

    object_id: str | None
    chunk_id: str | None
    passage: Any


@dataclass(frozen=True, slots=True)
class Search:
    """Step: the best ``limit`` hits of the store, whoever may read them."""

    limit: int


@dataclass(frozen=True, slots=True)
class Check:
    """Step: which of these objects the subject may read."""

    object_ids: tuple[str, ...]


# The allowed hits, and a report that the driver completes.
Outcome: TypeAlias = tuple[tuple[Hit, ...], RetrievalReport]
Plan: TypeAlias = Generator[Search | Check, Any, Outcome]

# How much wider to search, at least and at most, when too few of the hits so far are allowed.
_LEAST_WIDENING = 4
_MOST_WIDENING = 40
# The estimate of what is needed rests on few allowed hits, so it is taken with a margin.
_MARGIN = 2.0


def post_filter(k: int, *, overfetch: int, max_candidates: int) -> Plan:
    """Searches, checks what was found, and searches wider until ``k`` hits are allowed.

    Args:
        k: Passages wanted.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
    """
    decisions: dict[str, bool] = {}
    limit = min(k * overfetch, max_candidates)
    rounds = 0
    while True:
        rounds += 1
        found: Sequence[Hit] = yield Search(limit)
        exhausted = len(found) < limit
        hits = _distinct(found)
        object_ids = dict.fromkeys(hit.object_id for hit in hits if hit.object_id)
        unseen = tuple(object_id for object_id in object_ids if object_id not in decisions)
        if unseen:
            allowed: set[str] = yield Check(unseen)
            decisions |= {object_id: object_id in allowed for object_id in unseen}
        permitted = [hit for hit in hits if hit.object_id and decisions[hit.object_id]]
        if len(permitted) >= k or exhausted or limit >= max_candidates:
            unidentified = sum(not hit.object_id for hit in hits)
            best = tuple(permitted[:k])
            return best, RetrievalReport(
                strategy="post_filter",
                rounds=rounds,
                candidates=len(hits),
                objects=len(object_ids),
                checks=len(decisions),
                returned=len(best),
                withheld=len(hits) - len(permitted) - unidentified,
                unidentified=unidentified,
                complete=len(permitted) >= k or exhausted,
            )
        limit = min(_widened(limit, k, len(permitted)), max_candidates)


def _widened(limit: int, k: int, permitted: int) -> int:
    """How far to search so that ``k`` hits are likely to be allowed, going by the share so far."""
    if permitted == 0:
        return limit * _MOST_WIDENING
    needed = math.ceil(_MARGIN * limit * k / permitted)
    return min(max(needed, limit * _LEAST_WIDENING), limit * _MOST_WIDENING)


def _distinct(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without repetitions of the same chunk."""
    seen: set[str] = set()
    kept = []
    for hit in hits:
        if hit.chunk_id is not None:
            if hit.chunk_id in seen:
                continue
            seen.add(hit.chunk_id)
        kept.append(hit)
    return kept
