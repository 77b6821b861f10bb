"""The hosted service's paths of the Permissions API, over the same graph.

Objects are plain record ids of one sync, users are e-mail addresses, and roles have other names.
Nobody has access to an id that is not a record of the sync.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError, WithJsonSchema

from managed_sync.errors import InvalidIdentifierError
from managed_sync.identifiers import ObjectId
from managed_sync.models import ApiModel, RelationshipNode
from managed_sync.server.config import Limits
from managed_sync.server.domain import Scope
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.graph.schema import ORGANIZATION, GraphQuery, subject_key
from managed_sync.server.http.guard import PROBLEMS, Caller
from managed_sync.server.http.problems import ProblemError
from managed_sync.server.http.routes.hosted_sync import SyncId, require_sync
from managed_sync.server.http.routes.parameters import Name
from managed_sync.server.http.routes.permissions import require_batch_size
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import StoredPipeline
from managed_sync.server.storage.records import objects_by_id

__all__ = ["hosted_permission_routes"]

_ROLES = {"can_read": "viewer", "can_write": "editor", "is_owner": "owner"}
_MAX_RESULTS = 1_000
# Expanding takes no user. This name contains a blank, so no user can have it.
_NOBODY = "user: nobody"


class HostedCheck(ApiModel):
    """The body of checkHostedAccess: a user, a role and a record."""

    object: Name
    user: Name
    role: Name


class HostedDecision(ApiModel):
    """The result of one check."""

    has_access: bool


class HostedBatch(ApiModel):
    """The body of batchCheckHostedAccess; its items are validated one by one."""

    checks: list[Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/HostedCheck"})]]


class HostedResult(ApiModel):
    """The result of one check of a batch, with the check itself."""

    allowed: bool
    request: Any
    error: str | None = None


class HostedResults(ApiModel):
    """The results of a batch, in the order of its checks."""

    result: list[HostedResult]


class HostedListUsers(ApiModel):
    """The body of listHostedUsers: a record and a role."""

    object: Name
    role: Name


class HostedUsers(ApiModel):
    """The response of listHostedUsers: e-mail addresses."""

    users: list[str]


class HostedListObjects(ApiModel):
    """The body of listHostedObjects: a user, a role and a kind of record."""

    object_type: Literal["file", "folder"]
    user: Name
    role: Name


class HostedObjects(ApiModel):
    """The response of listHostedObjects: record ids."""

    objects: list[str]


class HostedExpand(ApiModel):
    """The body of expandHostedRelationships: a record and a role."""

    object: Name
    relation: Name


class HostedTree(ApiModel):
    """The response of expandHostedRelationships: a tree of unions with subjects as leaves."""

    tree: dict[str, Any]


def hosted_permission_routes(
    route_class: type[APIRoute], database: Database, engine: PermissionEngine, limits: Limits
) -> APIRouter:
    """Returns the routes below ``/api/permissions``."""
    router = APIRouter(
        prefix="/api/permissions/{syncId}",
        tags=["Hosted Permissions"],
        route_class=route_class,
        responses=PROBLEMS,
    )

    def objects_of(pipeline: StoredPipeline, record_ids: Sequence[str]) -> dict[str, str]:
        with database.reading() as connection:
            return objects_by_id(connection, pipeline, record_ids)

    def object_of(caller: Scope, identifier: str, record_id: str) -> str | None:
        pipeline = require_sync(database, caller, identifier)
        return objects_of(pipeline, [record_id]).get(record_id)

    def answers(pipeline: StoredPipeline, checks: Sequence[HostedCheck | None]) -> list[bool]:
        objects = objects_of(pipeline, [check.object for check in checks if check is not None])
        queries = [
            GraphQuery(_user(check.user), _relation(check.role), objects[check.object])
            if check is not None and check.object in objects
            else None
            for check in checks
        ]
        with engine.graph(pipeline.scope) as graph:
            return graph.check(queries)

    def accessible(caller: Scope, identifier: str, body: HostedListObjects) -> list[str]:
        pipeline = require_sync(database, caller, identifier)
        user, relation = _user(body.user), _relation(body.role)
        with engine.graph(caller) as graph:
            found = graph.list_objects(user, relation, body.object_type)
        identifiers = [ObjectId.parse(one).id for one in found]
        own = objects_of(pipeline, identifiers)
        return [one for one in identifiers if one in own]

    @router.post("/check", operation_id="checkHostedAccess")
    def check(
        caller: Caller, identifier: SyncId, body: Annotated[HostedCheck, Body()]
    ) -> HostedDecision:
        pipeline = require_sync(database, caller, identifier)
        _user(body.user), _relation(body.role)
        return HostedDecision(has_access=answers(pipeline, [body])[0])

    @router.post(
        "/batch-check",
        operation_id="batchCheckHostedAccess",
        response_model_exclude_unset=True,
    )
    def batch_check(
        caller: Caller, identifier: SyncId, body: Annotated[HostedBatch, Body()]
    ) -> HostedResults:
        require_batch_size(body.checks, limits)
        pipeline = require_sync(database, caller, identifier)
        read = [_check_or_error(item) for item in body.checks]
        checks = [one if isinstance(one, HostedCheck) else None for one in read]
        allowed = answers(pipeline, checks)
        return HostedResults(
            result=[
                HostedResult(allowed=decision, request=item, error=one)
                if isinstance(one, str)
                else HostedResult(allowed=decision, request=item)
                for decision, item, one in zip(allowed, body.checks, read, strict=True)
            ]
        )

    @router.post("/list-users", operation_id="listHostedUsers")
    def list_users(
        caller: Caller, identifier: SyncId, body: Annotated[HostedListUsers, Body()]
    ) -> HostedUsers:
        relation = _relation(body.role)
        object_id = object_of(caller, identifier, body.object)
        if object_id is None:
            return HostedUsers(users=[])
        with engine.graph(caller) as graph:
            return HostedUsers(users=graph.list_users(relation, object_id)[:_MAX_RESULTS])

    @router.post("/list-objects", operation_id="listHostedObjects")
    def list_objects(
        caller: Caller, identifier: SyncId, body: Annotated[HostedListObjects, Body()]
    ) -> HostedObjects:
        return HostedObjects(objects=accessible(caller, identifier, body)[:_MAX_RESULTS])

    @router.post(
        "/streamed-list-objects",
        operation_id="streamHostedObjects",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
    )
    def stream_objects(
        caller: Caller, identifier: SyncId, body: Annotated[HostedListObjects, Body()]
    ) -> StreamingResponse:
        lines = (f"{json.dumps({'object': one})}\n" for one in accessible(caller, identifier, body))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @router.post("/expand", operation_id="expandHostedRelationships")
    def expand_relationships(
        caller: Caller, identifier: SyncId, body: Annotated[HostedExpand, Body()]
    ) -> HostedTree:
        relation = _relation(body.relation)
        object_id = object_of(caller, identifier, body.object)
        if object_id is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"The sync has no record {body.object!r}.")
        with engine.graph(caller) as graph:
            root = graph.expand(GraphQuery(_NOBODY, relation, object_id))
        return HostedTree(tree={"root": _tree(root)})

    return router


def _user(user: str) -> str:
    """Returns the subject for an address with or without the prefix ``user:``."""
    return subject_key(user if user.startswith("user:") else f"user:{user}")


def _relation(role: str) -> str:
    if role not in _ROLES:
        raise InvalidIdentifierError(
            f"The role must be one of {', '.join(_ROLES)}, got {role[:80]!r}."
        )
    return _ROLES[role]


def _check_or_error(item: object) -> HostedCheck | str:
    """Returns one item of a batch, or an error, so that the other items still get results."""
    try:
        check = HostedCheck.model_validate(item)
        _user(check.user), _relation(check.role)
    except ValidationError:
        return "A check must have the strings 'object', 'user' and 'role'."
    except InvalidIdentifierError as error:
        return str(error)
    return check


def _tree(node: RelationshipNode) -> dict[str, Any]:
    """Returns a node in the hosted form: a union whose first leaf has the node's own subjects."""
    role = next((name for name, relation in _ROLES.items() if relation == node.relation), "member")
    name = f"{ObjectId.parse(node.object).id if role in _ROLES else node.object}#{role}"
    leaf = {"users": {"users": [_member(subject) for subject in node.subjects]}}
    if not node.children:
        return {"name": name, "leaf": leaf}
    nodes = [{"name": name, "leaf": leaf}, *map(_tree, node.children)]
    return {"name": name, "union": {"nodes": nodes}}


def _member(subject: str) -> str:
    is_group = subject.startswith("group:") or subject == ORGANIZATION
    return f"{subject}#member" if is_group else f"user:{subject}"
