"""A small keyword index: BM25 over texts in memory, as the interface of a keyword source says.

``FixedKeywords`` ranks passages as a test says, and subclasses of it misbehave.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from managed_sync.documents import ChunkPlace


@dataclass(frozen=True)
class KeywordPassage:
    """A passage with its score for a question."""

    chunk_id: str
    text: str
    metadata: dict[str, Any]
    score: float = 0.0


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


class BM25:
    """Ranks all passages that have a word of the question; equal scores keep their order."""

    def __init__(self, passages: Iterable[KeywordPassage]) -> None:
        self.passages = list(passages)
        self._counts = [Counter(_words(passage.text)) for passage in self.passages]
        self._average = sum(map(Counter.total, self._counts)) / max(1, len(self._counts))

    def search(
        self, question: str, limit: int, objects: Sequence[str] | None = None, **_: Any
    ) -> list[KeywordPassage]:
        wanted = None if objects is None else set(objects)
        scored = [
            replace(passage, score=score)
            for passage, counts in zip(self.passages, self._counts, strict=True)
            if (score := self._score(_words(question), counts)) > 0
            and (wanted is None or passage.metadata.get("object_id") in wanted)
        ]
        return sorted(scored, key=lambda each: -each.score)[:limit]

    def count_chunks(self, objects: Sequence[str] | None = None, **_: Any) -> int:
        return sum(
            objects is None or each.metadata.get("object_id") in objects for each in self.passages
        )

    def neighbors(self, place: ChunkPlace, distance: int) -> list[KeywordPassage]:
        return [
            each
            for each in self.passages
            if each.metadata.get("object_id") == place.object_id
            and 0 < abs(each.metadata["chunk_index"] - place.chunk_index) <= distance
        ]

    def _score(self, question: Sequence[str], counts: Counter[str]) -> float:
        length = 0.25 + 0.75 * counts.total() / self._average
        return sum(
            self._rarity(word) * 2.2 * counts[word] / (counts[word] + 1.2 * length)
            for word in set(question)
            if word in counts
        )

    def _rarity(self, word: str) -> float:
        having = sum(word in counts for counts in self._counts)
        return math.log(1 + (len(self._counts) - having + 0.5) / (having + 0.5))


@dataclass
class FixedKeywords:
    """Ranks its passages in the same order for every question."""

    passages: Sequence[KeywordPassage]
    searches: list[tuple[int, Sequence[str] | None]] = field(default_factory=list)

    def search(
        self, question: str, limit: int, objects: Sequence[str] | None = None, **_: Any
    ) -> list[KeywordPassage]:
        self.searches.append((limit, objects))
        assert len(self.searches) < 5_000, "The retrieval does not end."
        found = [
            each
            for each in self.passages
            if objects is None or each.metadata.get("object_id") in objects
        ]
        return [replace(each, score=-float(rank)) for rank, each in enumerate(found[:limit])]

    def count_chunks(self, objects: Sequence[str] | None = None, **_: Any) -> int:
        return sum(
            objects is None or each.metadata.get("object_id") in objects for each in self.passages
        )
