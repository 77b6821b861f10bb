"""The fused ranking by its definition, worked out from whole rankings: what a retrieval ought to
return.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from managed_sync.retrieval.hybrid import Fusion
from tests.support.passages import Passage

# A passage's own name, and its object.
Named: TypeAlias = tuple[str, Any]


def best_fused(
    by_vectors: Iterable[Named],
    by_keywords: Iterable[Named],
    may_read: Callable[[Any], bool],
    k: int,
    *,
    fusion: Fusion | None = None,
    max_per_object: int | None = None,
) -> list[str]:
    """The names of the best passages, best first."""
    fusion = fusion or Fusion()
    scores: dict[str, float] = defaultdict(float)
    ranks: dict[str, tuple[int, int]] = {}
    owners: dict[str, Any] = {}
    weights = (fusion.vector_weight, fusion.keyword_weight)
    for number, ranking in enumerate((by_vectors, by_keywords)):
        own = limited([each for each in ranking if may_read(each[1])], max_per_object)
        for rank, (name, owner) in enumerate(own[: fusion.window_of(k)], start=1):
            owners[name] = owner
            scores[name] += weights[number] / (fusion.constant + rank)
            ranks[name] = min(ranks.get(name, (rank, number)), (rank, number))
    fused = sorted(scores, key=lambda name: (-scores[name], ranks[name]))
    kept = limited([(name, owners[name]) for name in fused], max_per_object)
    return [name for name, _ in kept[:k]]


def named(passages: Iterable[Passage]) -> list[Named]:
    """The passages' texts, which tell them apart, with their objects."""
    return [(each.text, each.object_id) for each in passages]


def limited(passages: Sequence[Named], max_per_object: int | None) -> list[Named]:
    """The passages without those of an object that has enough before them."""
    taken: Counter[Any] = Counter()
    kept = []
    for each in passages:
        taken[each[1]] += 1
        if max_per_object is None or taken[each[1]] <= max_per_object:
            kept.append(each)
    return kept
