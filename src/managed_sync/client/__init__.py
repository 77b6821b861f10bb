"""HTTP clients of the Managed Sync API."""

from managed_sync.client.asynchronous import AsyncManagedSyncClient
from managed_sync.client.synchronous import ManagedSyncClient

__all__ = ["AsyncManagedSyncClient", "ManagedSyncClient"]
