"""HTTP clients of the Managed Sync API."""

from managed_sync.client.async_client import AsyncManagedSyncClient
from managed_sync.client.clock import Clock
from managed_sync.client.credentials import AsyncTokenCallable, TokenCallable
from managed_sync.client.options import AsyncClientOptions, ClientOptions
from managed_sync.client.sync_client import ManagedSyncClient
from managed_sync.client.wire.content import AsyncContentStream, ContentStream

__all__ = [
    "AsyncClientOptions",
    "AsyncContentStream",
    "AsyncManagedSyncClient",
    "AsyncTokenCallable",
    "ClientOptions",
    "Clock",
    "ContentStream",
    "ManagedSyncClient",
    "TokenCallable",
]
