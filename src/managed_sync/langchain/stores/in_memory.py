"""The adapter of LangChain's ``InMemoryVectorStore``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition, meets
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import LangChainAdapter

__all__ = ["InMemoryAdapter"]


class InMemoryAdapter(LangChainAdapter):
    """A dictionary of rows; every search compares the question with all of them."""

    classes = frozenset({("langchain_core", "InMemoryVectorStore")})
    max_objects = None
    harmless = frozenset({"filter"})
    can_update_metadata = True
    replaces_by_id = True
    is_dense = True
    exact = True

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        """Returns the number of chunks, of all objects or of these."""
        if object_ids is None:
            return len(self._store.store)
        wanted = frozenset(object_ids)
        return sum(
            self._named_object(row["metadata"]) in wanted for row in self._store.store.values()
        )

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, once there is one."""
        return next((len(row["vector"]) for row in self._store.store.values()), None)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        rows = self._store.store
        return [
            StoredChunk(key, rows[key]["text"], rows[key]["metadata"], rows[key]["vector"])
            for key in ids
            if key in rows
        ]

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        return (
            key
            for key, row in self._store.store.items()
            if metadata.items() <= row["metadata"].items()
        )

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        for document in documents:
            self._store.store[document.id]["metadata"] = document.metadata

    def _takes_name(self, name: str) -> bool:
        return True

    def _equal_to(self, condition: MetadataCondition) -> Callable[[Document], bool]:
        return lambda document: meets(document.metadata, condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name != "filter":
            return None
        return lambda document: further(document) and own(document)

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        wanted = frozenset(object_ids)

        def is_wanted(document: Document) -> bool:
            return self._named_object(document.metadata) in wanted

        return {"filter": is_wanted}
