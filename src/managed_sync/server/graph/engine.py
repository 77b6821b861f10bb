"""What the server asks of a permission graph, whichever engine evaluates it.

Guarantees, of every engine:
    - What the schema does not know, and what the engine cannot decide, is not allowed.
    - A graph answers for one scope; nobody's graph is reached from another's.
    - A sync's changes show as a whole or not at all, and to the very next question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from managed_sync.models import RelationshipNode
from managed_sync.server.domain import RelationChanges, Scope
from managed_sync.server.graph.schema import Question

__all__ = [
    "PermissionEngine",
    "PermissionEngineError",
    "PermissionGraph",
    "Publication",
]


class PermissionEngineError(Exception):
    """The engine cannot answer, so nothing is allowed; the message says why and what to do."""


class PermissionGraph(Protocol):
    """The permission graph of one connected user, in one state.

    A check that the engine cannot decide is answered with no; the other questions raise
    ``PermissionEngineError`` then, for an answer with parts missing would look whole.
    """

    def check(self, questions: Sequence[Question | None]) -> list[bool]:
        """Answers many questions, in their order; ``None``, a malformed one, is not allowed."""

    def list_users(self, relation: str, object_id: str) -> list[str]:
        """The addresses of all users who have the relation, in order; ``*`` is everybody."""

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """All objects to which a subject has the relation, in order."""

    def expand(self, question: Question) -> RelationshipNode:
        """Explains one answer; the root's ``granted`` is that answer."""


class Publication(Protocol):
    """The way of one transaction's changes to the engine."""

    def take(self, changes: Callable[[], RelationChanges]) -> None:
        """Notes the changes; to be called in the publishing transaction, before it publishes.

        Args:
            changes: Finds out what they are, for an engine that has to be told.
        """


class PermissionEngine(Protocol):
    """Evaluates the permission graphs of all scopes."""

    def graph(self, scope: Scope) -> AbstractContextManager[PermissionGraph]:
        """The graph of a scope, in one state.

        Raises:
            PermissionEngineError: The engine cannot be reached.
        """

    def publishing(self, scope: Scope) -> AbstractContextManager[Publication]:
        """Encloses a transaction that changes tuples; at its end the changes are visible.

        Raises:
            PermissionEngineError: The changes did not arrive. Until they do, the scope's graph
                refuses to answer.
        """

    def require_ready(self) -> None:
        """Makes sure that the engine can be asked.

        Raises:
            PermissionEngineError: It does not answer.
        """

    def close(self) -> None:
        """Ends all connections."""
