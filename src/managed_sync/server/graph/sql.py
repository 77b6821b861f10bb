"""The permission graph in the server's own database, SQLite or PostgreSQL.

It keeps the promises of every engine (see ``engine``), and its own.

Guarantees:

- Every SQL query is bound to one scope.
- Cycles end at any depth: a recursive query visits no name twice.
- All results of one call come from one state of the graph, within one transaction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from managed_sync.models import RelationshipNode
from managed_sync.server.domain import RelationChanges, RelationTuple, Scope, type_of
from managed_sync.server.graph.engine import Publication
from managed_sync.server.graph.expansion import expand
from managed_sync.server.graph.grant_index import GrantIndex, closures
from managed_sync.server.graph.schema import (
    GraphQuery,
    display_name,
    effective_subjects,
    implying_relations,
    is_answerable,
    types_with,
)
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.scopes import find_scope

__all__ = ["SqlEngine", "SqlGraph"]

# Many names are sent as one JSON parameter, so that their number hits no limit of SQL.
_VALUES = {
    "sqlite": "json_each(:{name})",
    "postgresql": "jsonb_array_elements_text(CAST(:{name} AS jsonb)) AS given(value)",
}

# CROSS JOIN fixes the order in SQLite: always from the few known rows into the index. PostgreSQL
# finds that order from its statistics.
_MEMBERSHIPS = """
WITH RECURSIVE climbed(name) AS (
    SELECT value FROM {subjects}
    UNION
    SELECT edge.object FROM climbed CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.subject = climbed.name AND edge.relation = 'member'
)
SELECT edge.object, edge.relation, edge.subject FROM climbed CROSS JOIN relations AS edge
WHERE edge.scope_id = :scope AND edge.subject = climbed.name AND edge.relation = 'member'
"""

_ANCESTORS = """
WITH RECURSIVE ancestors(object) AS (
    SELECT value FROM {objects}
    UNION
    SELECT edge.subject FROM ancestors CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.object = ancestors.object AND edge.relation = 'parent'
)
"""

# Reads the rows of each object, which lie together. The concatenation keeps SQLite from looking up
# every group of the subject instead: for a user in many groups, that is the product of both.
_GRANTS = f"""
{_ANCESTORS}
SELECT held.object, held.relation, held.subject FROM ancestors CROSS JOIN relations AS held
WHERE held.scope_id = :scope AND held.object = ancestors.object
    AND (held.relation = 'parent'
        OR held.subject || '' IN (SELECT value FROM {{holders}}))
"""  # noqa: S608 - put together from constants

_CONTAINERS = f"""
{_ANCESTORS}
SELECT edge.object, edge.relation, edge.subject FROM ancestors CROSS JOIN relations AS edge
WHERE edge.scope_id = :scope AND edge.object = ancestors.object AND edge.relation = 'parent'
"""  # noqa: S608 - put together from constants

_HOLDERS = """
SELECT object, relation, subject FROM relations
WHERE scope_id = :scope AND object IN (SELECT value FROM {objects})
    AND relation IN (SELECT value FROM {relations})
"""

_LIST_USERS = f"""
{_ANCESTORS},
granted(subject) AS (
    SELECT held.subject FROM ancestors CROSS JOIN relations AS held
    WHERE held.scope_id = :scope AND held.object = ancestors.object
        AND held.relation IN (SELECT value FROM {{relations}})
    UNION
    SELECT edge.subject FROM granted CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.object = granted.subject AND edge.relation = 'member'
)
SELECT subject FROM granted WHERE subject LIKE 'user:%'
"""  # noqa: S608 - put together from constants

_LIST_OBJECTS = """
WITH RECURSIVE reached(object) AS (
    SELECT held.object FROM {holders} CROSS JOIN relations AS held
    WHERE held.scope_id = :scope AND held.subject = value
        AND held.relation IN (SELECT value FROM {relations})
    UNION
    SELECT edge.object FROM reached CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.subject = reached.object AND edge.relation = 'parent'
)
SELECT object FROM reached
"""


class SqlEngine:
    """Evaluates the graphs in the server's own database; a sync's transaction updates them.

    Args:
        database: The server's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def graph(self, scope: Scope) -> Iterator[SqlGraph]:
        """Opens the graph of a scope, in one transaction."""
        with self._database.reading() as connection:
            yield SqlGraph(connection, find_scope(connection, scope))

    @contextmanager
    def publishing(self, _scope: Scope) -> Iterator[Publication]:
        """Does nothing: the transaction itself writes the graph."""
        yield _AlreadyPublished()

    def require_ready(self) -> None:
        """Does nothing: the readiness of the database is checked elsewhere."""

    def close(self) -> None:
        """Does nothing: the engine does not own the database."""


