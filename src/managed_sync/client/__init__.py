"""HTTP clients of the Managed Sync API."""

from managed_sync.client.async_client import AsyncManagedSyncClient
from managed_sync.client.sync_client import ManagedSyncClient

__all__ = ["AsyncManagedSyncClient", "ManagedSyncClient"]
