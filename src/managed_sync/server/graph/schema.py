"""The permission graph's schema: its types and relations, and the relations that imply others.

A tuple gives a subject a relation to an object:

    =================  =========  =====================  ======================================
    object             relation   subject                meaning
    =================  =========  =====================  ======================================
    file:3f2a          viewer     user:maria@x.example   Maria may read the file
    file:3f2a          editor     group:sales            every member of the group may edit it
    folder:77b1        owner      organization           everybody in the organization owns it
    file:3f2a          viewer     user:*                 everybody may read it, known or not
    file:3f2a          parent     folder:77b1            readers of the folder may read the file
    group:sales        member     group:sales-emea       its members are members of group:sales
    =================  =========  =====================  ======================================

- An owner is an editor, an editor is a viewer.
- A subject with one of these three relations to a parent has it to the parent's children. An
  object that does not inherit has no ``parent`` tuple, so that none can be followed by mistake.
- A group or the organization as a subject stands for its members (``group:sales#member`` in
  Zanzibar's notation; the suffix is left out, since there is no other meaning).
- ``SCHEMA`` defines the relations of each type and their subjects. Nothing else can be written, and
  nothing else is ever allowed. Everybody (``user:*``) can be granted a role, and is no member of a
  group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from managed_sync.errors import InvalidIdentifierError
from managed_sync.identifiers import ObjectId, address_key, normalize_subject
from managed_sync.server.domain import PUBLIC, ROLES, RelationTuple, type_of

__all__ = [
    "MEMBER",
    "ORGANIZATION",
    "PARENT",
    "RELATIONS",
    "SCHEMA",
    "GraphQuery",
    "UnknownRelationError",
    "display_name",
    "effective_subjects",
    "follows_schema",
    "implying_relations",
    "is_answerable",
    "object_key",
    "relation_key",
    "subject_key",
    "types_with",
    "user_key",
]

PARENT = "parent"
MEMBER = "member"
ORGANIZATION = "organization"

# The relations that a query can name.
RELATIONS = (*reversed(ROLES), MEMBER)

_USER, _GROUP, _FOLDER = "user", "group", "folder"
_USER_PREFIX = f"{_USER}:"

_GRANTEES = frozenset({_USER, PUBLIC, _GROUP, ORGANIZATION})
_CONTENT = {PARENT: frozenset({_FOLDER}), **dict.fromkeys(ROLES, _GRANTEES)}
_MEMBERS = {MEMBER: frozenset({_USER, _GROUP, ORGANIZATION})}

# For each type of object, its relations, and for each relation the types of its subjects.
SCHEMA: Mapping[str, Mapping[str, frozenset[str]]] = {
    _USER: {},
    _GROUP: _MEMBERS,
    ORGANIZATION: _MEMBERS,
    _FOLDER: _CONTENT,
    "file": _CONTENT,
    "contact": _CONTENT,
    "company": _CONTENT,
    "deal": _CONTENT,
    "ticket": _CONTENT,
}


class UnknownRelationError(InvalidIdentifierError):
    """The graph has no such relation; the message names the relations that it has."""


class GraphQuery(NamedTuple):
    """A well-formed query: has a subject a relation to an object, all in the graph's spelling."""

    subject: str
    relation: str
    object: str

    @classmethod
    def parse(cls, *, subject: str, relation: str, object_id: str) -> GraphQuery:
        """Parses a query as the API receives it.

        Raises:
            UnknownRelationError: The graph has no such relation.
            InvalidIdentifierError: Subject, relation or object is malformed.
        """
        return cls(subject_key(subject), relation_key(relation), object_key(object_id))


def implying_relations(relation: str) -> tuple[str, ...]:
    """Returns the relations that imply a relation, itself first; none for an unknown relation.

    Examples:
        >>> implying_relations("editor")
        ('editor', 'owner')
    """
    if relation in ROLES:
        return ROLES[ROLES.index(relation) :: -1]
    return (MEMBER,) if relation == MEMBER else ()


def follows_schema(edge: RelationTuple) -> bool:
    """Returns whether the schema allows a tuple."""
    return type_of(edge.subject) in SCHEMA.get(type_of(edge.object), {}).get(
        edge.relation, frozenset()
    )


def is_answerable(query: GraphQuery) -> bool:
    """Returns whether the graph can allow a query at all.

    Everybody is not a user and cannot query, and no object has a relation to itself.
    """
    relations = SCHEMA.get(type_of(query.object), {})
    return (
        query.subject != query.object
        and type_of(query.subject) in _MEMBERS[MEMBER]
        and any(relation in relations for relation in implying_relations(query.relation))
    )


def effective_subjects(subject: str) -> tuple[str, ...]:
    """Returns the names whose grants a subject has, without groups: a user also has everybody's."""
    return (subject, PUBLIC) if type_of(subject) == _USER else (subject,)


def types_with(relation: str) -> Iterable[str]:
    """Returns the types of object that have a relation."""
    needed = implying_relations(relation)[:1]
    return [kind for kind, relations in SCHEMA.items() if needed and needed[0] in relations]


def user_key(address: str) -> str:
    """Returns the subject for a user; see ``address_key`` for spellings that are the same."""
    return _USER_PREFIX + address_key(address)


def subject_key(subject: str) -> str:
    """Returns a subject of the API in the graph's spelling: an address becomes ``user:…``.

    Raises:
        InvalidIdentifierError: The text is not a subject.
    """
    normalized = normalize_subject(subject)
    if ":" in normalized:
        kind, name = ObjectId.parse(normalized)
        return user_key(name) if f"{kind}:" == _USER_PREFIX else normalized
    return user_key(normalized)


def object_key(object_id: str) -> str:
    """Returns an object id of the API in the graph's spelling.

    Raises:
        InvalidIdentifierError: The text is not an object id.
    """
    if not object_id.isprintable():
        raise InvalidIdentifierError(
            f"{object_id!r} is not an object id; it should look like 'file:abc123'."
        )
    return str(ObjectId.parse(object_id.strip()))


def relation_key(relation: str) -> str:
    """Returns a relation of the API in the graph's spelling.

    Raises:
        UnknownRelationError: The graph has no such relation. A negative result instead would look
            like a denial.
        InvalidIdentifierError: The text is blank or contains control characters.
    """
    written = relation.strip()
    if written in RELATIONS:
        return written
    kind = UnknownRelationError if written and relation.isprintable() else InvalidIdentifierError
    raise kind(f"relation must be one of {', '.join(RELATIONS)}, got {relation[:80]!r}.")


def display_name(subject: str) -> str:
    """Returns a subject as the API names it: users by their address alone."""
    return subject.removeprefix(_USER_PREFIX)
