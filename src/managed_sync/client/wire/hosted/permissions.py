"""The hosted service's permission requests, each sent to the sync that the object belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from managed_sync.client.wire.base import Operation
from managed_sync.client.wire.batch_results import read_decision, read_decisions
from managed_sync.client.wire.entity_lists import EntityList, parse_objects, parse_subjects
from managed_sync.client.wire.expand_trees import NameMapping, parse_tree
from managed_sync.client.wire.request import Request, path_segment
from managed_sync.client.wire.response import Response
from managed_sync.errors import InvalidIdentifierError, ResponseFormatError
from managed_sync.identifiers import ObjectId, RecordOfSync, address_key, normalize_subject
from managed_sync.models import AccessCheck, RelationshipNode

__all__ = [
    "batch_check_access",
    "check_access",
    "expand",
    "list_objects",
    "list_users",
    "record_of",
]

T = TypeVar("T")

_USER = "user"
_ROLES = {"viewer": "can_read", "editor": "can_write", "owner": "is_owner"}
_RELATIONS = {role: relation for relation, role in _ROLES.items()}


def check_access(check: AccessCheck) -> Operation[bool]:
    """Builds a request for one decision."""
    asked = _check_of(check)
    parse = partial(read_decision, field="hasAccess", asked=asked, key_of=_key_of)
    return _post(record_of(check.object).sync, "check", asked, parse)


def batch_check_access(checks: Sequence[AccessCheck]) -> Operation[list[bool]]:
    """Builds a request for decisions about objects of one sync."""
    asked = [
        {**each, "user": str(ObjectId(_USER, each["user"]))} for each in map(_check_of, checks)
    ]
    parse = partial(
        read_decisions,
        field="result",
        objects=[check.object for check in checks],
        keys=[_key_of(each) for each in asked],
        key_of=_key_of,
        must_echo=True,
    )
    sync = record_of(checks[0].object).sync
    return _post(sync, "batch-check", {"checks": asked}, parse)


def list_users(object_id: str, relation: str) -> Operation[list[str]]:
    """Builds a request for the users with a relation to an object, of which it lists 1,000."""
    record = record_of(object_id)
    body = {"object": record.id, "role": _role(relation)}
    return _post(record.sync, "list-users", body, lambda response: parse_subjects(response).names)


def list_objects(
    sync_id: str, object_type: str, subject: str, relation: str
) -> Operation[EntityList]:
    """Builds a request for all objects of one sync to which a user has a relation."""
    body = {
        "objectType": object_type,
        "user": _user(subject),
        "role": _role(relation),
    }

    def parse(response: Response) -> EntityList:
        page = parse_objects(response)
        objects = (_object_id(sync_id, name, object_type) for name in page.names)
        return EntityList(objects, is_whole=page.is_end_of(page.names))

    return _post(sync_id, "streamed-list-objects", body, parse)


def expand(check: AccessCheck) -> Operation[RelationshipNode]:
    """Builds a request for the tree of a relation, which decides nothing about a subject."""
    asked, record = ObjectId.parse(check.object), record_of(check.object)

    def object_id(name: str) -> str:
        kind, colon, _ = name.rpartition(":")
        is_record = not colon or kind in {"file", "folder"}
        return _object_id(record.sync, name, kind or asked.type) if is_record else name

    body = {"object": record.id, "relation": _role(check.relation)}
    mapping = NameMapping(object_id, _relation)
    return _post(record.sync, "expand", body, lambda response: parse_tree(response, check, mapping))


def record_of(object_id: str) -> RecordOfSync:
    """Returns the record of an object id.

    Raises:
        InvalidIdentifierError: It is not an object id that this client returned.
    """
    return RecordOfSync.parse(ObjectId.parse(object_id).id)


def _check_of(check: AccessCheck) -> dict[str, str]:
    return {
        "object": record_of(check.object).id,
        "user": _user(check.subject),
        "role": _role(check.relation),
    }


def _key_of(request: Mapping[str, Any]) -> tuple[str, str, str]:
    # The service may spell an e-mail address differently, and leave out the type.
    user = address_key(str(request.get("user")).removeprefix(f"{_USER}:"))
    return str(request.get("object")), user, str(request.get("role"))


def _object_id(sync_id: str, name: str, object_type: str) -> str:
    record_id = name.removeprefix(f"{object_type}:")
    if not record_id or ":" in record_id or "/" in record_id:
        raise ResponseFormatError(
            f"Expected a {object_type} record id in the API's response, got something else."
        )
    return str(ObjectId(object_type, str(RecordOfSync(sync_id, record_id))))


def _post(
    sync_id: str, name: str, body: Mapping[str, Any], parse: Callable[[Response], T]
) -> Operation[T]:
    path = f"/api/permissions/{path_segment(sync_id, 'sync id')}/{name}"
    return Operation(Request("POST", path, body=body), parse)


def _role(relation: str) -> str:
    """Returns the service's role for a relation, which may be such a role already.

    Raises:
        InvalidIdentifierError: The service has no such role.
    """
    role = _ROLES.get(relation, relation)
    if role not in _RELATIONS:
        raise InvalidIdentifierError(
            f"relation must be one of {', '.join(_ROLES)} for the hosted API, got {relation!r}."
        )
    return role


def _relation(role: str) -> str:
    """Returns the relation for a role, and any other name unchanged."""
    return _RELATIONS.get(role, role)


def _user(subject: str) -> str:
    """Returns the e-mail address of a subject.

    Raises:
        InvalidIdentifierError: The subject is not a user. The service decides about users only.
    """
    user = normalize_subject(subject).removeprefix(f"{_USER}:")
    if not user or ":" in user:
        raise InvalidIdentifierError(
            f"A subject must be an e-mail address such as 'alice@example.com' for the hosted API, "
            f"got {subject!r}."
        )
    return user
