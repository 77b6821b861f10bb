"""Permission graphs in SpiceDB, kept in step with the server's database.

The database remains the source of truth: it stores every tuple next to the records. SpiceDB gets
the changes of each sync after the transaction that made them.

Guarantees:

- Queries of a scope are evaluated only while SpiceDB is known to have the same tuples as the
  database. After a start, and after changes that did not arrive, the two are compared first.
- Changes that need several calls become visible as a whole: until the last call has succeeded,
  queries see the state before the first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, RLock

from authzed.api.v1 import (
    Consistency,
    ReadRelationshipsRequest,
    RelationshipFilter,
    RelationshipUpdate,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from sqlalchemy import select

from managed_sync.server.domain import RelationChanges, RelationTuple, Scope
from managed_sync.server.graph.engine import PermissionEngineError, Publication
from managed_sync.server.graph.schema import SCHEMA
from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.graph import SpiceDBGraph
from managed_sync.server.graph.spicedb.schema import ScopedNames, schema_text
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.scopes import find_scope
from managed_sync.server.storage.tables import relations

__all__ = ["SpiceDBEngine"]

# The most updates that SpiceDB accepts in one call, unless it is configured otherwise.
_MAX_UPDATES = 1_000

# A readiness probe does not wait long.
_READY_SECONDS = 2.0
# Seconds for which a query, or a change, waits for another change of the same scope.
_READ_SECONDS = 5.0
_PUBLISH_SECONDS = 60.0

_LATEST = Consistency(fully_consistent=True)


class SpiceDBEngine:
    """Evaluates the graphs in a SpiceDB that only this server uses.

    Only one server may write to it: a second one would not see this server's changes.

    Args:
        database: The server's database.
        client: Calls SpiceDB.
    """

    def __init__(self, database: Database, client: SpiceDBClient) -> None:
        self._database = database
        self._client = client
        self._has_schema = False
        self._in_step: set[Scope] = set()
        self._writing: dict[Scope, RLock] = {}
        # The state to read while changes arrive, and the number of readers of the latest state.
        self._turns = Condition()
        self._before: dict[Scope, Consistency] = {}
        self._readers = Counter[Scope]()

    @contextmanager
    def graph(self, scope: Scope) -> Iterator[SpiceDBGraph]:
        """Opens the graph of a scope.

        Raises:
            PermissionEngineError: SpiceDB differs from the database, and could not be brought up to
                date in time.
        """
        while (consistency := self._begin_reading(scope)) is None:
            with self._locked(scope, _READ_SECONDS):
                self._bring_into_step(scope)
        try:
            yield SpiceDBGraph(self._client, ScopedNames(scope), consistency)
        finally:
            if consistency is _LATEST:
                with self._turns:
                    self._readers[scope] -= 1
                    self._turns.notify_all()

    @contextmanager
    def publishing(self, scope: Scope) -> Iterator[Publication]:
        """Sends the changes of the enclosed transaction to SpiceDB after it.

        Raises:
            PermissionEngineError: The changes did not arrive. The scope's graph answers no query
                until it is brought up to date, which each query and each sync tries.
        """
        with self._locked(scope, _PUBLISH_SECONDS):
            publication = _Publication()
            try:
                yield publication
                if publication.staged and scope in self._in_step:
                    self._apply(scope, publication.staged)
            except BaseException:
                # It may also be unknown whether the transaction was committed.
                if publication.staged:
                    self._in_step.discard(scope)
                raise
            self._bring_into_step(scope)

    def require_ready(self) -> None:
        """Raises an error if SpiceDB does not answer.

        Raises:
            PermissionEngineError: SpiceDB does not answer.
        """
        self._client.read_schema(seconds=_READY_SECONDS)

    def close(self) -> None:
        """Closes the connections to SpiceDB."""
        self._client.close()

    @contextmanager
    def _locked(self, scope: Scope, seconds: float) -> Iterator[None]:
        """Excludes other publications of a scope; waits this long for one that is running."""
        lock = self._writing.setdefault(scope, RLock())
        if not lock.acquire(timeout=seconds):
            raise PermissionEngineError(
                "SpiceDB is still being brought up to date, so nothing is allowed. Try again."
            )
        try:
            yield
        finally:
            lock.release()

    def _begin_reading(self, scope: Scope) -> Consistency | None:
        with self._turns:
            if scope not in self._in_step:
                return None
            consistency = self._before.get(scope, _LATEST)
            self._readers[scope] += consistency is _LATEST
            return consistency

    def _bring_into_step(self, scope: Scope) -> None:
        if scope in self._in_step:
            return
        self._ensure_schema()
        here, there = self._tuples_here(scope), self._tuples_there(scope)
        self._apply(scope, RelationChanges(sorted(there - here), sorted(here - there)))
        self._in_step.add(scope)

    def _apply(self, scope: Scope, changes: RelationChanges) -> None:
        names = ScopedNames(scope)
        if unfit := [name for edge in changes.added for name in edge if not names.fits(name)]:
            raise PermissionEngineError(
                f"The name {unfit[0][:40]!r}... is too long for SpiceDB; shorten it."
            )
        # Deletions go first, so that nothing is allowed that neither state allows.
        updates = [
            RelationshipUpdate(operation=operation, relationship=names.relationship(edge))
            for operation, edges in (
                (RelationshipUpdate.OPERATION_DELETE, changes.removed),
                (RelationshipUpdate.OPERATION_TOUCH, changes.added),
            )
            for edge in edges
        ]
        if len(updates) <= _MAX_UPDATES:
            self._write(updates)
            return
        with self._showing_what_was_before(scope):
            for first in range(0, len(updates), _MAX_UPDATES):
                self._write(updates[first : first + _MAX_UPDATES])

    def _write(self, updates: list[RelationshipUpdate]) -> None:
        if updates:
            self._client.write_relationships(WriteRelationshipsRequest(updates=updates))

    @contextmanager
    def _showing_what_was_before(self, scope: Scope) -> Iterator[None]:
        state = self._client.read_schema()
        if state is None:
            raise PermissionEngineError("SpiceDB has lost its schema. Restart the server.")
        with self._turns:
            self._before[scope] = Consistency(at_exact_snapshot=state.read_at)
            # Readers of the latest state must not see half of the changes.
            idle = self._turns.wait_for(lambda: not self._readers[scope], _PUBLISH_SECONDS)
        try:
            if not idle:
                raise PermissionEngineError("Queries to SpiceDB do not end. Try again.")
            yield
        except BaseException:
            # In this order, so that no query reads half of the changes.
            self._in_step.discard(scope)
            raise
        finally:
            with self._turns:
                del self._before[scope]

    def _ensure_schema(self) -> None:
        if self._has_schema:
            return
        there = self._client.read_schema()
        text = there.schema_text if there else ""
        if foreign := set(re.findall(r"^definition (\S+)", text, re.MULTILINE)) - SCHEMA.keys():
            raise PermissionEngineError(
                f"Another program uses this SpiceDB, too: it has {', '.join(sorted(foreign))}. "
                "Give the server a SpiceDB of its own."
            )
        self._client.write_schema(WriteSchemaRequest(schema=schema_text()))
        self._has_schema = True

    def _tuples_here(self, scope: Scope) -> set[RelationTuple]:
        with self._database.reading() as connection:
            rows = connection.execute(
                select(relations.c.object, relations.c.relation, relations.c.subject).where(
                    relations.c.scope_id == find_scope(connection, scope)
                )
            )
            return {RelationTuple(*row) for row in rows}

    def _tuples_there(self, scope: Scope) -> set[RelationTuple]:
        names = ScopedNames(scope)
        return {
            names.edge(found.relationship)
            for kind, kind_relations in SCHEMA.items()
            if kind_relations
            for found in self._client.read_relationships(
                ReadRelationshipsRequest(
                    consistency=_LATEST,
                    relationship_filter=RelationshipFilter(
                        resource_type=kind, optional_resource_id_prefix=names.prefix
                    ),
                )
            )
        }


class _Publication:
    def __init__(self) -> None:
        self.staged: RelationChanges | None = None

    def stage(self, changes: Callable[[], RelationChanges]) -> None:
        self.staged = changes()
