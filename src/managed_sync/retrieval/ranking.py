"""Search results: hits in the store's order, and what their scores reveal."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise, zip_longest
from typing import Any

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds

__all__ = ["Hit", "Scores", "distinct", "hit_of", "is_continued"]

# Stores compute with 32 bits, and not always in the same order.
_equal = partial(math.isclose, rel_tol=1e-4, abs_tol=1e-6)


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result.

    Attributes:
        object_id: The source object it came from; ``None`` if its metadata name none that can be
            checked, or if it is foreign.
        identities: The passage's identities; two hits that share one are the same passage.
        passage: The framework's own document or node.
        score: The store's score; only its order counts.
        project_id: The project that its metadata name, if they do.
        is_foreign: Whether that is another project than the checker's.
    """

    object_id: str | None
    identities: tuple[Hashable, ...]
    passage: Any
    score: float | None = None
    project_id: object = None
    is_foreign: bool = False


def hit_of(
    passage: Any,
    *,
    text: str,
    metadata: Mapping[str, Any],
    store_id: str | None,
    score: object,
    object_ids: ObjectIds = OWN_FIELD,
) -> Hit:
    """Returns the hit for a passage.

    A passage is identified by the store's id, or by its chunk id and text, or if it has neither by
    its text and metadata. Its project and object are always part of its identity: if ids clash, one
    object's passage hides no other's.

    Args:
        passage: The framework's own document or node.
        text: Its text.
        metadata: Its metadata, which name its object.
        store_id: The id under which the store keeps it, if the store gives one.
        score: The store's score.
        object_ids: Finds the id of the object in the metadata.
    """
    object_id = object_ids.of(metadata)
    project_id = metadata.get("project_id")
    source = (str(project_id), object_id)
    identities: list[Hashable] = []
    if store_id is not None:
        identities.append(("id", source, store_id))
    if isinstance(chunk_id := metadata.get("chunk_id"), str):
        # Chunk ids of other tools may name a page or a section, which several chunks share.
        identities.append(("chunk", source, chunk_id, text))
    if not identities:
        identities.append(("text", source, text, _described(metadata)))
    return Hit(object_id, tuple(identities), passage, _number(score), project_id)


def _described(metadata: Mapping[str, Any]) -> Hashable:
    """Returns metadata as text; metadata that JSON cannot express is compared by identity."""
    try:
        return json.dumps(dict(metadata), sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):
        return id(metadata)


def _number(score: object) -> float | None:
    """Returns a score if it is a number: one odd hit must not cost the others."""
    try:
        return None if score is None else float(score)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def distinct(hits: Iterable[Hit]) -> list[Hit]:
    """Returns the hits without repetitions of the same passage."""
    seen: set[Hashable] = set()
    kept = []
    for hit in hits:
        if seen.isdisjoint(hit.identities):
            kept.append(hit)
        seen.update(hit.identities)
    return kept


@dataclass(slots=True)
class Scores:
    """The knowledge that the scores of several searches give about the order of their hits.

    Attributes:
        higher_is_better: Which scores are better, as far as a search has shown it.
        comparable: ``False`` once scores are missing, do not follow the order of their search, or
            differ for the same passage in two searches, as those of a rank fusion do.
    """

    higher_is_better: bool | None = None
    comparable: bool = True
    _known: dict[Hashable, float] = field(default_factory=dict)

    def learn(self, ranking: Sequence[Hit]) -> None:
        """Learns from the scores of one search, best hit first."""
        scores = [hit.score for hit in ranking if hit.score is not None]
        if len(scores) < len(ranking) or not all(map(math.isfinite, scores)):
            self.comparable = False
            return
        if self.higher_is_better is None and scores and scores[0] != scores[-1]:
            self.higher_is_better = scores[0] > scores[-1]
        falling = pairwise(scores if self.higher_is_better else reversed(scores))
        if not all(one >= next_one or _equal(one, next_one) for one, next_one in falling):
            self.comparable = False
        for hit, score in zip(ranking, scores, strict=True):
            if not _equal(self._known.setdefault(hit.identities[0], score), score):
                self.comparable = False

    def can_order(self, rankings: Sequence[Sequence[Hit]]) -> bool:
        """Returns whether several rankings can be merged into one by their scores."""
        if sum(map(bool, rankings)) < 2:
            return True
        return self.comparable and self.higher_is_better is not None

    def merged(self, rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
        """Returns one ranking out of several that each have their best hit first.

        Hits of equal score keep the order of the rankings. If scores reveal nothing, the first
        hits of all rankings come first, then the second ones, and so on.
        """
        filled = [ranking for ranking in rankings if ranking]
        if len(filled) < 2:
            return list(filled[0]) if filled else []
        if not self.can_order(filled):
            ranks = zip_longest(*filled)
            return [hit for rank in ranks for hit in rank if hit is not None]
        sign = -1.0 if self.higher_is_better else 1.0
        return list(heapq.merge(*filled, key=lambda hit: sign * (hit.score or 0.0)))


def is_continued(before: Sequence[Hit], after: Sequence[Hit]) -> bool:
    """Returns whether a wider search begins with the hits of a narrower one; ties may turn."""
    return len(before) <= len(after) and all(
        not set(old.identities).isdisjoint(new.identities)
        or (old.score is not None and new.score is not None and _equal(old.score, new.score))
        for old, new in zip(before, after, strict=False)
    )
