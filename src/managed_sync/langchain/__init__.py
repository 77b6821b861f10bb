"""Managed Sync for LangChain: load, split, index, and retrieve with permissions."""

from importlib.util import find_spec

from managed_sync.errors import MissingExtraError

if find_spec("langchain_core") is None:
    raise MissingExtraError("managed_sync.langchain", "langchain")

from managed_sync.langchain.document_filter import PermissionFilter
from managed_sync.langchain.embeddings import BundledEmbeddings, load_embeddings
from managed_sync.langchain.loader import ManagedSyncLoader
from managed_sync.langchain.retriever import PermissionAwareRetriever
from managed_sync.langchain.splitter import ManagedSyncSplitter
from managed_sync.langchain.target import LangChainTarget

__all__ = [
    "BundledEmbeddings",
    "LangChainTarget",
    "ManagedSyncLoader",
    "ManagedSyncSplitter",
    "PermissionAwareRetriever",
    "PermissionFilter",
    "load_embeddings",
]
