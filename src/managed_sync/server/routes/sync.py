"""The five operations of the Sync API."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Path, Query
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from managed_sync.models import ApiModel, RecordPage, SyncedRecord, SyncStatus
from managed_sync.server.pipelines import Pipelines, UnknownPipelineError
from managed_sync.server.problems import ProblemError
from managed_sync.server.scope import PipelineName, Scope
from managed_sync.server.sources.file_tree import OpenFile
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import find_pipeline
from managed_sync.server.storage.records import StoredRecord, find_record, record_page
from managed_sync.server.storage.scopes import find_scope
from managed_sync.server.tokens import Caller

__all__ = ["sync_routes"]

_BLOCK = 1 << 18


class EnableSync(ApiModel):
    """The body of enableSync."""

    integration: str
    sync_type: str
    frequency: str | None = None


def sync_routes(
    route_class: type[APIRoute], pipelines: Pipelines, database: Database, source: FolderSource
) -> APIRouter:
    """The routes below ``/projects/{projectId}/sync``."""
    router = APIRouter(prefix="/projects/{projectId}/sync", tags=["Sync"], route_class=route_class)

    @router.post(
        "/enable",
        operation_id="enableSync",
        status_code=HTTPStatus.CREATED,
        response_model_exclude_none=True,
    )
    def enable(caller: Caller, body: Annotated[EnableSync, Body()]) -> SyncStatus:
        try:
            return pipelines.enable(
                caller, PipelineName(body.integration, body.sync_type), body.frequency
            )
        except UnknownPipelineError as error:
            raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from None
        except ValueError as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from None

    @router.get("/status", operation_id="getSyncStatus", response_model_exclude_none=True)
    def status(
        caller: Caller, integration: str, sync_type: Annotated[str, Query(alias="syncType")]
    ) -> SyncStatus:
        try:
            return pipelines.status(caller, PipelineName(integration, sync_type))
        except UnknownPipelineError as error:
            raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from None

    @router.get("/records", operation_id="pullSyncedRecords", response_model_exclude_none=True)
    def records(
        caller: Caller,
        integration: str,
        sync_type: Annotated[str, Query(alias="syncType")],
        cursor: str | None = None,
    ) -> RecordPage:
        name = PipelineName(integration, sync_type)
        with database.reading() as connection:
            pipeline = find_pipeline(connection, caller, name)
            if pipeline is not None:
                try:
                    return record_page(connection, pipeline, cursor)
                except ValueError as error:
                    raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from None
        try:
            pipelines.require_in_source(name)
        except UnknownPipelineError as error:
            raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from None
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"The pipeline {name} is not enabled; enable it to get records."
        )

    @router.get(
        "/records/{recordId}", operation_id="getSyncedRecord", response_model_exclude_none=True
    )
    def record(caller: Caller, record_id: Annotated[str, Path(alias="recordId")]) -> SyncedRecord:
        return _find(database, caller, record_id).record

    @router.get(
        "/records/{recordId}/content",
        operation_id="downloadContent",
        response_class=StreamingResponse,
    )
    def content(
        caller: Caller, record_id: Annotated[str, Path(alias="recordId")]
    ) -> StreamingResponse:
        return _content(_find(database, caller, record_id), source)

    return router


def _find(database: Database, caller: Scope, record_id: str) -> StoredRecord:
    with database.reading() as connection:
        found = find_record(connection, find_scope(connection, caller), record_id)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no record {record_id!r}.")
    return found


def _content(found: StoredRecord, source: FolderSource) -> StreamingResponse:
    name = str(found.record.data.get("name", found.record.source_id))
    if found.location is None:
        kind = "a folder" if found.container else f"of the kind {found.record.sync_type!r}"
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The record {found.record.id!r} is {kind}; only files have content.",
        )
    file = source.open(found.location)
    if file is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The file {found.record.source_id!r} is no longer there, or cannot be read; "
            "the next sync brings the records up to date.",
        )
    return StreamingResponse(
        _blocks(file),
        headers={
            # As a header, for as a media type it would get a charset that nobody knows.
            "Content-Type": str(found.record.data["mimeType"]),
            "Content-Length": str(file.size),
            "Content-Disposition": _disposition(name),
            "X-Content-Type-Options": "nosniff",
        },
    )


def _blocks(file: OpenFile) -> Iterator[bytes]:
    """The content up to the promised length, even when the file grows meanwhile."""
    left = file.size
    with file.stream as stream:
        while left and (block := stream.read(min(_BLOCK, left))):
            left -= len(block)
            yield block


def _disposition(name: str) -> str:
    """RFC 6266: the name in ASCII for old readers, and as it is (RFC 5987) for the others."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_"
        for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
