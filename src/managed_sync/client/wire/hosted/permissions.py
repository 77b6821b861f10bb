"""The hosted service's requests about permissions, each sent to the sync that an object is from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from managed_sync.client.wire.batch_results import read_decision, read_decisions
from managed_sync.client.wire.entity_lists import NameList, parse_objects, parse_subjects
from managed_sync.client.wire.expand_trees import Naming, parse_tree
from managed_sync.client.wire.hosted.names import hosted_role, hosted_user, our_relation
from managed_sync.client.wire.request import (
    Operation,
    Request,
    Response,
    parse_json,
    parse_model,
    path_segment,
)
from managed_sync.errors import ResponseFormatError
from managed_sync.identifiers import ObjectId, RecordOfSync, address_key
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


class _Decisions(BaseModel):
    result: list[dict[str, Any]]


def check_access(check: AccessCheck) -> Operation[bool]:
    """One decision."""
    question = _question(check)

    def parse(response: Response) -> bool:
        return read_decision(parse_json(response), "hasAccess", asked=question, key_of=_key_of)

    return _post(record_of(check.object).sync, "check", question, parse)


def batch_check_access(checks: Sequence[AccessCheck]) -> Operation[list[bool]]:
    """Decisions about objects of one sync, each with the check that it belongs to."""
    asked = [{**each, "user": f"user:{each['user']}"} for each in map(_question, checks)]

    def parse(response: Response) -> list[bool]:
        return read_decisions(
            parse_model(_Decisions, parse_json(response)).result,
            objects=[check.object for check in checks],
            keys=[_key_of(each) for each in asked],
            key_of=_key_of,
            must_echo=True,
        )

    sync = record_of(checks[0].object).sync
    return _post(sync, "batch-check", {"checks": asked}, parse)


def list_users(object_id: str, relation: str) -> Operation[list[str]]:
    """The users with a relation to an object; a thousand at most."""
    record = record_of(object_id)
    body = {"object": record.id, "role": hosted_role(relation)}
    return _post(record.sync, "list-users", body, lambda response: parse_subjects(response).names)


def list_objects(
    sync_id: str, object_type: str, subject: str, relation: str
) -> Operation[NameList]:
    """The objects of one sync to which a user has a relation: all of them, however many."""
    body = {
        "objectType": object_type,
        "user": hosted_user(subject),
        "role": hosted_role(relation),
    }

    def parse(response: Response) -> NameList:
        page = parse_objects(response)
        objects = (_object_id(sync_id, name, object_type) for name in page.names)
        return NameList(objects, is_whole=page.is_end_of(page.names))

    return _post(sync_id, "streamed-list-objects", body, parse)


def expand(check: AccessCheck) -> Operation[RelationshipNode]:
    """The tree of a relation, in which no subject is asked about."""
    asked, record = ObjectId.parse(check.object), record_of(check.object)

    def object_id(name: str) -> str:
        kind, colon, _ = name.rpartition(":")
        is_record = not colon or kind in {"file", "folder"}
        return _object_id(record.sync, name, kind or asked.type) if is_record else name

    body = {"object": record.id, "relation": hosted_role(check.relation)}
    naming = Naming(object_id, our_relation)
    return _post(record.sync, "expand", body, lambda response: parse_tree(response, check, naming))


def record_of(object_id: str) -> RecordOfSync:
    """The record that an object id names.

    Raises:
        InvalidIdentifierError: It is not an object id that this client gave out.
    """
    return RecordOfSync.parse(ObjectId.parse(object_id).id)


def _question(check: AccessCheck) -> dict[str, str]:
    return {
        "object": record_of(check.object).id,
        "user": hosted_user(check.subject),
        "role": hosted_role(check.relation),
    }


def _key_of(request: Mapping[str, Any]) -> tuple[str, str, str]:
    # The service may write an e-mail address in its own way, and leave out the type.
    user = address_key(str(request.get("user")).removeprefix("user:"))
    return str(request.get("object")), user, str(request.get("role"))


def _object_id(sync_id: str, name: str, object_type: str) -> str:
    record_id = name.removeprefix(f"{object_type}:")
    if not record_id or ":" in record_id or "/" in record_id:
        raise ResponseFormatError(
            f"The API named something that is not the id of a record where one of a {object_type} "
            f"belongs."
        )
    return str(ObjectId(object_type, str(RecordOfSync(sync_id, record_id))))


def _post(
    sync_id: str, name: str, body: Mapping[str, Any], parse: Callable[[Response], T]
) -> Operation[T]:
    path = f"/api/permissions/{path_segment(sync_id, 'sync id')}/{name}"
    return Operation(Request("POST", path, body=body), parse)
