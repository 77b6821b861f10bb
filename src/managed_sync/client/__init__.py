"""HTTP clients of the Managed Sync API."""

from managed_sync.client.http import ManagedSyncClient

__all__ = ["ManagedSyncClient"]
