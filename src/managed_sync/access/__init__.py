"""Who may read what: subjects, access checks, and explanations of both."""

from managed_sync.access.check_requests import Decision, ListedObjects
from managed_sync.access.checker import (
    AccessChecker,
    AsyncBatchCheckClient,
    BatchCheckClient,
    ProjectBoundary,
)
from managed_sync.access.explain import ExpandClient, explain
from managed_sync.access.object_ids import ObjectIdField, ObjectIdSource
from managed_sync.access.subject import ActingAs, Unset, acting_as

__all__ = [
    "AccessChecker",
    "ActingAs",
    "AsyncBatchCheckClient",
    "BatchCheckClient",
    "Decision",
    "ExpandClient",
    "ListedObjects",
    "ObjectIdField",
    "ObjectIdSource",
    "ProjectBoundary",
    "Unset",
    "acting_as",
    "explain",
]
