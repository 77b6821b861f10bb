"""Joins passages with their neighbors: the passages before and after them in the same object.

Guarantees:

- A neighbor is joined only if it is of the same object, project, record and part as the passage,
  whose object was allowed in this retrieval, and meets the caller's filters as the passage does.
- Text that two passages share, because chunks overlap, is in the joined text once.
- A joined text is returned once, for the best of the passages that have it in common.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from managed_sync.documents.metadata_condition import MetadataCondition, meets
from managed_sync.documents.stored_chunk import ChunkPlace
from managed_sync.retrieval.ranking import Hit

__all__ = ["Expansion", "NeighborSource", "Passage", "joined"]

# The metadata that tells one text from another; neighbors have all of it in common.
_SAME = ("object_id", "project_id", "integration", "sync_type", "record_id", "part")
_BREAK = "\n\n"


class StoredNeighbor(Protocol):
    """A passage as an index keeps it."""

    @property
    def text(self) -> str:
        """The passage's text."""

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        """The passage's metadata."""


@runtime_checkable
class NeighborSource(Protocol):
    """An index that finds the passages before and after another one."""

    def neighbors(self, place: ChunkPlace, distance: int) -> Sequence[StoredNeighbor]:
        """Returns the passages of a text whose ``chunk_index`` is at most this far away.

        Passages that name no project belong to the one that is named.
        """


class Passage(NamedTuple):
    """A text with its metadata."""

    text: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expansion:
    """Joins hits with their neighbors.

    Attributes:
        source: The index that finds neighbors.
        distance: The number of neighbors on each side.
        passage_of: Returns the text and the metadata of a hit, as they were indexed.
        with_passage: Returns a hit with another text and metadata.
        untraced: Hides the search from the framework's callbacks and tracers.
        project_id: The checker's project, to which passages belong that name none.
    """

    source: NeighborSource
    distance: int
    passage_of: Callable[[Hit], Passage]
    with_passage: Callable[[Hit, Passage], Any]
    untraced: Callable[[], AbstractContextManager[None]]
    project_id: str | None = None

    def expand(
        self, hits: Sequence[Hit], conditions: Sequence[MetadataCondition] = ()
    ) -> list[Hit]:
        """Returns the hits, joined with their neighbors where there are some.

        Hits with the same joined text become one, so there may be fewer.

        Args:
            hits: The hits, whose objects were allowed.
            conditions: The caller's filters, which neighbors must meet, too.
        """
        with self.untraced():
            return self._once([self._expanded(hit, conditions) for hit in hits], hits)

    async def aexpand(
        self, hits: Sequence[Hit], conditions: Sequence[MetadataCondition] = ()
    ) -> list[Hit]:
        """Like ``expand``, without blocking the event loop."""
        return await asyncio.to_thread(self.expand, hits, conditions)

    def _once(self, expanded: Sequence[Hit], hits: Sequence[Hit]) -> list[Hit]:
        joined_texts: list[tuple[str, list[Any]]] = []
        kept = []
        for hit, before in zip(expanded, hits, strict=True):
            if hit is not before:
                passage = self.passage_of(hit)
                span = ("start_char", "end_char")
                text = (passage.text, [passage.metadata.get(name) for name in (*_SAME, *span)])
                if text in joined_texts:
                    continue
                joined_texts.append(text)
            kept.append(hit)
        return kept

    def _expanded(self, hit: Hit, conditions: Sequence[MetadataCondition]) -> Hit:
        passage = self.passage_of(hit)
        index = passage.metadata.get("chunk_index")
        if hit.object_id is None or not isinstance(index, int):
            return hit
        project = passage.metadata.get("project_id") or self.project_id
        record, part = passage.metadata.get("record_id"), passage.metadata.get("part")
        place = ChunkPlace(hit.object_id, index, project, record, part)
        found = self.source.neighbors(place, self.distance)
        passages = (Passage(each.text, each.metadata or {}) for each in found)
        neighbors = [
            each for each in passages if all(meets(each.metadata, one) for one in conditions)
        ]
        whole = joined(passage, neighbors, self.distance)
        return hit if whole is passage else replace(hit, passage=self.with_passage(hit, whole))


def joined(passage: Passage, neighbors: Sequence[Passage], distance: int) -> Passage:
    """Returns a passage with its neighbors' texts before and after its own.

    The metadata stay those of the passage, so that a citation names where it begins, except for
    ``start_char``, ``end_char`` and ``token_count``, which are those of the joined text, and
    ``table_header``, which is the first neighbor's.

    Args:
        passage: The passage.
        neighbors: Passages of the same text; others are left out.
        distance: The largest difference of their ``chunk_index``.
    """
    at_index = _by_index(passage, neighbors, distance)
    index = passage.metadata["chunk_index"]
    first = last = passage
    text = passage.text
    tokens = [passage.metadata.get("token_count")]
    for step in range(1, distance + 1):
        before = at_index.get(index - step)
        if before is None:
            break
        text = before.text + _rest(before, first, text)
        first = before
        tokens.append(before.metadata.get("token_count"))
    for step in range(1, distance + 1):
        after = at_index.get(index + step)
        if after is None:
            break
        text += _rest(last, after, after.text)
        last = after
        tokens.append(after.metadata.get("token_count"))
    if first is passage and last is passage:
        return passage
    return Passage(text, _joined_metadata(passage, first, last, tokens))


def _by_index(passage: Passage, neighbors: Sequence[Passage], distance: int) -> dict[int, Passage]:
    own = [passage.metadata.get(name) for name in _SAME]
    index = passage.metadata["chunk_index"]
    return {
        number: each
        for each in neighbors
        if [each.metadata.get(name) for name in _SAME] == own
        and isinstance(number := each.metadata.get("chunk_index"), int)
        and 0 < abs(number - index) <= distance
    }


def _rest(before: Passage, after: Passage, text: str) -> str:
    """Returns a text that begins with ``after``, without the part that ends ``before``."""
    end, start = before.metadata.get("end_char"), after.metadata.get("start_char")
    if not isinstance(end, int) or not isinstance(start, int):
        return _BREAK + text
    shared = end - start
    if shared > 0 and before.text.endswith(text[:shared]):
        return text[shared:]
    return text if shared == 0 else _BREAK + text


def _joined_metadata(
    passage: Passage, first: Passage, last: Passage, tokens: Sequence[Any]
) -> dict[str, Any]:
    metadata = dict(passage.metadata)
    for name, source in (("start_char", first), ("table_header", first), ("end_char", last)):
        metadata.pop(name, None)
        if name in source.metadata:
            metadata[name] = source.metadata[name]
    if all(isinstance(count, int) for count in tokens):
        metadata["token_count"] = sum(tokens)
    return metadata
