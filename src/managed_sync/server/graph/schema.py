"""The permission graph's schema: which relations there are, and what follows from what.

A tuple says that a subject has a relation to an object:

    =================  =========  =====================  ======================================
    object             relation   subject                meaning
    =================  =========  =====================  ======================================
    file:3f2a          viewer     user:maria@x.example   Maria may read the file
    file:3f2a          editor     group:sales            so may every member of the group
    folder:77b1        owner      organization           so may everybody in the organization
    file:3f2a          viewer     user:*                 so may everybody, known or not
    file:3f2a          parent     folder:77b1            who may read the folder may read the file
    group:sales        member     group:sales-emea       its members are members of group:sales
    =================  =========  =====================  ======================================

- An owner is an editor, an editor is a viewer.
- Whoever has one of these three relations to a parent has it to what lies in it. An object that
  does not inherit has no ``parent`` tuple: what is not there cannot be followed by mistake.
- A group or the organization as a subject stands for its members (``group:sales#member`` in
  Zanzibar's notation; since it is never meant otherwise, the suffix is left out).
- ``SCHEMA`` says which relations a type has, and to what. Nothing else can be written, and nothing
  else is ever allowed. Everybody (``user:*``) may be granted a role, and is no member of a group.
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
    "Question",
    "UnknownRelationError",
    "display_name",
    "follows_schema",
    "is_answerable",
    "object_key",
    "relation_key",
    "satisfied_by",
    "standing_for",
    "subject_key",
    "types_with",
    "user_key",
]

PARENT = "parent"
MEMBER = "member"
ORGANIZATION = "organization"

# What can be asked about.
RELATIONS = (*reversed(ROLES), MEMBER)

_USER, _GROUP, _FOLDER = "user", "group", "folder"
_USER_PREFIX = f"{_USER}:"

_GRANTEES = frozenset({_USER, PUBLIC, _GROUP, ORGANIZATION})
_CONTENT = {PARENT: frozenset({_FOLDER}), **dict.fromkeys(ROLES, _GRANTEES)}
_MEMBERS = {MEMBER: frozenset({_USER, _GROUP, ORGANIZATION})}

# For each type of object its relations, and for each of these the types that can be its subject.
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
    """A relation that the graph does not have; the message names those that it has."""


class Question(NamedTuple):
    """A well-formed permission question, with both ends as the graph writes them."""

    subject: str
    relation: str
    object: str

    @classmethod
    def parse(cls, *, subject: str, relation: str, object_id: str) -> Question:
        """Reads a question as the API receives it.

        Raises:
            UnknownRelationError: The graph has no such relation.
            InvalidIdentifierError: Subject, relation or object is malformed.
        """
        return cls(subject_key(subject), relation_key(relation), object_key(object_id))


def satisfied_by(relation: str) -> tuple[str, ...]:
    """The relations each of which is enough, the asked one first; none for an unknown relation.

    Examples:
        >>> satisfied_by("editor")
        ('editor', 'owner')
    """
    if relation in ROLES:
        return ROLES[ROLES.index(relation) :: -1]
    return (MEMBER,) if relation == MEMBER else ()


def follows_schema(edge: RelationTuple) -> bool:
    """Whether the schema has such a tuple."""
    return type_of(edge.subject) in SCHEMA.get(type_of(edge.object), {}).get(
        edge.relation, frozenset()
    )


def is_answerable(question: Question) -> bool:
    """Whether the graph can hold an answer; if not, it is no.

    Everybody is nobody in particular and cannot ask, and nothing has a relation to itself.
    """
    relations = SCHEMA.get(type_of(question.object), {})
    return (
        question.subject != question.object
        and type_of(question.subject) in _MEMBERS[MEMBER]
        and any(relation in relations for relation in satisfied_by(question.relation))
    )


def standing_for(subject: str) -> tuple[str, ...]:
    """The names whose grants a subject has, groups apart: a user has everybody's too."""
    return (subject, PUBLIC) if type_of(subject) == _USER else (subject,)


def types_with(relation: str) -> Iterable[str]:
    """The types of object that can answer for a relation."""
    needed = satisfied_by(relation)[:1]
    return [kind for kind, relations in SCHEMA.items() if needed and needed[0] in relations]


def user_key(address: str) -> str:
    """The subject that stands for a user; see ``address_key`` for what makes no difference."""
    return _USER_PREFIX + address_key(address)


def subject_key(subject: str) -> str:
    """A subject of the API as the graph writes it: an e-mail address becomes ``user:…``.

    Raises:
        InvalidIdentifierError: It is not a subject.
    """
    normalized = normalize_subject(subject)
    if ":" in normalized:
        kind, name = ObjectId.parse(normalized)
        return user_key(name) if f"{kind}:" == _USER_PREFIX else normalized
    return user_key(normalized)


def object_key(object_id: str) -> str:
    """An object id of the API as the graph writes it.

    Raises:
        InvalidIdentifierError: It is not an object id.
    """
    if not object_id.isprintable():
        raise InvalidIdentifierError(
            f"{object_id!r} is not an object id; it should look like 'file:abc123'."
        )
    return str(ObjectId.parse(object_id.strip()))


def relation_key(relation: str) -> str:
    """Returns a relation of the API as the graph writes it.

    Raises:
        UnknownRelationError: The graph has no such relation. To answer "no" instead would look like
            a denial.
        InvalidIdentifierError: It is blank or holds control characters.
    """
    written = relation.strip()
    if written in RELATIONS:
        return written
    kind = UnknownRelationError if written and relation.isprintable() else InvalidIdentifierError
    raise kind(f"relation must be one of {', '.join(RELATIONS)}, got {relation[:80]!r}.")


def display_name(subject: str) -> str:
    """A subject of the graph as the API names it: users by their address alone."""
    return subject.removeprefix(_USER_PREFIX)
