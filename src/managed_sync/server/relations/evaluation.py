"""Answers to permission questions, by a few recursive queries.

Guarantees:
    - Every query is bound to one scope: nobody's graph is reached from another's.
    - What the graph does not know (object, subject or relation) is not allowed.
    - Cycles end, at any depth: a recursive query visits nothing twice.
    - All answers of one call come from one state of the graph, within one transaction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, text

from managed_sync.server.relations.schema import Question, display_name, satisfied_by

__all__ = ["PermissionGraph"]

# CROSS JOIN is SQLite's way to fix the order: always from the few known rows into the index. The
# plus sign keeps it from looking up every group of the subject at every container.
_GROUPS_OF_SUBJECT = """
holders(subject) AS (
    SELECT :subject
    UNION
    SELECT edge.object FROM holders CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.subject = holders.subject AND edge.relation = 'member'
)
"""
_CONTAINERS_OF_OBJECTS = """
ancestry(origin, object) AS MATERIALIZED (
    SELECT value, value FROM json_each(:objects)
    UNION
    SELECT ancestry.origin, edge.subject FROM ancestry CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.object = ancestry.object AND edge.relation = 'parent'
)
"""

# The objects travel as one JSON parameter, so that their number meets no limit of SQL.
_CHECK = text(f"""
WITH RECURSIVE {_GROUPS_OF_SUBJECT}, {_CONTAINERS_OF_OBJECTS},
granted(object, relation) AS MATERIALIZED (
    SELECT DISTINCT held.object, held.relation
    FROM (SELECT DISTINCT object FROM ancestry) AS place CROSS JOIN relations AS held
    WHERE held.scope_id = :scope AND held.object = place.object
        AND held.relation IN (SELECT value FROM json_each(:relations))
        AND +held.subject IN (SELECT subject FROM holders)
)
SELECT DISTINCT ancestry.origin, granted.relation
FROM granted CROSS JOIN ancestry ON ancestry.object = granted.object
""")  # noqa: S608 - put together from constants

_LIST_USERS = text(f"""
WITH RECURSIVE {_CONTAINERS_OF_OBJECTS},
granted(subject) AS (
    SELECT held.subject FROM ancestry CROSS JOIN relations AS held
    WHERE held.scope_id = :scope AND held.object = ancestry.object
        AND held.relation IN (SELECT value FROM json_each(:relations))
    UNION
    SELECT edge.subject FROM granted CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.object = granted.subject AND edge.relation = 'member'
)
SELECT subject FROM granted WHERE subject LIKE 'user:%' ORDER BY subject
""")  # noqa: S608 - put together from constants

_LIST_OBJECTS = text(f"""
WITH RECURSIVE {_GROUPS_OF_SUBJECT},
reached(object) AS (
    SELECT held.object FROM holders CROSS JOIN relations AS held
    WHERE held.scope_id = :scope AND held.subject = holders.subject
        AND held.relation IN (SELECT value FROM json_each(:relations))
    UNION
    SELECT edge.object FROM reached CROSS JOIN relations AS edge
    WHERE edge.scope_id = :scope AND edge.subject = reached.object AND edge.relation = 'parent'
)
SELECT object FROM reached
WHERE :object_type IS NULL OR substr(object, 1, length(:object_type) + 1) = :object_type || ':'
ORDER BY object
""")  # noqa: S608 - put together from constants


class PermissionGraph:
    """The permission graph of one connected user, as it is in one transaction.

    Args:
        connection: A connection inside a transaction.
        scope_id: The scope; ``None``, for one that has no graph, allows nothing.
    """

    def __init__(self, connection: Connection, scope_id: int | None) -> None:
        self._connection = connection
        self._scope_id = scope_id

    def check(self, questions: Sequence[Question | None]) -> list[bool]:
        """Answers many questions, in their order; ``None``, a malformed one, is not allowed.

        The groups of a subject and the containers of objects are followed once for all questions.
        """
        objects_by_subject = defaultdict(set)
        for question in questions:
            if question is not None:
                objects_by_subject[question.subject].add(question.object)
        held = {
            (subject, object_id, relation)
            for subject, objects in objects_by_subject.items()
            for object_id, relation in self._connection.execute(
                _CHECK,
                {
                    "scope": self._scope_id,
                    "subject": subject,
                    "objects": json.dumps(sorted(objects)),
                    "relations": json.dumps([*satisfied_by("viewer"), *satisfied_by("member")]),
                },
            )
        }
        return [
            question is not None
            and any(
                (question.subject, question.object, relation) in held
                for relation in satisfied_by(question.relation)
            )
            for question in questions
        ]

    def list_users(self, relation: str, object_id: str) -> list[str]:
        """The addresses of all users who have the relation, in order."""
        rows = self._connection.execute(
            _LIST_USERS,
            {
                "scope": self._scope_id,
                "objects": json.dumps([object_id]),
                "relations": json.dumps(satisfied_by(relation)),
            },
        )
        return [display_name(subject) for subject in rows.scalars()]

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """All objects to which a subject has the relation, in order."""
        rows = self._connection.execute(
            _LIST_OBJECTS,
            {
                "scope": self._scope_id,
                "subject": subject,
                "relations": json.dumps(satisfied_by(relation)),
                "object_type": object_type,
            },
        )
        return list(rows.scalars())
