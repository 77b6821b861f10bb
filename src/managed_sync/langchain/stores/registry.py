"""The registry of LangChain's known vector stores.

See ``docs/decisions/0048-stores-tested-for-real.md``.
"""

from __future__ import annotations

from langchain_core.vectorstores import VectorStore

from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.langchain.stores.chroma import ChromaAdapter
from managed_sync.langchain.stores.faiss import FaissAdapter
from managed_sync.langchain.stores.in_memory import InMemoryAdapter
from managed_sync.langchain.stores.lancedb import LanceAdapter
from managed_sync.langchain.stores.milvus import MilvusAdapter
from managed_sync.langchain.stores.pgvector import PGVectorAdapter
from managed_sync.langchain.stores.pgvector_store import PGVectorStoreAdapter
from managed_sync.langchain.stores.qdrant import QdrantAdapter
from managed_sync.langchain.stores.services.azure_search import AzureSearchAdapter
from managed_sync.langchain.stores.services.elasticsearch import ElasticsearchAdapter
from managed_sync.langchain.stores.services.mongodb import MongoDBAdapter
from managed_sync.langchain.stores.services.opensearch import OpenSearchAdapter
from managed_sync.langchain.stores.services.pinecone import PineconeAdapter
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.stores.base import matching_adapter

__all__ = ["adapter_of", "chunk_count", "object_filter_for"]

_ADAPTERS: list[type[LangChainAdapter]] = [
    AzureSearchAdapter,
    ChromaAdapter,
    ElasticsearchAdapter,
    FaissAdapter,
    InMemoryAdapter,
    LanceAdapter,
    MilvusAdapter,
    MongoDBAdapter,
    OpenSearchAdapter,
    PGVectorAdapter,
    PGVectorStoreAdapter,
    PineconeAdapter,
    QdrantAdapter,
]
_SEARCH_WORDS = ("search", "query")


def adapter_of(vectorstore: VectorStore) -> LangChainAdapter:
    """Returns the adapter of a store; an unknown store has the base class itself."""
    adapter, is_original = matching_adapter(vectorstore, _ADAPTERS, _SEARCH_WORDS)
    return (adapter or LangChainAdapter)(vectorstore, is_original=is_original)


def object_filter_for(vectorstore: VectorStore) -> ObjectFilter | None:
    """Returns the filter on object ids of a store, or ``None`` if the store is unknown."""
    adapter = adapter_of(vectorstore)
    return adapter if adapter.can_confine else None


def chunk_count(vectorstore: VectorStore) -> int | None:
    """Returns the number of chunks in a store.

    It is ``None`` if the store is unknown or would have to read all chunks.
    """
    return adapter_of(vectorstore).chunk_count()
