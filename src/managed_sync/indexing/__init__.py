"""An index that stays in step with the source."""

from managed_sync.documents.loading.results import RecordLoader
from managed_sync.indexing.ledger.ledger import Ledger, PipelineLedger
from managed_sync.indexing.ledger.model import Pipeline
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
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
from managed_sync.indexing.webhooks.receiver import WebhookReceiver
from managed_sync.indexing.webhooks.verifiers import SharedSecret, SignedBody

__all__ = [
    "EmbeddingTarget",
    "IndexProgress",
    "IndexReport",
    "IndexSync",
    "IndexTarget",
    "InspectableTarget",
    "Ledger",
    "MetadataTarget",
    "Pipeline",
    "PipelineLedger",
    "PlannedChange",
    "ReadableTarget",
    "RecordFailure",
    "RecordLoader",
    "RelabelingTarget",
    "Retries",
    "SharedSecret",
    "SignedBody",
    "SkippedRecord",
    "StoredChunk",
    "VerificationReport",
    "WebhookApp",
    "WebhookReceiver",
    "webhook_router",
]
