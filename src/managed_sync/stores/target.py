"""The shared part of both frameworks' targets: everything that needs no conversion of chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import ClassVar, Generic, TypeVar

from managed_sync.documents import Chunk
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.indexing.targets.embedded_text import EmbeddedText
from managed_sync.indexing.targets.renamed import warn_of_first_name
from managed_sync.stores.base import StoreAdapter

__all__ = ["StoreTarget"]

Adapter = TypeVar("Adapter", bound=StoreAdapter)


class StoreTarget(ABC, Generic[Adapter]):
    """A vector store as the target of an index.

    Guarantees:

    - Nothing in the store is removed or replaced before the new texts are embedded and their
      vectors fit the store.
    - A chunk that is written again, for example after a call whose response was lost, is in the
      store once.

    Args:
        adapter: The store.
        embeds: The metadata that goes into the vector of a chunk with its text.

    Attributes:
        first_embedded_parts: The ``embedded_parts`` of indexes from before there was a choice.
    """

    first_embedded_parts: ClassVar[str]

    def __init__(self, adapter: Adapter, embeds: Sequence[str]) -> None:
        self._adapter = adapter
        self._embedded_text = EmbeddedText(embeds)

    @property
    def embedded_parts(self) -> str:
        """Returns the parts of a chunk that go into its vector, for the settings of an index."""
        return self._embedded_text.description

    def embedded_text(self, chunk: Chunk) -> str:
        """Returns the text that goes into the vector."""
        return self._embedded_text(chunk)

    @property
    def can_update_metadata(self) -> bool:
        """Returns whether metadata can be changed without embedding."""
        return self._adapter.can_update_metadata

    def existing_ids(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        """Returns those chunks that the store holds; ``None`` if it cannot say."""
        return self._adapter.existing_ids(chunk_ids)

    @property
    def can_relabel(self) -> bool:
        """Returns ``can_update_metadata``. Deprecated; kept for subclasses that use this name."""
        return self.can_update_metadata

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        """Calls ``update_metadata``. Deprecated; kept for subclasses that use this name."""
        warn_of_first_name(self, "relabel", "update_metadata")
        self.update_metadata(chunks)

    def held(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        """Calls ``existing_ids``. Deprecated; kept for subclasses that use this name."""
        warn_of_first_name(self, "held", "existing_ids")
        return self.existing_ids(chunk_ids)

    @abstractmethod
    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are there."""

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """Returns all chunks that have this metadata; ``None`` if the store cannot say."""
        return self._adapter.chunk_ids(metadata)

    def read(
        self, chunk_ids: Sequence[str], *, vectors: bool = False
    ) -> Sequence[StoredChunk] | None:
        """Returns the stored chunks with these ids; ``None`` if the store cannot say."""
        return self._adapter.read(chunk_ids, vectors=vectors)

    def count(self, metadata: Mapping[str, str]) -> int | None:
        """Counts the chunks that have this metadata; ``None`` if the store cannot say."""
        return self._adapter.count(metadata)
