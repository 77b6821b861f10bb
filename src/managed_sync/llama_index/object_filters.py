"""Object filters for the vector stores that people use with LlamaIndex.

LlamaIndex's own ``MetadataFilters`` are understood by most stores, each in its way. A store is
recognised by the name of its class and of the package that defines it, or one that it inherits
from, so that no package is imported which is not in use already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.indices.base import BaseIndex
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters

from managed_sync.permissions.object_filter import ObjectFilter, ids_for_one_search

__all__ = ["chunk_count", "metadata_filters", "object_filter_for"]


def metadata_filters(object_ids: Sequence[str]) -> MetadataFilters:
    """Confines a search to the chunks of these objects; no ids means none, never all of them.

    Examples:
        ```python
        index.as_retriever(similarity_top_k=6, filters=metadata_filters(["file:1", "file:2"]))
        ```
    """
    wanted = ids_for_one_search(object_ids, max_objects=None)
    return MetadataFilters(
        filters=[MetadataFilter(key="object_id", operator=FilterOperator.IN, value=wanted)]
    )


def object_filter_for(index: BaseIndex[Any]) -> ObjectFilter | None:
    """The object filter of an index; ``None`` if its store is not known.

    Its ``search_kwargs`` are for ``index.as_retriever``, beside ``similarity_top_k``.
    """
    store = getattr(index, "vector_store", None)
    kind = _kind_of(store)
    return _MetadataFilter(store, kind) if kind else None


def chunk_count(index: BaseIndex[Any]) -> int | None:
    """How many chunks an index's store holds; ``None`` if it does not say cheaply."""
    store: Any = getattr(index, "vector_store", None)
    match _kind_of(store):
        case "simple":
            return len(store.data.embedding_dict)
        case "qdrant":
            # The synchronous client is missing where only an asynchronous one was given.
            client = getattr(store, "_client", None)
            return int(client.count(store.collection_name).count) if client else None
        case "chroma":
            return int(store._collection.count())
        case _:
            return None


@dataclass(frozen=True)
class _MetadataFilter:
    store: Any
    kind: str
    max_objects: int | None = 10_000

    @property
    def exact(self) -> bool:
        return self.kind != "chroma"

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        wanted = ids_for_one_search(object_ids, self.max_objects)
        kwargs: dict[str, Any] = {"filters": metadata_filters(wanted)}
        if self.kind == "qdrant" and not _is_local(self.store):
            # A narrow filter leaves gaps in a server's graph; exhaustive search has none.
            kwargs["vector_store_kwargs"] = {"search_params": {"exact": True}}
        return kwargs


_KINDS = {
    ("llama_index.core.vector_stores.simple", "SimpleVectorStore"): "simple",
    ("llama_index.vector_stores.qdrant.base", "QdrantVectorStore"): "qdrant",
    ("llama_index.vector_stores.chroma.base", "ChromaVectorStore"): "chroma",
}


def _kind_of(store: object) -> str | None:
    for kind in type(store).__mro__:
        if known := _KINDS.get((kind.__module__, kind.__name__)):
            return known
    return None


def _is_local(store: Any) -> bool:
    """Whether Qdrant runs in this process, where every search is exhaustive."""
    client = getattr(store, "_client", None) or getattr(store, "_aclient", None)
    return "Local" in type(getattr(client, "_client", None)).__name__
