"""An index that stays in step with the source."""

from managed_sync.indexing.entries import Pipeline
from managed_sync.indexing.ledger import Ledger
from managed_sync.indexing.patience import Retries
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
    PlannedChange,
    RecordFailure,
    SkippedRecord,
)
from managed_sync.indexing.sync import IndexSync
from managed_sync.indexing.targets import (
    EmbeddingTarget,
    IndexTarget,
    InspectableTarget,
    ReadableTarget,
    RelabelingTarget,
    StoredChunk,
)
from managed_sync.indexing.verification import VerificationReport
from managed_sync.indexing.webhook_app import WebhookApp, webhook_router
from managed_sync.indexing.webhook_secrets import SharedSecret, SignedBody
from managed_sync.indexing.webhooks import WebhookReceiver

__all__ = [
    "EmbeddingTarget",
    "IndexProgress",
    "IndexReport",
    "IndexSync",
    "IndexTarget",
    "InspectableTarget",
    "Ledger",
    "Pipeline",
    "PlannedChange",
    "ReadableTarget",
    "RecordFailure",
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
