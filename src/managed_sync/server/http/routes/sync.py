"""The five operations of the Sync API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse

from managed_sync.models import ApiModel, RecordPage, SyncedRecord, SyncStatus
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.http.guard import PROBLEMS, ProjectCaller
from managed_sync.server.http.problems import ProblemError
from managed_sync.server.http.routes.content import CONTENT_ANSWERS, record_content
from managed_sync.server.http.routes.parameters import Integration, Name, RecordId, SyncType
from managed_sync.server.http.workers import Workers
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import find_pipeline
from managed_sync.server.storage.records import StoredRecord, find_record, record_page
from managed_sync.server.storage.scopes import find_scope
from managed_sync.server.sync.projects import Projects

__all__ = ["sync_routes"]


class EnableSync(ApiModel):
    """The body of enableSync."""

    integration: Name
    sync_type: Name
    frequency: str | None = None


def sync_routes(
    route_class: type[APIRoute], projects: Projects, database: Database, writers: Workers
) -> APIRouter:
    """Returns the routes below ``/projects/{projectId}/sync``."""
    router = APIRouter(
        prefix="/projects/{projectId}/sync",
        tags=["Sync"],
        route_class=route_class,
        responses=PROBLEMS,
    )

    @router.post(
        "/enable",
        operation_id="enableSync",
        status_code=HTTPStatus.CREATED,
        response_model_exclude_none=True,
    )
    async def enable(caller: ProjectCaller, body: Annotated[EnableSync, Body()]) -> SyncStatus:
        name = PipelineName(body.integration, body.sync_type)
        pipelines = projects[caller.project_id].pipelines
        return await writers.run(lambda: pipelines.enable(caller, name, body.frequency))

    @router.get("/status", operation_id="getSyncStatus", response_model_exclude_none=True)
    def status(caller: ProjectCaller, integration: Integration, sync_type: SyncType) -> SyncStatus:
        pipelines = projects[caller.project_id].pipelines
        return pipelines.status(caller, PipelineName(integration, sync_type))

    @router.get("/records", operation_id="pullSyncedRecords", response_model_exclude_none=True)
    def records(
        caller: ProjectCaller,
        integration: Integration,
        sync_type: SyncType,
        cursor: str | None = None,
    ) -> RecordPage:
        name = PipelineName(integration, sync_type)
        with database.reading() as connection:
            pipeline = find_pipeline(connection, caller, name)
            if pipeline is not None:
                return record_page(connection, pipeline, cursor)
        projects[caller.project_id].pipelines.require_in_source(name)
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"The pipeline {name} is not enabled; enable it to get records."
        )

    @router.get(
        "/records/{recordId}", operation_id="getSyncedRecord", response_model_exclude_none=True
    )
    def record(caller: ProjectCaller, record_id: RecordId) -> SyncedRecord:
        return _find(database, caller, record_id).record

    @router.get(
        "/records/{recordId}/content",
        operation_id="downloadContent",
        response_class=StreamingResponse,
        responses=CONTENT_ANSWERS,
    )
    def content(request: Request, caller: ProjectCaller, record_id: RecordId) -> Response:
        found = _find(database, caller, record_id)
        return record_content(request, found, projects[caller.project_id])

    return router


def _find(database: Database, caller: Scope, record_id: str) -> StoredRecord:
    with database.reading() as connection:
        found = find_record(connection, find_scope(connection, caller), record_id)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no record {record_id!r}.")
    return found
