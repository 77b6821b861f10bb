"""Health, readiness, metrics and the proof of identity."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy import literal, select

from managed_sync.models import ApiModel
from managed_sync.server.auth.proof import PROOF_PATH, Proof
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.http.metrics import Metrics
from managed_sync.server.http.problems import ProblemError, documented
from managed_sync.server.http.workers import Workers
from managed_sync.server.storage.database import Database

__all__ = ["operation_routes"]

_READY_SECONDS = 5.0


class Health(ApiModel):
    """The response of a healthy server."""

    status: Literal["ok"] = "ok"


def operation_routes(
    database: Database, engine: PermissionEngine, metrics: Metrics, proof: Proof
) -> APIRouter:
    """Returns the routes for health, readiness, metrics and proof, which need no token."""
    router = APIRouter(tags=["Operation"])
    # With threads of its own, readiness is answered while all other threads wait.
    prober = Workers("readiness", count=2, wait_seconds=_READY_SECONDS)

    @router.get("/healthz", operation_id="getHealth")
    async def health() -> Health:
        return Health()

    @router.get(
        "/readyz",
        operation_id="getReadiness",
        responses=documented(HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def readiness(request: Request) -> Health:
        if not request.app.state.ready:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server is starting or shutting down. Try again.",
            )
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await prober.run(require_ready)
        except TimeoutError:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"The database did not answer within {_READY_SECONDS:g} s.",
            ) from None
        return Health()

    def require_ready() -> None:
        with database.reading() as connection:
            connection.execute(select(literal(1)))
        engine.require_ready()

    @router.get("/metrics", operation_id="getMetrics", response_class=MetricsResponse)
    def exposition() -> Response:
        return MetricsResponse(metrics.exposition(), headers={"Content-Type": metrics.content_type})

    @router.get(PROOF_PATH + "{challenge}", include_in_schema=False)
    async def prove(request: Request, challenge: str) -> Response:
        host, port = request.scope["server"]
        return Response(proof.answer(challenge, host, port or 0), media_type="text/plain")

    return router


class MetricsResponse(Response):
    """Metrics in Prometheus' text format."""

    media_type = "text/plain"
