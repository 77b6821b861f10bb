"""The hosted service's paths of the Sync API, over the same pipelines and records.

Here the token names the project, and an id names a pipeline. Records are listed in the order in
which they changed, so a stored cursor returns the changes since then.

See ``docs/decisions/0027-server-hosted-paths.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse

from managed_sync.identifiers import lower_ascii
from managed_sync.models import SyncState, SyncStatus
from managed_sync.server.domain import InvalidParameterError, PipelineName, Scope, sync_id
from managed_sync.server.http.guard import PROBLEMS, Caller
from managed_sync.server.http.problems import ProblemError
from managed_sync.server.http.routes.content import CONTENT_ANSWERS, record_content
from managed_sync.server.http.routes.hosted_models import (
    EnableHostedSync,
    HostedPage,
    HostedStatus,
    HostedSyncResponse,
    ListedSync,
    ListedSyncs,
    Paging,
    Summary,
)
from managed_sync.server.http.routes.parameters import RecordId
from managed_sync.server.http.workers import Workers
from managed_sync.server.storage.changes import change_page, latest_cursor
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import StoredPipeline, pipelines_of_scope
from managed_sync.server.storage.records import StoredRecord, find_record
from managed_sync.server.sync.projects import Projects
from managed_sync.server.sync.runner import Pipelines

__all__ = ["SyncId", "hosted_sync_routes", "require_sync"]

SyncId: TypeAlias = Annotated[str, Path(alias="syncId", description="The id of a pipeline.")]


def hosted_sync_routes(
    route_class: type[APIRoute], projects: Projects, database: Database, writers: Workers
) -> APIRouter:
    """Returns the routes below ``/api/syncs``."""
    router = APIRouter(
        prefix="/api/syncs", tags=["Hosted Sync"], route_class=route_class, responses=PROBLEMS
    )

    @router.post("", operation_id="enableHostedSync")
    async def enable(
        caller: Caller, body: Annotated[EnableHostedSync, Body()]
    ) -> HostedSyncResponse:
        pipelines = projects[caller.project_id].pipelines

        def work() -> HostedSyncResponse:
            name = _name_in_source(pipelines, body.integration, body.pipeline)
            frequency = _frequency(body.configuration)
            pipelines.enable(caller, name, frequency, body.configuration_name)
            return _answer(caller, name, pipelines)

        return await writers.run(work)

    @router.get("", operation_id="listHostedSyncs")
    def listed(caller: Caller) -> ListedSyncs:
        return ListedSyncs(
            data=[
                ListedSync(
                    id=sync_id(caller, pipeline.name),
                    integration=lower_ascii(pipeline.name.integration),
                    pipeline=pipeline.name.sync_type,
                    status=_status(pipeline, status),
                    configuration_name=pipeline.configuration_name,
                    date_created=pipeline.created_at,
                    date_updated=pipeline.last_synced_at or pipeline.updated_at,
                )
                for pipeline, status in projects[caller.project_id].pipelines.of(caller)
            ]
        )

    @router.get("/{syncId}", operation_id="getHostedSync")
    def status(caller: Caller, identifier: SyncId) -> HostedStatus:
        pipeline = require_sync(database, caller, identifier)
        now = projects[caller.project_id].pipelines.status(caller, pipeline.name)
        with database.reading() as connection:
            cursor = latest_cursor(connection, pipeline)
        return HostedStatus(
            status=_status(pipeline, now),
            summary=Summary(
                total_records=now.record_count,
                synced_records_count=now.record_count,
                last_synced_at=now.last_synced_at,
                latest_cursor=cursor,
            ),
        )

    @router.post("/{syncId}/disable", operation_id="disableHostedSync")
    async def disable(caller: Caller, identifier: SyncId) -> HostedSyncResponse:
        pipelines = projects[caller.project_id].pipelines

        def work() -> HostedSyncResponse:
            pipeline = require_sync(database, caller, identifier)
            pipelines.disable(pipeline)
            return _answer(caller, pipeline.name, pipelines)

        return await writers.run(work)

    @router.post("/{syncId}/reenable", operation_id="reenableHostedSync")
    async def reenable(caller: Caller, identifier: SyncId) -> HostedSyncResponse:
        pipelines = projects[caller.project_id].pipelines

        def work() -> HostedSyncResponse:
            pipeline = require_sync(database, caller, identifier)
            pipelines.enable(caller, pipeline.name)
            return _answer(caller, pipeline.name, pipelines)

        return await writers.run(work)

    @router.delete("/{syncId}", operation_id="deleteHostedSync", status_code=HTTPStatus.NO_CONTENT)
    async def delete(caller: Caller, identifier: SyncId) -> None:
        pipelines = projects[caller.project_id].pipelines
        await writers.run(lambda: pipelines.delete(require_sync(database, caller, identifier)))

    @router.get("/{syncId}/records", operation_id="pullHostedRecords")
    def records(
        caller: Caller,
        identifier: SyncId,
        page_size: Annotated[int, Query(alias="pageSize", ge=1, le=1000)] = 100,
        cursor: str | None = None,
    ) -> HostedPage:
        pipeline = require_sync(database, caller, identifier)
        with database.reading() as connection:
            page = change_page(connection, pipeline, cursor, page_size)
        return HostedPage(
            data=[_hosted(found) for found in page.records],
            paging=Paging(
                total_records=page.total,
                total_active_records=page.total,
                remaining_records=page.remaining,
                cursor=page.cursor,
                last_seen=page.records[-1].record.id if page.records else None,
            ),
        )

    @router.get("/{syncId}/records/{recordId}", operation_id="getHostedRecord")
    def record(caller: Caller, identifier: SyncId, record_id: RecordId) -> dict[str, Any]:
        return _hosted(_find(database, caller, identifier, record_id))

    @router.get(
        "/{syncId}/records/{recordId}/content",
        operation_id="downloadHostedContent",
        response_class=StreamingResponse,
        responses=CONTENT_ANSWERS,
    )
    def content(
        request: Request, caller: Caller, identifier: SyncId, record_id: RecordId
    ) -> Response:
        found = _find(database, caller, identifier, record_id)
        return record_content(request, found, projects[caller.project_id])

    return router


def require_sync(database: Database, caller: Scope, identifier: str) -> StoredPipeline:
    """Returns the caller's pipeline with this id.

    Raises:
        ProblemError: 404; the caller has no such pipeline.
    """
    with database.reading() as connection:
        for pipeline in pipelines_of_scope(connection, caller):
            if sync_id(caller, pipeline.name) == identifier:
                return pipeline
    raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no sync {identifier!r}.")


def _name_in_source(pipelines: Pipelines, integration: str, sync_type: str) -> PipelineName:
    """Returns the name in the source's spelling; hosted clients write it in lower case."""
    for name in pipelines.in_source():
        if (
            lower_ascii(name.integration) == lower_ascii(integration)
            and name.sync_type == sync_type
        ):
            return name
    return PipelineName(integration, sync_type)


