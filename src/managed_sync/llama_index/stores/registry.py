"""The registry of LlamaIndex's known vector stores.

See ``docs/decisions/0048-stores-tested-for-real.md``.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.indices.base import BaseIndex
from llama_index.core.indices.vector_store.base import VectorStoreIndex

from managed_sync.llama_index.stores.base import LlamaIndexAdapter
from managed_sync.llama_index.stores.chroma import ChromaAdapter
from managed_sync.llama_index.stores.milvus import MilvusAdapter
from managed_sync.llama_index.stores.pgvector import PGVectorAdapter
from managed_sync.llama_index.stores.qdrant import QdrantAdapter
from managed_sync.llama_index.stores.services.elasticsearch import ElasticsearchAdapter
from managed_sync.llama_index.stores.services.opensearch import OpenSearchAdapter
from managed_sync.llama_index.stores.simple import SimpleAdapter
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.stores.base import matching_adapter

__all__ = ["adapter_of", "chunk_count", "object_filter_for"]

_ADAPTERS: list[type[LlamaIndexAdapter]] = [
    ChromaAdapter,
    ElasticsearchAdapter,
    MilvusAdapter,
    OpenSearchAdapter,
    PGVectorAdapter,
    QdrantAdapter,
    SimpleAdapter,
]
_SEARCH_WORDS = ("query",)


def adapter_of(store: object, index: BaseIndex[Any] | None = None) -> LlamaIndexAdapter:
    """Returns the adapter of a store; an unknown store has the base class itself.

    Args:
        store: The vector store.
        index: The index over the store, which adds and deletes nodes. Only searches of a plain
            ``VectorStoreIndex`` are known to be those of its store.
    """
    adapter, is_original = matching_adapter(store, _ADAPTERS, _SEARCH_WORDS)
    is_plain = index is None or type(index) is VectorStoreIndex
    return (adapter or LlamaIndexAdapter)(store, index, is_original=is_original and is_plain)


def object_filter_for(index: BaseIndex[Any]) -> ObjectFilter | None:
    """Returns the filter on object ids of an index, or ``None`` if its store is unknown.

    Its ``search_kwargs`` are arguments of ``index.as_retriever``.
    """
    adapter = adapter_of(getattr(index, "vector_store", None))
    return adapter if adapter.can_confine else None


def chunk_count(index: BaseIndex[Any]) -> int | None:
    """Returns the number of chunks in an index's store.

    It is ``None`` if the store is unknown or cannot count cheaply.
    """
    return adapter_of(getattr(index, "vector_store", None)).chunk_count()
