"""Who may read what: subjects, access checks, and the retrieval plan."""

from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.report import RetrievalReport
from managed_sync.permissions.subject import acting_as

__all__ = ["AccessChecker", "RetrievalReport", "acting_as"]
