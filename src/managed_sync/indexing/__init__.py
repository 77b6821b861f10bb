"""An index that stays in step with the source."""

from managed_sync.documents.loading.results import RecordLoader
from managed_sync.documents.vectors import Vector
from managed_sync.indexing.feed.versions import Version
from managed_sync.indexing.ledger.ledger import Ledger, PipelineLedger
from managed_sync.indexing.ledger.model import (
    ChunkHashes,
    LedgerRecord,
    Pipeline,
    RecordResult,
    RecordState,
    RecordStatus,
    UnreadableRecord,
)
from managed_sync.indexing.ledger.queries import ChunkCounts
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
    Phase,
    PlannedChange,
    RecordFailure,
    SkippedRecord,
    VerificationReport,
)
from managed_sync.indexing.sync import IndexSync
from managed_sync.indexing.targets.base import (
    EmbeddingTarget,
    IndexTarget,
    InspectableTarget,
    MetadataTarget,
    ReadableTarget,
    StoredChunk,
)
from managed_sync.indexing.targets.calls import Retries
from managed_sync.indexing.targets.renamed import RelabelingTarget
from managed_sync.indexing.webhooks.asgi import WebhookApp, webhook_router
from managed_sync.indexing.webhooks.events import WebhookResponse
from managed_sync.indexing.webhooks.receiver import SingleRecordSync, WebhookReceiver
from managed_sync.indexing.webhooks.verifiers import SharedSecret, SignedBody, Verifier

__all__ = [
    "ChunkCounts",
    "ChunkHashes",
    "EmbeddingTarget",
    "IndexProgress",
    "IndexReport",
    "IndexSync",
    "IndexTarget",
    "InspectableTarget",
    "Ledger",
    "LedgerRecord",
    "MetadataTarget",
    "Phase",
    "Pipeline",
    "PipelineLedger",
    "PlannedChange",
    "ReadableTarget",
    "RecordFailure",
    "RecordLoader",
    "RecordResult",
    "RecordState",
    "RecordStatus",
    "RelabelingTarget",
    "Retries",
    "SharedSecret",
    "SignedBody",
    "SingleRecordSync",
    "SkippedRecord",
    "StoredChunk",
    "UnreadableRecord",
    "Vector",
    "VerificationReport",
    "Verifier",
    "Version",
    "WebhookApp",
    "WebhookReceiver",
    "WebhookResponse",
    "webhook_router",
]
