"""The adapter of LangChain's ``PineconeVectorStore``.

Pinecone searches approximately, shows writes after a while, and lists no ids by metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.vectors import Vector
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.operators import OperatorFilters

__all__ = ["PineconeAdapter"]

# Ids are part of the address of a request.
_IDS_AT_ONCE = 100


class PineconeAdapter(OperatorFilters):
    """A namespace of an index."""

    classes = frozenset({("langchain_pinecone", "PineconeVectorStore")})
    # The most values that Pinecone's $in takes.
    max_objects = 10_000
    is_dense = True
    can_update_metadata = True
    replaces_by_id = True
    vector_search = "similarity_search_by_vector_with_score"

    def prepared(self, documents: Sequence[Document], vector: Vector) -> list[Document]:
        """Returns copies of documents, since the store adds the texts to the metadata."""
        return [one.model_copy(update={"metadata": dict(one.metadata)}) for one in documents]

    def dimensions(self) -> int | None:
        """Returns the length of the vectors."""
        found = self._store.index.describe_index_stats().dimension
        return int(found) if found else None

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        chunks = []
        for key, metadata, values in self._fetched(ids):
            text = str(metadata.pop(self._text_key, ""))
            chunks.append(StoredChunk(key, text, metadata, values))
        return chunks

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks; an update of Pinecone's would only add to it."""
        changed = {str(document.id): document.metadata for document in documents}
        vectors = [
            (key, values, {**changed[key], self._text_key: metadata[self._text_key]})
            for key, metadata, values in self._fetched(list(changed))
        ]
        for start in range(0, len(vectors), _IDS_AT_ONCE):
            self._store.index.upsert(
                vectors=vectors[start : start + _IDS_AT_ONCE], namespace=self._namespace
            )

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Returns the ids that are there; Pinecone fails in a namespace that has none."""
        return sorted(self.existing_ids(ids) or ())

    @property
    def _text_key(self) -> str:
        return str(self._store._text_key)  # noqa: SLF001 - private in langchain-pinecone 0.2

    @property
    def _namespace(self) -> str:
        return self._store._namespace or ""  # noqa: SLF001 - private in langchain-pinecone 0.2

    def _fetched(self, ids: Sequence[str]) -> Iterator[tuple[str, dict[str, Any], Vector]]:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            found = self._store.index.fetch(
                ids=list(ids[start : start + _IDS_AT_ONCE]), namespace=self._namespace
            )
            for key, each in found.vectors.items():
                yield key, _as_written(each.metadata or {}), list(map(float, each.values))


def _as_written(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metadata whose whole numbers are integers, since Pinecone makes them fractions."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in metadata.items()
    }
