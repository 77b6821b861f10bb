"""Managed Sync for LlamaIndex: read, parse, index, and retrieve with permissions."""

from importlib.util import find_spec

from managed_sync.errors import MissingExtraError

if find_spec("llama_index") is None:
    raise MissingExtraError("managed_sync.llama_index", "llama-index")

from managed_sync.llama_index.embedding import BundledEmbedding
from managed_sync.llama_index.node_parser import ManagedSyncNodeParser
from managed_sync.llama_index.postprocessor import PermissionPostprocessor
from managed_sync.llama_index.reader import ManagedSyncReader
from managed_sync.llama_index.retriever import PermissionAwareRetriever
from managed_sync.llama_index.target import LlamaIndexTarget
from managed_sync.llama_index.tool import SearchTool

__all__ = [
    "BundledEmbedding",
    "LlamaIndexTarget",
    "ManagedSyncNodeParser",
    "ManagedSyncReader",
    "PermissionAwareRetriever",
    "PermissionPostprocessor",
    "SearchTool",
]
