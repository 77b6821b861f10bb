"""Finds the neighbors of a passage in a vector store, by its metadata."""

from __future__ import annotations

from collections.abc import Callable

from managed_sync.documents.stored_chunk import ChunkPlace, StoredChunk
from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.hybrid.keyword_search import KeywordNeighbors
from managed_sync.retrieval.refinement.neighbors import NeighborSource
from managed_sync.stores.base import StoreAdapter
from managed_sync.stores.failures import searched

__all__ = ["StoreNeighbors", "neighbor_source"]


def neighbor_source(
    keywords: object, store: StoreNeighbors | None, searched: str
) -> NeighborSource:
    """Returns the index that finds neighbors: the keyword index, or else the store.

    Args:
        keywords: The keyword index, if there is one.
        store: The store, if passages come from one.
        searched: The name of the store or retriever, for the error.

    Raises:
        ConfigurationError: Neither can find them.
    """
    if isinstance(keywords, NeighborSource):
        return KeywordNeighbors(keywords)
    if store is not None and store.is_available:
        return store
    raise ConfigurationError(
        f"expand is not available for {searched}: passages cannot be read back by their object. "
        f"Pass keywords=KeywordIndex(...), or leave expand out."
    )


class StoreNeighbors:
    """A vector store whose chunks can be read back by the object that they came from.

    Args:
        adapter: The store's adapter.
        as_indexed: Returns a stored chunk without what a framework added to its text.
    """

    def __init__(
        self,
        adapter: StoreAdapter,
        as_indexed: Callable[[StoredChunk], StoredChunk] = lambda chunk: chunk,
    ) -> None:
        self._adapter = adapter
        self._as_indexed = as_indexed

    @property
    def is_available(self) -> bool:
        """Returns whether the store can be read like this."""
        can_read = type(self._adapter).chunk_ids is not StoreAdapter.chunk_ids
        return self._adapter.is_original and self._adapter.can_confine and can_read

    def neighbors(self, place: ChunkPlace, distance: int) -> list[StoredChunk]:
        """Returns the passages of a text whose ``chunk_index`` is at most this far away.

        Raises:
            StoreSearchError: They cannot be read.
        """
        return searched(self._adapter.store_name, lambda: self._found(place, distance))

    def _found(self, place: ChunkPlace, distance: int) -> list[StoredChunk]:
        named = {"record_id": place.record_id, "part": place.part}
        where = {name: value for name, value in named.items() if value is not None}
        ids = self._adapter.chunk_ids_of(place.object_id, where)
        found = None if ids is None else self._adapter.read(list(ids))
        return [
            self._as_indexed(chunk)
            for chunk in found or ()
            if self._adapter.object_ids.of(metadata := chunk.metadata or {}) == place.object_id
            and metadata.get("project_id") in (None, "", place.project_id)
            and isinstance(index := metadata.get("chunk_index"), int)
            and 0 < abs(index - place.chunk_index) <= distance
        ]
