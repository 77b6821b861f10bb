"""The five operations of the Permissions API."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.routing import APIRoute
from pydantic import Field, ValidationError, WithJsonSchema

from managed_sync.errors import InvalidIdentifierError
from managed_sync.models import AccessCheck, ApiModel, RelationshipNode
from managed_sync.server.config import Limits
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.graph.schema import (
    GraphQuery,
    UnknownRelationError,
    object_key,
    relation_key,
    subject_key,
)
from managed_sync.server.http.guard import PROBLEMS, ProjectCaller
from managed_sync.server.http.problems import ProblemError
from managed_sync.server.http.routes.parameters import Name
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.records import folders_without_record
from managed_sync.server.storage.scopes import find_scope

__all__ = ["permission_routes", "require_batch_size"]


class CheckResponse(ApiModel):
    """The result of one check."""

    allowed: bool


class BatchCheckRequest(ApiModel):
    """The body of batchCheckAccess; its items are looked at one by one."""

    checks: list[Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/AccessCheck"})]]


class BatchCheckResponse(ApiModel):
    """The results of a batch, in the order of its checks."""

    results: list[CheckResponse]


class ListUsersRequest(ApiModel):
    """The body of listUsers."""

    object: str
    relation: str


class ListUsersResponse(ApiModel):
    """The answer of listUsers: e-mail addresses."""

    subjects: list[str]


class ListObjectsRequest(ApiModel):
    """The body of listObjects."""

    subject: str
    relation: str
    object_type: Annotated[Name, Field(min_length=1)] | None = None


class ListObjectsResponse(ApiModel):
    """The answer of listObjects: object ids."""

    objects: list[str]


def permission_routes(
    route_class: type[APIRoute], database: Database, engine: PermissionEngine, limits: Limits
) -> APIRouter:
    """Returns the routes below ``/projects/{projectId}/permissions``."""
    router = APIRouter(
        prefix="/projects/{projectId}/permissions",
        tags=["Permissions"],
        route_class=route_class,
        responses=PROBLEMS,
    )

    @router.post("/check-access", operation_id="checkAccess")
    def check_access(caller: ProjectCaller, body: Annotated[AccessCheck, Body()]) -> CheckResponse:
        query = _query(body)
        with engine.graph(caller) as graph:
            return CheckResponse(allowed=graph.check([query])[0])

    @router.post("/batch-check-access", operation_id="batchCheckAccess")
    def batch_check_access(
        caller: ProjectCaller, body: Annotated[BatchCheckRequest, Body()]
    ) -> BatchCheckResponse:
        require_batch_size(body.checks, limits)
        queries = [_query_or_none(item) for item in body.checks]
        with engine.graph(caller) as graph:
            answers = graph.check(queries)
        return BatchCheckResponse(results=[CheckResponse(allowed=answer) for answer in answers])

    @router.post("/list-users", operation_id="listUsers")
    def list_users(
        caller: ProjectCaller, body: Annotated[ListUsersRequest, Body()]
    ) -> ListUsersResponse:
        relation, object_id = relation_key(body.relation), object_key(body.object)
        with engine.graph(caller) as graph:
            return ListUsersResponse(subjects=graph.list_users(relation, object_id))

    @router.post("/list-objects", operation_id="listObjects")
    def list_objects(
        caller: ProjectCaller, body: Annotated[ListObjectsRequest, Body()]
    ) -> ListObjectsResponse:
        subject, relation = subject_key(body.subject), relation_key(body.relation)
        with engine.graph(caller) as graph:
            found = graph.list_objects(subject, relation, body.object_type)
        with database.reading() as connection:
            nowhere = folders_without_record(connection, find_scope(connection, caller), found)
        return ListObjectsResponse(objects=[one for one in found if one not in nowhere])

    @router.post("/expand", operation_id="expandRelationships")
    def expand_relationships(
        caller: ProjectCaller, body: Annotated[AccessCheck, Body()]
    ) -> RelationshipNode:
        query = _query(body)
        with engine.graph(caller) as graph:
            return graph.expand(query)

    return router


def require_batch_size(checks: Sequence[object], limits: Limits) -> None:
    """Refuses a batch of too many checks.

    Raises:
        ProblemError: 413, with the limit.
    """
    if len(checks) > limits.checks:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{len(checks)} checks are too many for one call; the limit is {limits.checks}.",
        )


def _query(check: AccessCheck) -> GraphQuery:
    return GraphQuery.parse(subject=check.subject, relation=check.relation, object_id=check.object)


def _query_or_none(item: object) -> GraphQuery | None:
    """Returns the query of one item of a batch; ``None`` for a malformed item.

    Raises:
        UnknownRelationError: The graph has no such relation, which is no mistake of one item.
    """
    try:
        return _query(AccessCheck.model_validate(item))
    except UnknownRelationError:
        raise
    except (ValidationError, InvalidIdentifierError):
        return None
