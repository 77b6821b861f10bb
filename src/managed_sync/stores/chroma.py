"""What both frameworks' targets ask of a collection of Chroma beyond what the frameworks offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from managed_sync.indexing.targets.base import StoredChunk

__all__ = ["ChromaCollection"]


class ChromaCollection:
    """A collection.

    Args:
        collection: Of ``chromadb``.
    """

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of some chunks that are there."""
        return set(self._collection.get(ids=list(ids), include=[])["ids"])

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """What is there under some ids."""
        parts = ["documents", "metadatas", *(["embeddings"] if vectors else [])]
        found = self._collection.get(ids=list(ids), include=parts)
        kept = [list(map(float, one)) for one in found["embeddings"]] if vectors else None
        return [
            StoredChunk(key, text or "", metadata or {}, kept[place] if kept else None)
            for place, (key, text, metadata) in enumerate(
                zip(found["ids"], found["documents"], found["metadatas"], strict=True)
            )
        ]

    def dimensions(self) -> int | None:
        """How long the vectors are, if that was known when the collection was opened.

        Vectors of another length are refused by Chroma anyway, before it changes anything.
        """
        return getattr(getattr(self._collection, "_model", None), "dimension", None)

    def set_metadata(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces the metadata of chunks, by their ids."""
        self._collection.update(ids=list(metadata), metadatas=self._with_removals(metadata))

    def replace(self, chunks: Mapping[str, tuple[str, Sequence[float], Mapping[str, Any]]]) -> None:
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
        """The metadata of chunks, with what removes all else that they have."""
        found = self._collection.get(ids=list(metadata), include=["metadatas"])
        before = dict(zip(found["ids"], found["metadatas"], strict=True))
        # Chroma keeps keys that it is not told of, and removes those that are None.
        return [
            {**dict.fromkeys(before.get(key) or ()), **values} for key, values in metadata.items()
        ]

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """The chunks that have this metadata."""
        where = {"$and": [{key: value} for key, value in metadata.items()]}
        yield from self._collection.get(where=where, include=[])["ids"]
