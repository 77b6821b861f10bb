"""Permission-aware retrieval over a Managed Sync API, for LangChain and LlamaIndex.

The names below are what most users import, and the types in the signatures of these. The parts for
the two frameworks are in ``managed_sync.langchain`` and ``managed_sync.llama_index``. Every name is
loaded when it is first used, so that ``import managed_sync`` costs next to nothing. See
``docs/decisions/0002-light-import.md`` and ``docs/decisions/0035-rooms.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from managed_sync.lazy_names import load_name

if TYPE_CHECKING:
    from managed_sync.access import (
        AccessChecker,
        ActingAs,
        AsyncBatchCheckClient,
        BatchCheckClient,
        Decision,
        ExpandClient,
        ListedObjects,
        ObjectIdField,
        ObjectIdSource,
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
    from managed_sync.client.settings import (
        ApiName,
    )
    from managed_sync.errors import (
        ManagedSyncError,
    )
    from managed_sync.indexing import (
        IndexReport,
        IndexSync,
    )
    from managed_sync.keywords import (
        KeywordHit,
        KeywordIndex,
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
        CollectedReports,
        CustomObjectFilter,
        Doubt,
        Fusion,
        KeywordPassage,
        KeywordSource,
        ObjectFilter,
        RetrievalReport,
        Strategy,
        collect_reports,
    )
    from managed_sync.retrieval.reranking import BundledReranker

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
    "BundledReranker",
    "ClientOptions",
    "Clock",
    "CollectedReports",
    "ContentStream",
    "CustomObjectFilter",
    "Decision",
    "Doubt",
    "ExpandClient",
    "FileContent",
    "Fusion",
    "IndexReport",
    "IndexSync",
    "KeywordHit",
    "KeywordIndex",
    "KeywordPassage",
    "KeywordSource",
    "ListedObjects",
    "MalformedRecord",
    "ManagedSyncClient",
    "ManagedSyncError",
    "ObjectFilter",
    "ObjectIdField",
    "ObjectIdSource",
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
    "collect_reports",
    "explain",
]

_MODULES = {
    "AccessCheck": "models",
    "AccessChecker": "access",
    "ActingAs": "access",
    "ApiName": "client.settings",
    "AsyncBatchCheckClient": "access",
    "AsyncClientOptions": "client",
    "AsyncContentStream": "client",
    "AsyncManagedSyncClient": "client",
    "AsyncTokenCallable": "client",
    "BatchCheckClient": "access",
    "BundledReranker": "retrieval.reranking",
    "ClientOptions": "client",
    "Clock": "client",
    "CollectedReports": "retrieval",
    "ContentStream": "client",
    "CustomObjectFilter": "retrieval",
    "Decision": "access",
    "Doubt": "retrieval",
    "ExpandClient": "access",
    "FileContent": "models",
    "Fusion": "retrieval",
    "IndexReport": "indexing",
    "IndexSync": "indexing",
    "KeywordHit": "keywords",
    "KeywordIndex": "keywords",
    "KeywordPassage": "retrieval",
    "KeywordSource": "retrieval",
    "ListedObjects": "access",
    "MalformedRecord": "models",
    "ManagedSyncClient": "client",
    "ManagedSyncError": "errors",
    "ObjectFilter": "retrieval",
    "ObjectIdField": "access",
    "ObjectIdSource": "access",
    "ProjectBoundary": "access",
    "RecordPage": "models",
    "RelationshipNode": "models",
    "RetrievalReport": "retrieval",
    "Strategy": "retrieval",
    "SyncState": "models",
    "SyncStatus": "models",
    "SyncedRecord": "models",
    "TokenCallable": "client",
    "Unset": "access",
    "acting_as": "access",
    "collect_reports": "retrieval",
    "explain": "access",
}


def __getattr__(name: str) -> Any:
    return load_name(__name__, _MODULES, name)


def __dir__() -> list[str]:
    return sorted(__all__)
