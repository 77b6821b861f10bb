"""An index that stays in step with the source."""

from managed_sync.indexing.feed.versions import Version
from managed_sync.indexing.ledger.ledger import Ledger, PipelineLedger
from managed_sync.indexing.ledger.model import Entry, Outcome, Pipeline, SetAside, Standing, State
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
    Phase,
    PlannedChange,
    RecordFailure,
    SkippedRecord,
)
from managed_sync.indexing.run import RecordLoader
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
from managed_sync.indexing.targets.vectors import Vector
from managed_sync.indexing.verify import VerificationReport
from managed_sync.indexing.webhooks.asgi import WebhookApp, webhook_router
from managed_sync.indexing.webhooks.receiver import Answer, SingleRecordSync, WebhookReceiver
from managed_sync.indexing.webhooks.verifiers import SharedSecret, SignedBody, Verifier

__all__ = [
    "Answer",
    "EmbeddingTarget",
    "Entry",
    "IndexProgress",
    "IndexReport",
    "IndexSync",
    "IndexTarget",
    "InspectableTarget",
    "Ledger",
    "Outcome",
    "Phase",
    "Pipeline",
    "PipelineLedger",
    "PlannedChange",
    "ReadableTarget",
    "RecordFailure",
    "RecordLoader",
    "RelabelingTarget",
    "Retries",
    "SetAside",
    "SharedSecret",
    "SignedBody",
    "SingleRecordSync",
    "SkippedRecord",
    "Standing",
    "State",
    "StoredChunk",
    "Vector",
    "VerificationReport",
    "Verifier",
    "Version",
    "WebhookApp",
    "WebhookReceiver",
    "webhook_router",
]
