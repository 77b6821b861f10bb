"""Adapters of the vector stores that people use with LangChain, a module a store."""

from managed_sync.langchain.stores.registry import adapter_of, chunk_count, object_filter_for

__all__ = ["adapter_of", "chunk_count", "object_filter_for"]
