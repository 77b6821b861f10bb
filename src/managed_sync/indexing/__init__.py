"""An index that stays in step with the source."""

from managed_sync.indexing.entries import Pipeline
from managed_sync.indexing.ledger import Ledger
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
    PlannedChange,
    RecordFailure,
    SkippedRecord,
)
from managed_sync.indexing.sync import IndexSync
from managed_sync.indexing.targets import IndexTarget, InspectableTarget, RelabelingTarget
from managed_sync.indexing.verification import VerificationReport
from managed_sync.indexing.webhook_app import WebhookApp, webhook_router
from managed_sync.indexing.webhook_secrets import SharedSecret, SignedBody
from managed_sync.indexing.webhooks import WebhookReceiver

__all__ = [
    "IndexProgress",
    "IndexReport",
    "IndexSync",
    "IndexTarget",
    "InspectableTarget",
    "Ledger",
    "Pipeline",
    "PlannedChange",
    "RecordFailure",
    "RelabelingTarget",
    "SharedSecret",
    "SignedBody",
    "SkippedRecord",
    "VerificationReport",
    "WebhookApp",
    "WebhookReceiver",
    "webhook_router",
]
