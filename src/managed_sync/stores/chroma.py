"""A collection of Chroma, for the adapters of both frameworks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.stores.base import StoreAdapter

__all__ = ["ChromaCollection"]


class ChromaCollection(StoreAdapter):
    """A collection, which both frameworks' stores keep under the same name.

    Chroma searches approximately.
    """

    can_update_metadata = True
    replaces_by_id = True

    @property
    def _collection(self) -> Any:
        # Private in llama-index-vector-stores-chroma 0.5 to 0.6, too.
        return self._store._collection  # noqa: SLF001 - private in langchain-chroma 1.0 to 1.1

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        """Returns the number of chunks, of all objects or of these."""
        if object_ids is None:
            return int(self._collection.count())
        where = {self._object_field.name: {"$in": object_ids}}
        found = self._collection.get(where=where, include=[])
        return len(found["ids"])

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, if it was known when the collection was opened.

        Chroma itself refuses vectors of another length, before it changes anything.
        """
        # Private in chromadb 1.5.
        return getattr(getattr(self._collection, "_model", None), "dimension", None)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        parts = ["documents", "metadatas", *(["embeddings"] if vectors else [])]
        found = self._collection.get(ids=list(ids), include=parts)
        kept = [list(map(float, one)) for one in found["embeddings"]] if vectors else None
        return [
            StoredChunk(key, text or "", metadata or {}, kept[row] if kept else None)
            for row, (key, text, metadata) in enumerate(
                zip(found["ids"], found["documents"], found["metadatas"], strict=True)
            )
        ]

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids that are in the collection."""
        return set(self._collection.get(ids=list(ids), include=[])["ids"])

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        where = {"$and": [{key: value} for key, value in metadata.items()]}
        yield from self._collection.get(where=where, include=[])["ids"]

    def _set_metadata(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces the metadata of chunks, by their ids."""
        self._collection.update(ids=list(metadata), metadatas=self._with_removals(metadata))

    def _replace(
        self, chunks: Mapping[str, tuple[str, Sequence[float], Mapping[str, Any]]]
    ) -> None:
        """Replaces chunks, by their ids, with a text, a vector and metadata."""
        if not chunks:
            return
        texts, vectors, metadata = zip(*chunks.values(), strict=True)
        self._collection.update(
            ids=list(chunks),
            documents=list(texts),
            embeddings=list(vectors),
            metadatas=self._with_removals(dict(zip(chunks, metadata, strict=True))),
        )

    def _with_removals(self, metadata: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Returns the metadata of chunks, with ``None`` for every other key that they have."""
        found = self._collection.get(ids=list(metadata), include=["metadatas"])
        before = dict(zip(found["ids"], found["metadatas"], strict=True))
        # Chroma keeps the keys that an update does not name, and removes those that are None.
        return [
            {**dict.fromkeys(before.get(key) or ()), **values} for key, values in metadata.items()
        ]
