"""Who may read what: subjects, access checks, and the retrieval plan."""

from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.explanation import explain
from managed_sync.permissions.object_filter import CustomObjectFilter, ObjectFilter
from managed_sync.permissions.questions import Decision
from managed_sync.permissions.report import Doubt, RetrievalReport
from managed_sync.permissions.subject import acting_as

__all__ = [
    "AccessChecker",
    "CustomObjectFilter",
    "Decision",
    "Doubt",
    "ObjectFilter",
    "RetrievalReport",
    "acting_as",
    "explain",
]
