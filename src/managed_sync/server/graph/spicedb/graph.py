"""One scope's permission graph as SpiceDB evaluates it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from authzed.api.v1 import (
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckPermissionResponse,
    Consistency,
    ExpandPermissionTreeRequest,
    LookupResourcesRequest,
    LookupSubjectsRequest,
    PermissionRelationshipTree,
    ReadRelationshipsRequest,
    RelationshipFilter,
    SubjectFilter,
)
from authzed.api.v1.permission_service_pb2 import LookupPermissionship

from managed_sync.logs import get_logger
from managed_sync.models import RelationshipNode
from managed_sync.server.domain import ROLES, RelationTuple, type_of
from managed_sync.server.graph.engine import PermissionEngineError
from managed_sync.server.graph.expansion import expand
from managed_sync.server.graph.schema import (
    MEMBER,
    PARENT,
    GraphQuery,
    display_name,
    effective_subjects,
    is_answerable,
    types_with,
)
from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.schema import PERMISSIONS, ScopedNames

__all__ = ["SpiceDBGraph"]

_logger = get_logger("managed_sync.server")

# Enough calls to isolate one undecided query among a thousand by halving.
_MAX_CALLS = 24

_ALLOWED = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
_FOUND = LookupPermissionship.LOOKUP_PERMISSIONSHIP_HAS_PERMISSION


class SpiceDBGraph:
    """The permission graph of one connected user.

    SpiceDB follows at most 50 steps, so a cycle of groups or a deeper folder leaves a query
    undecided.

    Args:
        client: Calls SpiceDB.
        names: The scope's names.
        consistency: The state of the graph to read.
    """

    def __init__(self, client: SpiceDBClient, names: ScopedNames, consistency: Consistency) -> None:
        self._client = client
        self._names = names
        self._consistency = consistency

    def check(self, queries: Sequence[GraphQuery | None]) -> list[bool]:
        """Evaluates many queries, in their order; a malformed one (``None``) is not allowed."""
        unique = dict.fromkeys(
            GraphQuery(subject, one.relation, one.object)
            for one in queries
            if one and self._can_query(one)
            for subject in effective_subjects(one.subject)
        )
        allowed = self._allowed(list(unique))
        return [
            query is not None
            and self._can_query(query)
            and any(
                GraphQuery(subject, query.relation, query.object) in allowed
                for subject in effective_subjects(query.subject)
            )
            for query in queries
        ]

    def list_users(self, relation: str, object_id: str) -> list[str]:
        """Returns the sorted addresses of all users with the relation; ``*`` is everybody."""
        if type_of(object_id) not in types_with(relation) or not self._names.fits(object_id):
            return []
        request = LookupSubjectsRequest(
            consistency=self._consistency,
            resource=self._names.object(object_id),
            permission=PERMISSIONS[relation],
            subject_object_type="user",
        )
        return sorted(
            display_name(self._names.name("user", found.subject.subject_object_id))
            for found in self._client.lookup_subjects(request)
            if found.subject.permissionship == _FOUND
        )

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """Returns all objects to which a subject has the relation, sorted."""
        names: set[str] = set()
        for kind in types_with(relation):
            if object_type in {None, kind} and self._can_query(GraphQuery(subject, relation, kind)):
                for one in effective_subjects(subject):
                    names.update(self._objects_of(kind, one, relation))
        return sorted(names - {subject})

    def expand(self, query: GraphQuery) -> RelationshipNode:
        """Explains the result of a query; the root's ``granted`` is that result."""
        if not self._can_query(query):
            return RelationshipNode(object=query.object, relation=query.relation)
        request = ExpandPermissionTreeRequest(
            consistency=self._consistency,
            resource=self._names.object(query.object),
            permission=PERMISSIONS[query.relation],
        )
        tree = self._client.expand(request).tree_root
        edges = dict.fromkeys(_edges(tree, self._names, query.object))
        return expand(_TreeReader(edges, self), query)

    def memberships(self, subject: str) -> Iterator[RelationTuple]:
        """Returns the ``member`` tuples on all paths up from a subject."""
        seen, pending = {subject}, deque([subject])
        while pending:
            reference = self._names.subject(pending.popleft())
            relation = SubjectFilter.RelationFilter(relation=reference.optional_relation)
            subjects = SubjectFilter(
                subject_type=reference.object.object_type,
                optional_subject_id=reference.object.object_id,
                optional_relation=relation,
            )
            for kind in types_with(MEMBER):
                for edge in self._read(
                    RelationshipFilter(
                        resource_type=kind,
                        optional_relation=MEMBER,
                        optional_subject_filter=subjects,
                    )
                ):
                    yield edge
                    if edge.object not in seen:
                        seen.add(edge.object)
                        pending.append(edge.object)

    def members(self, groups: Iterable[str]) -> Iterator[RelationTuple]:
        """Yields the ``member`` tuples of some groups."""
        for group in groups:
            reference = self._names.object(group)
            yield from self._read(
                RelationshipFilter(
                    resource_type=reference.object_type,
                    optional_resource_id=reference.object_id,
                    optional_relation=MEMBER,
                )
            )

    def _allowed(self, queries: Sequence[GraphQuery]) -> set[GraphQuery]:
        """Returns the queries that SpiceDB allows.

        SpiceDB evaluates many objects at once, and one that it cannot decide leaves others
        undecided, too. They are retried in halves, up to a number of calls.
        """
        allowed: set[GraphQuery] = set()
        pending = deque([queries] if queries else [])
        calls = left = 0
        while pending:
            undecided = pending.popleft()
            if calls < _MAX_CALLS:
                calls += 1
                undecided = self._ask(undecided, allowed)
                if len(undecided) > 1:
                    half = len(undecided) // 2
                    pending.extend((undecided[:half], undecided[half:]))
                    continue
            left += len(undecided)
        if left:
            _logger.warning(
                "SpiceDB left %d of %d queries undecided, so they are not allowed. The cause is a "
                "cycle of groups, or a folder deeper than it follows.",
                left,
                len(queries),
            )
        return allowed

    def _ask(self, queries: Sequence[GraphQuery], allowed: set[GraphQuery]) -> list[GraphQuery]:
        request = CheckBulkPermissionsRequest(
            consistency=self._consistency, items=[self._item(query) for query in queries]
        )
        pairs = self._client.check_bulk(request).pairs
        if len(pairs) != len(queries):
            raise PermissionEngineError(
                f"SpiceDB returned {len(pairs)} results for {len(queries)} checks."
            )
        undecided = []
        for query, pair in zip(queries, pairs, strict=True):
            if pair.HasField("error"):
                undecided.append(query)
            elif pair.item.permissionship == _ALLOWED:
                allowed.add(query)
        return undecided

    def _read(self, wanted: RelationshipFilter) -> Iterator[RelationTuple]:
        request = ReadRelationshipsRequest(
            consistency=self._consistency, relationship_filter=wanted
        )
        for found in self._client.read_relationships(request):
            yield self._names.edge(found.relationship)

    def _objects_of(self, kind: str, subject: str, relation: str) -> Iterator[str]:
        request = LookupResourcesRequest(
            consistency=self._consistency,
            resource_object_type=kind,
            permission=PERMISSIONS[relation],
            subject=self._names.subject(subject),
        )
        for found in self._client.lookup_resources(request):
            if found.permissionship == _FOUND:
                yield self._names.name(kind, found.resource_object_id)

    def _can_query(self, query: GraphQuery) -> bool:
        return is_answerable(query) and all(map(self._names.fits, (query.subject, query.object)))

    def _item(self, query: GraphQuery) -> CheckBulkPermissionsRequestItem:
        return CheckBulkPermissionsRequestItem(
            resource=self._names.object(query.object),
            permission=PERMISSIONS[query.relation],
            subject=self._names.subject(query.subject),
        )


