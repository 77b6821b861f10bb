"""An index that stays in step with the source."""

from managed_sync.indexing.ledger import Ledger
from managed_sync.indexing.sync import IndexReport, IndexSync
from managed_sync.indexing.targets import IndexTarget

__all__ = ["IndexReport", "IndexSync", "IndexTarget", "Ledger"]
