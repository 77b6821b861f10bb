"""Permission-aware retrieval over a Managed Sync API, for LangChain and LlamaIndex.

The names below are what most users import, and the types in the signatures of these. The parts for
the two frameworks are in ``managed_sync.langchain`` and ``managed_sync.llama_index``. Every name is
loaded when it is first used, so that ``import managed_sync`` costs next to nothing. See
``docs/decisions/0002-light-import.md``.

See ``docs/decisions/0035-rooms.md``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from managed_sync.access import (
        AccessChecker,
        ActingAs,
        AsyncBatchCheckClient,
        BatchCheckClient,
        Decision,
        ExpandClient,
        ListedObjects,
        ProjectBoundary,
        Unset,
        acting_as,
        explain,
    )
    from managed_sync.client import (
        AsyncClientOptions,
        AsyncContentStream,
        AsyncManagedSyncClient,
        AsyncTokenCallable,
        ClientOptions,
        Clock,
        ContentStream,
        ManagedSyncClient,
        TokenCallable,
    )
    from managed_sync.errors import (
        ManagedSyncError,
    )
    from managed_sync.indexing import (
        IndexReport,
        IndexSync,
    )
    from managed_sync.models import (
        AccessCheck,
        FileContent,
        MalformedRecord,
        RecordPage,
        RelationshipNode,
        SyncedRecord,
        SyncState,
        SyncStatus,
    )
    from managed_sync.retrieval import (
        CustomObjectFilter,
        Doubt,
        ObjectFilter,
        RetrievalReport,
        Strategy,
    )
    from managed_sync.settings import (
        ApiName,
    )

__version__ = "0.1.0"

__all__ = [
    "AccessCheck",
    "AccessChecker",
    "ActingAs",
    "ApiName",
    "AsyncBatchCheckClient",
    "AsyncClientOptions",
    "AsyncContentStream",
    "AsyncManagedSyncClient",
    "AsyncTokenCallable",
    "BatchCheckClient",
    "ClientOptions",
    "Clock",
    "ContentStream",
    "CustomObjectFilter",
    "Decision",
    "Doubt",
    "ExpandClient",
    "FileContent",
    "IndexReport",
    "IndexSync",
    "ListedObjects",
    "MalformedRecord",
    "ManagedSyncClient",
    "ManagedSyncError",
    "ObjectFilter",
    "ProjectBoundary",
    "RecordPage",
    "RelationshipNode",
    "RetrievalReport",
    "Strategy",
    "SyncState",
    "SyncStatus",
    "SyncedRecord",
    "TokenCallable",
    "Unset",
    "__version__",
    "acting_as",
    "explain",
]

_MODULES = {
    "access": [
        "AccessChecker",
        "ActingAs",
        "AsyncBatchCheckClient",
        "BatchCheckClient",
        "Decision",
        "ExpandClient",
        "ListedObjects",
        "ProjectBoundary",
        "Unset",
        "acting_as",
        "explain",
    ],
    "client": [
        "AsyncClientOptions",
        "AsyncContentStream",
        "AsyncManagedSyncClient",
        "AsyncTokenCallable",
        "ClientOptions",
        "Clock",
        "ContentStream",
        "ManagedSyncClient",
        "TokenCallable",
    ],
    "errors": [
        "ManagedSyncError",
    ],
    "indexing": [
        "IndexReport",
        "IndexSync",
    ],
    "models": [
        "AccessCheck",
        "FileContent",
        "MalformedRecord",
        "RecordPage",
        "RelationshipNode",
        "SyncState",
        "SyncStatus",
        "SyncedRecord",
    ],
    "retrieval": [
        "CustomObjectFilter",
        "Doubt",
        "ObjectFilter",
        "RetrievalReport",
        "Strategy",
    ],
    "settings": [
        "ApiName",
    ],
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
