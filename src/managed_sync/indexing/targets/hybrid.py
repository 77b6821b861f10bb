"""A vector store and a keyword index that are written as one target.

Guarantees:

- The store comes first in every call. So the keyword index holds no chunk that the store never
  held, and a call succeeds only if both took it.

They are read one by one; see ``KeywordHalf`` and ``docs/decisions/0041-keywords-index.md``.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, cast

from managed_sync.documents import Chunk
from managed_sync.documents.vectors import Vector
from managed_sync.indexing.targets.base import EmbeddingTarget, IndexTarget, MetadataTarget
from managed_sync.indexing.targets.renamed import metadata_target

if TYPE_CHECKING:
    from managed_sync.keywords import KeywordIndex

__all__ = ["with_keywords"]


def with_keywords(target: IndexTarget, keywords: KeywordIndex | None) -> IndexTarget:
    """Returns a target that writes into both; the target itself without a keyword index."""
    if keywords is None:
        return target
    updating = metadata_target(target)
    if updating is None:
        return _HybridTarget(target, keywords)
    return _UpdatingHybridTarget(target, keywords, updating)


class _HybridTarget:
    """A target whose chunks are also in a keyword index."""

    def __init__(self, target: IndexTarget, keywords: KeywordIndex) -> None:
        self._target = target
        self._keywords = keywords

    @property
    def can_embed(self) -> bool:
        return isinstance(self._target, EmbeddingTarget) and self._target.can_embed

    def embed(self, chunks: Sequence[Chunk], *, cached: bool = True) -> list[Vector]:
        # Callers ask can_embed first.
        return cast("EmbeddingTarget", self._target).embed(chunks, cached=cached)

    def write(self, chunks: Sequence[Chunk], vectors: Sequence[Vector], present: Set[str]) -> None:
        cast("EmbeddingTarget", self._target).write(chunks, vectors, present)
        self._keywords.upsert(chunks, present=present)

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        self._target.upsert(chunks, present=present)
        self._keywords.upsert(chunks, present=present)

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self._target.delete(chunk_ids)
        self._keywords.delete(chunk_ids)


class _UpdatingHybridTarget(_HybridTarget):
    """One whose store can change metadata without embedding."""

    def __init__(
        self, target: IndexTarget, keywords: KeywordIndex, updating: MetadataTarget
    ) -> None:
        super().__init__(target, keywords)
        self._updating = updating

    @property
    def can_update_metadata(self) -> bool:
        return self._updating.can_update_metadata

    def embedded_text(self, chunk: Chunk) -> str:
        return self._updating.embedded_text(chunk)

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        self._updating.update_metadata(chunks)
        # Whole chunks, so that one is there afterwards whose text was missing.
        self._keywords.update_metadata(chunks)
