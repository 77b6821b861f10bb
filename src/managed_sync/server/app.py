"""The application: the parts put together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from managed_sync.server.config import ServerConfig
from managed_sync.server.pipelines import Pipelines
from managed_sync.server.problems import install_problem_handlers
from managed_sync.server.routes.permissions import permission_routes
from managed_sync.server.routes.sync import sync_routes
from managed_sync.server.signing_key import load_or_create_signing_key
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.storage.database import Database
from managed_sync.server.tokens import TokenVerifier, protected_by

__all__ = ["create_app"]

# A library says nothing on its own; who wants to hear it sets up logging.
logging.getLogger("managed_sync.server").addHandler(logging.NullHandler())


def create_app(config: ServerConfig) -> FastAPI:
    """Builds the application of a server.

    Its lifespan starts and stops schedule and syncs; run it with one worker.

    Raises:
        SourceError: The company folder is missing.
        PermissionsFileError: Its ``permissions.yaml`` is missing or malformed, at the first start.
        ConfigurationError: The state folder cannot be used.

    Examples:
        >>> from pathlib import Path
        >>> app = create_app(ServerConfig(Path("company"), Path("state")))  # doctest: +SKIP
    """
    source = FolderSource(config.folder, synced_before=config.database.exists())
    public_key = load_or_create_signing_key(config.state).public_key
    database = Database(config.database)
    pipelines = Pipelines(database, source, config.project_id)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(pipelines.start)
            yield
        finally:
            await run_in_threadpool(pipelines.stop)
            database.close()

    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(
        title="Managed Sync API",
        version="1.0.0",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    install_problem_handlers(app)
    route_class = protected_by(TokenVerifier(public_key, config.project_id))
    app.include_router(sync_routes(route_class, pipelines, database, source))
    app.include_router(permission_routes(route_class, database))
    return app
