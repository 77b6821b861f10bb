"""What those who run the server ask it: whether it lives, whether it can work, how it does."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy import literal, select
from sqlalchemy.exc import SQLAlchemyError

from managed_sync.models import ApiModel
from managed_sync.server.metrics import Metrics
from managed_sync.server.problems import ProblemError, documented
from managed_sync.server.relations.graph import PermissionEngine
from managed_sync.server.storage.database import Database

__all__ = ["operation_routes"]

_log = logging.getLogger("managed_sync.server")


class Health(ApiModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


def operation_routes(database: Database, engine: PermissionEngine, metrics: Metrics) -> APIRouter:
    """Health, readiness and metrics; open to everybody who reaches the server."""
    router = APIRouter(tags=["Operation"])

    @router.get("/healthz", operation_id="getHealth")
    async def health() -> Health:
        return Health()

    @router.get(
        "/readyz",
        operation_id="getReadiness",
        responses=documented(HTTPStatus.SERVICE_UNAVAILABLE),
    )
    def readiness(request: Request) -> Health:
        if not request.app.state.ready:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "The server starts or stops.")
        try:
            with database.reading() as connection:
                connection.execute(select(literal(1)))
        except SQLAlchemyError as error:
            _log.error("The database does not answer: %s", type(error).__name__)
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "The database does not answer."
            ) from None
        engine.require_ready()
        return Health()

    @router.get("/metrics", operation_id="getMetrics", response_class=MetricsResponse)
    def exposition() -> Response:
        return MetricsResponse(metrics.exposition(), headers={"Content-Type": metrics.content_type})

    return router


class MetricsResponse(Response):
    """Metrics in Prometheus' text format."""

    media_type = "text/plain"
