"""The tree that explains how a subject has a relation to an object, or that it has not.

The tree goes up the containers, nearest first; at each of them it names who holds the relation and
the stronger ones that imply it, and follows those groups that lead to the subject. It is bounded:
however deep the folders and the groups are, it fits into one answer and can be parsed by a reader
that limits nesting. What decides is never what is cut off.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import Connection, text

from managed_sync.models import RelationshipNode
from managed_sync.server.relations.schema import MEMBER, Question, display_name, satisfied_by

__all__ = ["expand"]

_MAX_CONTAINERS = 40
_MAX_GROUP_PATH = 16
_MAX_GROUPS_OF_NODE = 16
_MAX_SUBJECTS = 100

_Via = Literal["self", "implied", "parent", "member"]

_CONTAINERS = text("""
WITH RECURSIVE ancestry(object, parent) AS (
    SELECT object, subject FROM relations
    WHERE scope_id = :scope AND object = :object AND relation = 'parent'
    UNION
    SELECT edge.object, edge.subject FROM ancestry CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.object = ancestry.parent AND edge.relation = 'parent'
)
SELECT object, parent FROM ancestry
""")

_MEMBERSHIPS = text("""
WITH RECURSIVE memberships(container, member) AS (
    SELECT object, subject FROM relations
    WHERE scope_id = :scope AND subject = :subject AND relation = 'member'
    UNION
    SELECT edge.object, edge.subject FROM memberships CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.subject = memberships.container
        AND edge.relation = 'member'
)
SELECT container, member FROM memberships
""")

_HOLDERS = text("""
SELECT object, relation, subject FROM relations
WHERE scope_id = :scope AND object IN (SELECT value FROM json_each(:objects))
    AND relation IN (SELECT value FROM json_each(:relations))
ORDER BY subject
""")


def expand(connection: Connection, scope_id: int | None, question: Question) -> RelationshipNode:
    """Explains one answer; the root's ``granted`` is that answer."""
    return _Expansion(connection, scope_id, question).tree()


class _Expansion:
    def __init__(self, connection: Connection, scope_id: int | None, question: Question) -> None:
        self._connection = connection
        self._scope_id = scope_id
        self._question = question
        self._relations = satisfied_by(question.relation)
        self._next_member = self._paths_to_subject()
        chain = self._containers()
        self._holders = self._read_holders(chain, self._relations)
        self._chain = self._bounded(chain)
        self._explained: set[str] = set()

    def tree(self) -> RelationshipNode:
        node: RelationshipNode | None = None
        # Built from the farthest container inwards; the nearest one explains its groups first.
        own = [
            self._own(object_id, "parent" if place else "self")
            for place, object_id in enumerate(self._chain)
        ]
        for inner in reversed(own):
            if node is None:
                node = inner
            else:
                node = inner.model_copy(
                    update={
                        "children": (*inner.children, node),
                        "granted": inner.granted or node.granted,
                    }
                )
        return node or RelationshipNode(
            object=self._question.object, relation=self._question.relation
        )

    def _own(self, object_id: str, via: _Via) -> RelationshipNode:
        """What holds at an object itself, containers apart."""
        node: RelationshipNode | None = None
        for place, relation in reversed(list(enumerate(self._relations))):
            below = () if node is None else (node,)
            node = self._level(object_id, relation, "implied" if place else via, below)
        return node or RelationshipNode(object=object_id, relation=self._question.relation, via=via)

    def _level(
        self, object_id: str, relation: str, via: _Via, below: tuple[RelationshipNode, ...]
    ) -> RelationshipNode:
        holders = self._holders.get((object_id, relation), ())
        leading = [holder for holder in holders if self._leads(holder)]
        groups = [holder for holder in leading if holder != self._question.subject]
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
        """A group that leads to the subject, down to the one that has it as a member."""
        path = []
        current = group
        while current != self._question.subject:
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
        return subject == self._question.subject or subject in self._next_member

    def _paths_to_subject(self) -> dict[str, str]:
        """For every group that leads to the subject, the next step of the shortest path."""
        containers: dict[str, list[str]] = {}
        for container, member in self._connection.execute(
            _MEMBERSHIPS, {"scope": self._scope_id, "subject": self._question.subject}
        ):
            containers.setdefault(member, []).append(container)
        steps: dict[str, str] = {}
        pending = deque([self._question.subject])
        while pending:
            member = pending.popleft()
            for container in sorted(containers.get(member, ())):
                if container not in steps and container != self._question.subject:
                    steps[container] = member
                    pending.append(container)
        return steps

    def _containers(self) -> list[str]:
        """The object and the containers it inherits from, nearest first."""
        rows = self._connection.execute(
            _CONTAINERS, {"scope": self._scope_id, "object": self._question.object}
        )
        parents: dict[str, str] = {row.object: row.parent for row in rows}
        chain = [self._question.object]
        while (parent := parents.get(chain[-1])) and parent not in chain:
            chain.append(parent)
        return chain

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

    def _read_holders(
        self, objects: Sequence[str], relations: Iterable[str]
    ) -> dict[tuple[str, str], list[str]]:
        holders: dict[tuple[str, str], list[str]] = {}
        for object_id, relation, subject in self._connection.execute(
            _HOLDERS,
            {
                "scope": self._scope_id,
                "objects": json.dumps(objects),
                "relations": json.dumps(list(relations)),
            },
        ):
            holders.setdefault((object_id, relation), []).append(subject)
        return holders


def _shown(leading: Sequence[str], holders: Sequence[str]) -> tuple[str, ...]:
    """The holders as the API names them; where they are too many, those that lead first."""
    shown = holders
    if len(holders) > _MAX_SUBJECTS:
        leads = set(leading)
        others = [holder for holder in holders if holder not in leads]
        shown = [*leading, *others][:_MAX_SUBJECTS]
    return tuple(display_name(holder) for holder in shown)