def _frequency(configuration: Mapping[str, Any] | None) -> str | None:
    """Returns the frequency, the only setting that this server supports.

    An unknown setting is an error: it may restrict the sync, and ignoring it would sync more than
    the client meant to.
    """
    further = dict(configuration or {})
    frequency = further.pop("frequency", None)
    if further:
        names = ", ".join(map(repr, sorted(further)))
        raise InvalidParameterError(
            f"configuration must contain only 'frequency', such as 15m, got {names}, too."
        )
    if frequency is not None and not isinstance(frequency, str):
        kind = type(frequency).__name__
        raise InvalidParameterError(f"frequency must be a string such as '15m', got a {kind}.")
    return frequency


def _answer(caller: Scope, name: PipelineName, pipelines: Pipelines) -> HostedSyncResponse:
    found = {pipeline.name: (pipeline, status) for pipeline, status in pipelines.of(caller)}
    if name not in found:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"The sync of {name} was deleted meanwhile.")
    return HostedSyncResponse(
        id=sync_id(caller, name),
        user_id=caller.user_id,
        integration=lower_ascii(name.integration),
        pipeline=name.sync_type,
        project_id=caller.project_id,
        status=_status(*found[name]),
    )


def _status(pipeline: StoredPipeline, now: SyncStatus) -> str:
    if now.status is SyncState.SYNCING:
        return "ACTIVE" if pipeline.last_synced_at else "INITIALIZING"
    return "ERRORED" if now.status is SyncState.ERROR else now.status.value


def _find(database: Database, caller: Scope, identifier: str, record_id: str) -> StoredRecord:
    pipeline = require_sync(database, caller, identifier)
    with database.reading() as connection:
        found = find_record(connection, pipeline.scope_id, record_id, pipeline.id)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"The sync has no record {record_id!r}.")
    return found


def _hosted(found: StoredRecord) -> dict[str, Any]:
    """Returns a record in the hosted service's form: its fields are next to its ids, not below."""
    record = found.record
    updated_at = record.updated_at.isoformat() if record.updated_at else None
    data = dict(record.data)
    if parent := data.pop("parentId", None):
        data["parentFolderId"] = parent
    return {
        **data,
        "id": record.id,
        "externalId": record.source_id,
        "createdAt": record.data.get("createdAt", updated_at),
        "updatedAt": updated_at,
    }
