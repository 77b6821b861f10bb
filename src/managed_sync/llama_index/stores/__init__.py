"""Adapters of the vector stores that people use with LlamaIndex, a module a store."""

from managed_sync.llama_index.stores.base import metadata_filters
from managed_sync.llama_index.stores.registry import adapter_of, chunk_count, object_filter_for

__all__ = ["adapter_of", "chunk_count", "metadata_filters", "object_filter_for"]
