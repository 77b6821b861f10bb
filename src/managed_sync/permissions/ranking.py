"""Search results as the plan sees them: hits in the store's order."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Hit", "direction", "distinct", "merged"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result.

    Attributes:
        object_id: The source object it came from; ``None`` if the store does not say.
        chunk_id: Its own id, where the store has one; a repeated one is the same passage.
        passage: The framework's own document or node.
        score: The store's score, whatever it measures; only its order counts.
        project_id: The project that its metadata name, if they do.
        is_foreign: Whether that is another project than the checker's.
    """

    object_id: str | None
    chunk_id: str | None
    passage: Any
    score: float | None = None
    project_id: object = None
    is_foreign: bool = False


def distinct(hits: Iterable[Hit]) -> list[Hit]:
    """The hits without repetitions of the same chunk.

    A chunk is its id and its object: where ids clash, one object's chunk hides no other's.
    """
    seen: set[tuple[str | None, str]] = set()
    kept = []
    for hit in hits:
        if hit.chunk_id is not None:
            key = (hit.object_id, hit.chunk_id)
            if key in seen:
                continue
            seen.add(key)
        kept.append(hit)
    return kept


def merged(rankings: Sequence[Sequence[Hit]], *, higher_is_better: bool | None = None) -> list[Hit]:
    """One ranking out of several that are sorted alike; equal scores keep the rankings' order.

    Args:
        rankings: Each has its best hit first.
        higher_is_better: What the store's scores mean; if it is not said, the rankings show it.
    """
    filled = [ranking for ranking in rankings if ranking]
    if len(filled) < 2:
        return list(filled[0]) if filled else []
    if higher_is_better is None:
        shown = (direction(ranking) for ranking in filled)
        higher_is_better = next((one for one in shown if one is not None), True)
    sign = -1.0 if higher_is_better else 1.0
    return list(heapq.merge(*filled, key=lambda hit: sign * (hit.score or 0.0)))


def direction(ranking: Sequence[Hit]) -> bool | None:
    """Whether higher scores are better, as a ranking shows it; ``None`` if it does not."""
    if not ranking:
        return None
    best, worst = ranking[0].score, ranking[-1].score
    if best is None or worst is None or best == worst:
        return None
    return best > worst
