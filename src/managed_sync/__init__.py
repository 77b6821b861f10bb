"""Permission-aware retrieval over a Managed Sync API, for LangChain and LlamaIndex.

The names below are what most users import; ``managed_sync.langchain`` and
``managed_sync.llama_index`` hold the parts for either framework. They are loaded when they are
first used, so that ``import managed_sync`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from managed_sync.access import AccessChecker, Decision, acting_as, explain
    from managed_sync.client import AsyncManagedSyncClient, ManagedSyncClient
    from managed_sync.errors import ManagedSyncError
    from managed_sync.indexing import IndexReport, IndexSync
    from managed_sync.models import (
        AccessCheck,
        FileContent,
        RecordPage,
        RelationshipNode,
        SyncedRecord,
        SyncState,
        SyncStatus,
    )
    from managed_sync.retrieval import CustomObjectFilter, RetrievalReport

__version__ = "0.1.0"

__all__ = [
    "AccessCheck",
    "AccessChecker",
    "AsyncManagedSyncClient",
    "CustomObjectFilter",
    "Decision",
    "FileContent",
    "IndexReport",
    "IndexSync",
    "ManagedSyncClient",
    "ManagedSyncError",
    "RecordPage",
    "RelationshipNode",
    "RetrievalReport",
    "SyncState",
    "SyncStatus",
    "SyncedRecord",
    "__version__",
    "acting_as",
    "explain",
]

_MODULES = {
    "access": ["AccessChecker", "Decision", "acting_as", "explain"],
    "client": ["AsyncManagedSyncClient", "ManagedSyncClient"],
    "errors": ["ManagedSyncError"],
    "indexing": ["IndexReport", "IndexSync"],
    "models": [
        "AccessCheck",
        "FileContent",
        "RecordPage",
        "RelationshipNode",
        "SyncState",
        "SyncStatus",
        "SyncedRecord",
    ],
    "retrieval": ["CustomObjectFilter", "RetrievalReport"],
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