class _TreeReader:
    """Reads containers and grants from a tree that SpiceDB expanded, and groups from the graph."""

    def __init__(self, edges: Iterable[RelationTuple], graph: SpiceDBGraph) -> None:
        self._edges = list(edges)
        self._graph = graph

    def memberships(self, subject: str) -> Iterable[RelationTuple]:
        return self._graph.memberships(subject)

    def containers(self, _query: GraphQuery) -> Iterable[RelationTuple]:
        return [edge for edge in self._edges if edge.relation == PARENT]

    def holders(
        self, objects: Collection[str], relations: Collection[str]
    ) -> Iterable[RelationTuple]:
        known = {edge.object for edge in self._edges}
        found = [
            edge for edge in self._edges if edge.object in objects and edge.relation in relations
        ]
        if MEMBER in relations:
            found.extend(self._graph.members(name for name in objects if name not in known))
        return found


def _edges(
    tree: PermissionRelationshipTree, names: ScopedNames, inner: str
) -> Iterator[RelationTuple]:
    """Yields the tuples in a tree: the grants, and the container of each object."""
    expanded = tree.expanded_object
    object_id = names.name(expanded.object_type, expanded.object_id)
    if object_id != inner:
        yield RelationTuple(inner, PARENT, object_id)
    if tree.HasField("leaf") and tree.expanded_relation in (*ROLES, MEMBER):
        for subject in tree.leaf.subjects:
            holder = names.name(subject.object.object_type, subject.object.object_id)
            yield RelationTuple(object_id, tree.expanded_relation, holder)
    for child in tree.intermediate.children:
        yield from _edges(child, names, object_id)
