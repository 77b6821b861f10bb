"""Who may read what: subjects, access checks, and explanations of both."""

from managed_sync.access.check_requests import Decision
from managed_sync.access.checker import AccessChecker
from managed_sync.access.explain import explain
from managed_sync.access.subject import acting_as

__all__ = ["AccessChecker", "Decision", "acting_as", "explain"]
