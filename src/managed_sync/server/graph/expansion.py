"""The tree that explains why a subject has, or does not have, a relation to an object.

The tree goes up the containers, nearest first. At each container it names the holders of the
relation and of the stronger relations that imply it, and follows the groups that lead to the
subject. Its size is bounded: however deep folders and groups are, it fits into one response, and a
parser with a nesting limit can read it. The deciding grant is never cut off.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from managed_sync.models import RelationshipNode
from managed_sync.server.domain import RelationTuple
from managed_sync.server.graph.schema import (
    MEMBER,
    GraphQuery,
    display_name,
    effective_subjects,
    implying_relations,
    is_answerable,
)

__all__ = ["GraphReader", "expand"]

_MAX_CONTAINERS = 40
_MAX_GROUP_PATH = 16
_MAX_GROUPS_OF_NODE = 16
_MAX_SUBJECTS = 100

_Via: TypeAlias = Literal["self", "implied", "parent", "member"]
_Holders: TypeAlias = Mapping[tuple[str, str], Sequence[str]]


class GraphReader(Protocol):
    """Reads the tuples that one explanation needs."""

    def memberships(self, subject: str) -> Iterable[RelationTuple]:
        """Returns the ``member`` tuples on all paths up from a subject."""

    def containers(self, query: GraphQuery) -> Iterable[RelationTuple]:
        """Returns the ``parent`` tuples on all paths up from the query's object."""

    def holders(
        self, objects: Collection[str], relations: Collection[str]
    ) -> Iterable[RelationTuple]:
        """Returns the tuples of some objects and relations."""


def expand(reader: GraphReader, query: GraphQuery) -> RelationshipNode:
    """Explains the result of a query; the root's ``granted`` is that result."""
    if not is_answerable(query):
        return RelationshipNode(object=query.object, relation=query.relation)
    return _Expansion(reader, query).tree()


class _Expansion:
    def __init__(self, reader: GraphReader, query: GraphQuery) -> None:
        self._reader = reader
        self._query = query
        self._relations = implying_relations(query.relation)
        self._names = effective_subjects(query.subject)
        self._next_member = _steps(
            query.subject,
            ((edge.subject, edge.object) for edge in reader.memberships(query.subject)),
        )
        # For each container, the object from which it is reached, nearest first.
        self._inner = _steps(
            query.object, ((edge.object, edge.subject) for edge in reader.containers(query))
        )
        chain = [query.object, *self._inner]
        self._holders = self._read_holders(chain, self._relations)
        self._chain = self._bounded(chain)
        self._explained: set[str] = set()

    def tree(self) -> RelationshipNode:
        # The nearest containers explain their groups first; the tree is built from the farthest.
        nodes = {
            object_id: self._own(object_id, "parent" if depth else "self")
            for depth, object_id in enumerate(self._chain)
        }
        outward = defaultdict(list)
        for depth, object_id in enumerate(self._chain[1:]):
            inner = self._inner[object_id]
            # If containers are left out, the deciding one becomes a child of the last one shown.
            outward[inner if inner in nodes else self._chain[depth]].append(object_id)
        for object_id in reversed(self._chain):
            outer = [nodes[one] for one in outward[object_id]]
            nodes[object_id] = nodes[object_id].model_copy(
                update={
                    "children": (*nodes[object_id].children, *outer),
                    "granted": any(node.granted for node in (nodes[object_id], *outer)),
                }
            )
        return nodes[self._query.object]

    def _own(self, object_id: str, via: _Via) -> RelationshipNode:
        """Returns the node of an object itself, without its containers."""
        node: RelationshipNode | None = None
        for rank, relation in reversed(list(enumerate(self._relations))):
            below = () if node is None else (node,)
            node = self._level(object_id, relation, "implied" if rank else via, below)
        return node or RelationshipNode(object=object_id, relation=self._query.relation, via=via)

    def _level(
        self, object_id: str, relation: str, via: _Via, below: tuple[RelationshipNode, ...]
    ) -> RelationshipNode:
        holders = self._holders.get((object_id, relation), ())
        leading = [holder for holder in holders if self._leads(holder)]
        groups = [holder for holder in leading if holder not in self._names]
        members = tuple(self._member(group) for group in groups[:_MAX_GROUPS_OF_NODE])
        return RelationshipNode(
            object=object_id,
            relation=relation,
            via=via,
            subjects=_shown(leading, holders),
            granted=bool(leading) or any(node.granted for node in below),
            children=(*below, *members),
        )

    def _member(self, group: str) -> RelationshipNode:
        """Returns the node of a group, down to the group that has the subject as a member."""
        path = []
        current = group
        while current != self._query.subject:
            path.append(current)
            if current in self._explained:
                break
            self._explained.add(current)
            current = self._next_member[current]
        if len(path) > _MAX_GROUP_PATH:
            path = [*path[: _MAX_GROUP_PATH - 1], path[-1]]
        members = self._read_holders(path, (MEMBER,))
        node: RelationshipNode | None = None
        for name in reversed(path):
            direct = members.get((name, MEMBER), ())
            node = RelationshipNode(
                object=name,
                relation=MEMBER,
                via="member",
                subjects=_shown([one for one in direct if self._leads(one)], direct),
                granted=True,
                children=() if node is None else (node,),
            )
        if node is None:  # pragma: no cover - a group is never the subject itself here
            raise AssertionError(group)
        return node

    def _leads(self, subject: str) -> bool:
        return subject in self._names or subject in self._next_member

    def _bounded(self, chain: list[str]) -> list[str]:
        near, far = chain[:_MAX_CONTAINERS], chain[_MAX_CONTAINERS:]
        deciding = (object_id for object_id in far if self._decides(object_id))
        return [*near, *([] if any(map(self._decides, near)) else list(deciding)[:1])]

    def _decides(self, object_id: str) -> bool:
        return any(
            self._leads(holder)
            for relation in self._relations
            for holder in self._holders.get((object_id, relation), ())
        )

    def _read_holders(self, objects: Collection[str], relations: Collection[str]) -> _Holders:
        holders = defaultdict(list)
        for edge in self._reader.holders(objects, relations):
            holders[edge.object, edge.relation].append(edge.subject)
        return {key: sorted(subjects) for key, subjects in holders.items()}


def _steps(start: str, edges: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns, for each reached name, nearest first, the previous step on a shortest path."""
    further = defaultdict(list)
    for name, reached in edges:
        further[name].append(reached)
    steps: dict[str, str] = {}
    pending = deque([start])
    while pending:
        name = pending.popleft()
        for reached in sorted(further.get(name, ())):
            if reached not in steps and reached != start:
                steps[reached] = name
                pending.append(reached)
    return steps


def _shown(leading: Sequence[str], holders: Sequence[str]) -> tuple[str, ...]:
    """Returns the holders as the API names them; if there are too many, leading ones first."""
    shown = holders
    if len(holders) > _MAX_SUBJECTS:
        leads = set(leading)
        others = [holder for holder in holders if holder not in leads]
        shown = [*leading, *others][:_MAX_SUBJECTS]
    return tuple(display_name(holder) for holder in shown)
