"""The adapter of LangChain's ``MongoDBAtlasVectorSearch``.

Metadata are fields beside the text and the vector. Searches are approximate. Their index needs the
field ``object_id`` (and those of the caller's filters) of the type ``filter``; otherwise MongoDB
refuses a filtered search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import Add
from managed_sync.langchain.stores.operators import OperatorFilters
from managed_sync.stores.conditions import each_equal

__all__ = ["MongoDBAdapter"]

_KEY = "_id"
# The most candidates that MongoDB takes.
_MOST_CANDIDATES = 10_000
_OVERSAMPLING = 10


class MongoDBAdapter(OperatorFilters):
    """A collection with an index for vector search."""

    classes = frozenset({("langchain_mongodb", "MongoDBAtlasVectorSearch")})
    filter_argument = "pre_filter"
    can_update_metadata = True
    replaces_by_id = True
    # The public search by a vector returns no scores.
    vector_search = "_similarity_search_with_score"

    @property
    def is_dense(self) -> bool:
        """Returns whether the store embeds, and not the database."""
        return not self._store._is_autoembedding  # noqa: SLF001 - private in langchain-mongodb 0.12

    def ready(self, arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
        """Returns the arguments of a search that looks at as many candidates as it may."""
        wanted = arguments.get("oversampling_factor", _OVERSAMPLING)
        fitting = max(1, _MOST_CANDIDATES // max(1, limit))
        return {**arguments, "oversampling_factor": min(wanted, fitting)}

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, in place of those that have the same ids.

        The store confirms only new ones, and raises an error unless all of them are written.
        """
        ids = [str(document.id) for document in documents]
        self._store.add_documents(list(documents), ids=ids)

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        """Returns the number of chunks, of all objects or of these."""
        among = {} if object_ids is None else {self._object_field.name: {"$in": object_ids}}
        return int(self._collection.count_documents(among))

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        chunks = []
        for found in self._collection.find({_KEY: {"$in": list(ids)}}):
            key, text = str(found.pop(_KEY)), str(found.pop(self._text_key, ""))
            vector = found.pop(self._vector_key, None)
            chunks.append(StoredChunk(key, text, found, vector and list(map(float, vector))))
        return chunks

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids that are in the collection."""
        return set(self._ids({_KEY: {"$in": list(ids)}}))

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        return self._ids(self._equal_to(metadata))

    def count(self, metadata: Mapping[str, str]) -> int:
        """Returns the number of chunks with this metadata."""
        return int(self._collection.count_documents(self._equal_to(metadata)))

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        from pymongo import UpdateOne  # noqa: PLC0415 - comes with the store

        kept = {name: f"${name}" for name in (_KEY, self._text_key, self._vector_key)}
        changes = [
            UpdateOne(
                {_KEY: str(document.id)},
                [{"$replaceWith": {"$mergeObjects": [{"$literal": document.metadata}, kept]}}],
            )
            for document in documents
        ]
        self._collection.bulk_write(changes)

    @property
    def _collection(self) -> Any:
        return self._store.collection

    @property
    def _text_key(self) -> str:
        return str(self._store._text_key)  # noqa: SLF001 - private in langchain-mongodb 0.12

    @property
    def _vector_key(self) -> str:
        return str(self._store._embedding_key)  # noqa: SLF001 - private in langchain-mongodb 0.12

    def _ids(self, query: Mapping[str, Any]) -> Iterator[str]:
        return (str(found[_KEY]) for found in self._collection.find(query, {_KEY: 1}))

    def _equal_to(self, condition: MetadataCondition) -> dict[str, Any]:
        if odd := [name for name in condition if "." in name or "\0" in name]:
            raise ConfigurationError(f"MongoDB cannot filter by the metadata {odd[0]!r}.")
        return each_equal(condition)
