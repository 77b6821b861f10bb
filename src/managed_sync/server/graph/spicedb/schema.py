"""The permission graph's schema and names in SpiceDB's terms.

Guarantees:

- Names of different scopes never collide: each begins with its scope's digest.
- Every name is data. SpiceDB allows few characters; all others are written in hexadecimal, so
  that none has a special meaning.
- Everybody means everybody of one scope: a user without a name, who is checked in addition to
  every user. SpiceDB's own ``user:*`` would mean everybody of every scope, and lists of one
  scope would include objects that others made public.
"""

from __future__ import annotations

import hashlib
import json
import re

from authzed.api.v1 import ObjectReference, Relationship, SubjectReference

from managed_sync.server.domain import PUBLIC, ROLES, RelationTuple, Scope, type_of
from managed_sync.server.graph.schema import MEMBER, ORGANIZATION, PARENT, SCHEMA

__all__ = ["PERMISSIONS", "ScopedNames", "schema_text"]

PERMISSIONS = {"owner": "own", "editor": "edit", "viewer": "view", MEMBER: MEMBER}

_MAX_ID_LENGTH = 1024
_SUBJECTS = {"group": "group#member", ORGANIZATION: "organization#member", PUBLIC: "user"}


def schema_text() -> str:
    """Returns the schema in SpiceDB's language."""
    return "\n\n".join(_definition(kind) for kind in SCHEMA)


def _definition(kind: str) -> str:
    relations = SCHEMA[kind]
    lines = [
        f"relation {relation}: " + " | ".join(sorted({_SUBJECTS.get(one, one) for one in subjects}))
        for relation, subjects in relations.items()
    ]
    for rank, role in enumerate(ROLES):
        if role in relations:
            enough = (*ROLES[rank::-1], f"{PARENT}->{PERMISSIONS[role]}")
            lines.append(f"permission {PERMISSIONS[role]} = {' + '.join(enough)}")
    body = "".join(f"\n    {line}" for line in lines)
    return f"definition {kind} {{{body}\n}}"


class ScopedNames:
    """Writes the names of one scope as SpiceDB's references, and reads them back.

    Args:
        scope: The scope. Its names are used, not its number, which another database may assign
            to another scope.
    """

    def __init__(self, scope: Scope) -> None:
        digest = hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:32]
        self.prefix = f"{digest}/"

    def fits(self, name: str) -> bool:
        """Returns whether a name is short enough for SpiceDB."""
        return len(self.identifier(name)) <= _MAX_ID_LENGTH

    def identifier(self, name: str) -> str:
        """Returns SpiceDB's id for a name, without its type."""
        if name == PUBLIC:
            return self.prefix
        return self.prefix + re.sub(
            rb"[^A-Za-z0-9_-]",
            lambda match: b"=%02X" % match[0][0],
            name.partition(":")[2].encode(),
        ).decode("ascii")

    def name(self, kind: str, identifier: str) -> str:
        """Returns the name for an id of SpiceDB."""
        if not identifier.startswith(self.prefix):
            raise ValueError("a name of another scope")
        plain = re.sub(
            rb"=([0-9A-F]{2})",
            lambda match: bytes.fromhex(match[1].decode()),
            identifier.removeprefix(self.prefix).encode(),
        ).decode()
        if plain:
            return f"{kind}:{plain}"
        return PUBLIC if f"{kind}:*" == PUBLIC else kind

    def object(self, name: str) -> ObjectReference:
        """Returns a name as a SpiceDB object."""
        return ObjectReference(object_type=name.partition(":")[0], object_id=self.identifier(name))

    def subject(self, name: str) -> SubjectReference:
        """Returns a name as a SpiceDB subject; groups stand for their members."""
        members = MEMBER if type_of(name) in {"group", ORGANIZATION} else ""
        return SubjectReference(object=self.object(name), optional_relation=members)

    def relationship(self, edge: RelationTuple) -> Relationship:
        """Returns a tuple as a SpiceDB relationship."""
        return Relationship(
            resource=self.object(edge.object),
            relation=edge.relation,
            subject=self.subject(edge.subject),
        )

    def edge(self, relationship: Relationship) -> RelationTuple:
        """Returns a SpiceDB relationship as a tuple."""
        resource, subject = relationship.resource, relationship.subject.object
        return RelationTuple(
            self.name(resource.object_type, resource.object_id),
            relationship.relation,
            self.name(subject.object_type, subject.object_id),
        )
