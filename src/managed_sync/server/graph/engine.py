"""The interface of a permission graph, for every engine that evaluates it.

Guarantees:

- A query that the schema does not know, or the engine cannot decide, is not allowed.
- A graph evaluates one scope; no graph can be reached from another one.
- The changes of a sync become visible as a whole or not at all, from the next query on.

See ``docs/decisions/0009-server-permission-graph.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from managed_sync.models import RelationshipNode
from managed_sync.server.domain import RelationChanges, Scope
from managed_sync.server.graph.schema import GraphQuery

__all__ = [
    "PermissionEngine",
    "PermissionEngineError",
    "PermissionGraph",
    "Publication",
]


class PermissionEngineError(Exception):
    """The engine cannot answer, so nothing is allowed; the message has the cause and the remedy."""


class PermissionGraph(Protocol):
    """The permission graph of one connected user, in one state.

    A check that the engine cannot decide is not allowed. The other methods raise
    ``PermissionEngineError`` then, since an incomplete list would look complete.
    """

    def check(self, queries: Sequence[GraphQuery | None]) -> list[bool]:
        """Evaluates many queries, in their order; a malformed one (``None``) is not allowed."""

    def list_users(self, relation: str, object_id: str) -> list[str]:
        """Returns the sorted addresses of all users with the relation; ``*`` is everybody."""

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """Returns all objects to which a subject has the relation, sorted."""

    def expand(self, query: GraphQuery) -> RelationshipNode:
        """Explains the result of a query; the root's ``granted`` is that result."""


class Publication(Protocol):
    """Passes the changes of one transaction to the engine."""

    def stage(self, changes: Callable[[], RelationChanges]) -> None:
        """Stages the changes; call it in the publishing transaction, before it publishes.

        Args:
            changes: Computes the changes, for an engine outside of the database.
        """


class PermissionEngine(Protocol):
    """Evaluates the permission graphs of all scopes."""

    def graph(self, scope: Scope) -> AbstractContextManager[PermissionGraph]:
        """Opens the graph of a scope, in one state.

        Raises:
            PermissionEngineError: The engine cannot be reached.
        """

    def publishing(self, scope: Scope) -> AbstractContextManager[Publication]:
        """Encloses a transaction that changes tuples, and makes the changes visible at its end.

        Raises:
            PermissionEngineError: The engine did not accept the changes. Until it does, the
                scope's graph answers no query.
        """

    def require_ready(self) -> None:
        """Raises an error if the engine cannot be reached.

        Raises:
            PermissionEngineError: The engine does not answer.
        """

    def close(self) -> None:
        """Closes all connections."""
