"""An index that stays in step with the source."""

from managed_sync.indexing.ledger.ledger import Ledger
from managed_sync.indexing.ledger.model import Pipeline
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
    PlannedChange,
    RecordFailure,
    SkippedRecord,
)
from managed_sync.indexing.sync import IndexSync
from managed_sync.indexing.targets.base import (
    EmbeddingTarget,
    IndexTarget,
    InspectableTarget,
    ReadableTarget,
    RelabelingTarget,
    StoredChunk,
)
from managed_sync.indexing.targets.patience import Retries
from managed_sync.indexing.verify import VerificationReport
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