class _AlreadyPublished:
    def stage(self, changes: Callable[[], RelationChanges]) -> None:
        pass


class SqlGraph:
    """The permission graph of one connected user, as it is in one transaction.

    Args:
        connection: A connection inside a transaction.
        scope_id: The number of the scope; ``None``, for a scope without a graph, allows nothing.
    """

    def __init__(self, connection: Connection, scope_id: int | None) -> None:
        self._connection = connection
        self._scope_id = scope_id

    def check(self, queries: Sequence[GraphQuery | None]) -> list[bool]:
        """Evaluates many queries, in their order; a malformed one (``None``) is not allowed.

        Takes two SQL queries for any number of checks: the groups of all subjects, and their
        grants on all objects and containers of these.
        """
        unique = {query for query in queries if query and is_answerable(query)}
        if not unique:
            return [False] * len(queries)
        holders = self._holders({query.subject for query in unique})
        grants = GrantIndex(
            self._edges(
                _GRANTS,
                objects={query.object for query in unique},
                holders=set[str]().union(*holders.values()),
            )
        )
        objects = defaultdict(list)
        for query in unique:
            objects[query.subject, query.relation].append(query.object)
        allowed = {
            GraphQuery(subject, relation, object_id)
            for (subject, relation), object_ids in objects.items()
            for object_id in grants.allowed(
                object_ids, implying_relations(relation), holders[subject]
            )
        }
        return [query in allowed for query in queries]

    def list_users(self, relation: str, object_id: str) -> list[str]:
        """Returns the sorted addresses of all users with the relation; ``*`` is everybody."""
        names = self._execute(
            _LIST_USERS, objects=[object_id], relations=implying_relations(relation)
        )
        return sorted(display_name(name) for (name,) in names)

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """Returns all objects to which a subject has the relation, sorted."""
        kinds = {
            kind
            for kind in types_with(relation)
            if object_type in {None, kind} and is_answerable(GraphQuery(subject, relation, kind))
        }
        (holders,) = self._holders({subject}).values()
        names = self._execute(
            _LIST_OBJECTS, holders=holders, relations=implying_relations(relation)
        )
        return sorted(name for (name,) in names if type_of(name) in kinds and name != subject)

    def expand(self, query: GraphQuery) -> RelationshipNode:
        """Explains the result of a query; the root's ``granted`` is that result."""
        return expand(self, query)

    def memberships(self, subject: str) -> Iterable[RelationTuple]:
        """Returns the ``member`` tuples on all paths up from a subject."""
        return self._edges(_MEMBERSHIPS, subjects=[subject])

    def containers(self, query: GraphQuery) -> Iterable[RelationTuple]:
        """Returns the ``parent`` tuples on all paths up from the query's object."""
        return self._edges(_CONTAINERS, objects=[query.object])

    def holders(
        self, objects: Collection[str], relations: Collection[str]
    ) -> Iterable[RelationTuple]:
        """Returns the tuples of some objects and relations."""
        return self._edges(_HOLDERS, objects=objects, relations=relations)

    def _holders(self, subjects: Collection[str]) -> Mapping[str, set[str]]:
        """Returns, for each subject, the names whose grants it has: itself, groups, everybody."""
        containers = defaultdict(list)
        for group, _, member in self._edges(_MEMBERSHIPS, subjects=subjects):
            containers[member].append(group)
        holders = closures(subjects, containers)
        for subject, names in holders.items():
            names.update(effective_subjects(subject))
        return holders

    def _edges(self, statement: str, **names: Collection[str]) -> Iterator[RelationTuple]:
        rows = self._execute(statement, **names)
        return map(RelationTuple._make, rows)

    def _execute(self, statement: str, **names: Collection[str]) -> Sequence[Row[Any]]:
        parameters = {name: json.dumps(list(values)) for name, values in names.items()}
        return self._connection.execute(
            _compiled(statement, self._connection.dialect.name),
            {"scope": self._scope_id, **parameters},
        ).all()


@cache
def _compiled(statement: str, dialect: str) -> TextClause:
    names = ("subjects", "objects", "holders", "relations")
    values = {name: _VALUES[dialect].format(name=name) for name in names}
    return text(statement.format(**values))
