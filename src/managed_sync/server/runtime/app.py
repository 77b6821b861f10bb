"""The application, put together from its parts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from managed_sync.errors import MissingExtraError
from managed_sync.server.auth.keys import KeyRing
from managed_sync.server.auth.proof import new_proof
from managed_sync.server.auth.tokens import TokenVerifier
from managed_sync.server.config import ServerConfig, SpiceDBAddress
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.graph.sql import SqlEngine
from managed_sync.server.http.guard import authenticated_route_class
from managed_sync.server.http.metrics import Metrics
from managed_sync.server.http.middleware import RequestMiddleware
from managed_sync.server.http.openapi import describe
from managed_sync.server.http.problems import install_problem_handlers
from managed_sync.server.http.routes.hosted_permissions import hosted_permission_routes
from managed_sync.server.http.routes.hosted_sync import hosted_sync_routes
from managed_sync.server.http.routes.operations import operation_routes
from managed_sync.server.http.routes.permissions import permission_routes
from managed_sync.server.http.routes.sync import sync_routes
from managed_sync.server.http.workers import Workers
from managed_sync.server.runtime.state_lock import StateLock
from managed_sync.server.storage.database import Database
from managed_sync.server.sync.projects import Projects

__all__ = ["create_app", "open_engine"]

# A library logs nothing unless the program sets up logging.
logging.getLogger("managed_sync.server").addHandler(logging.NullHandler())

# Writers exclude each other in the database; a few can prepare their work meanwhile.
_WRITERS = 4


def create_app(config: ServerConfig) -> FastAPI:
    """Returns the application of a server.

    Its lifespan starts and stops schedule and syncs; run it with one worker.

    Raises:
        SourceError: A company folder is missing.
        PermissionsFileError: Its ``permissions.yaml`` is missing or malformed, at the first start.
        StateInUseError: Another server works with the same state folder or database.
        ConfigurationError: The state folder, the keys or the database cannot be used.

    Examples:
        >>> from pathlib import Path
        >>> config = ServerConfig.of_folder(Path("company"), Path("state"))
        >>> app = create_app(config)  # doctest: +SKIP
    """
    metrics = Metrics()
    lock = StateLock(config.state)
    try:
        proof = new_proof(config.state)
        database = Database(config.database_place)
    except BaseException:
        lock.release()
        raise
    try:
        database.reserve()
        engine = open_engine(config.spicedb, database)
        projects = Projects(
            config,
            database,
            engine,
            lambda result, seconds: metrics.count_sync(result=result, seconds=seconds),
        )
        verifier = TokenVerifier({name: KeyRing(config.keys_of(name)) for name in config.projects})
    except BaseException:
        database.close()
        lock.release()
        raise
    writers = Workers("writer", count=_WRITERS, wait_seconds=config.limits.write_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(projects.start)
            app.state.ready = True
            yield
        finally:
            app.state.ready = False
            await run_in_threadpool(projects.stop)
            writers.close()
            engine.close()
            database.close()
            lock.release()

    # No pages of documentation: they would load scripts from elsewhere.
    # No redirects to add or remove a slash: they would repeat the client's Host header.
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.ready = False
    app.add_middleware(RequestMiddleware, metrics=metrics)
    install_problem_handlers(app)
    route_class = authenticated_route_class(verifier, config.limits)
    app.include_router(sync_routes(route_class, projects, database, writers))
    app.include_router(permission_routes(route_class, database, engine, config.limits))
    app.include_router(hosted_sync_routes(route_class, projects, database, writers))
    app.include_router(hosted_permission_routes(route_class, database, engine, config.limits))
    app.include_router(operation_routes(database, engine, metrics, proof))
    describe(app)
    return app


def open_engine(spicedb: SpiceDBAddress | None, database: Database) -> PermissionEngine:
    """Returns the engine that evaluates permission graphs: SpiceDB if set, or the database.

    Raises:
        MissingExtraError: SpiceDB's client is not installed.
    """
    if spicedb is None:
        return SqlEngine(database)
    try:
        from managed_sync.server.graph.spicedb.client import connect
        from managed_sync.server.graph.spicedb.engine import SpiceDBEngine
    except ImportError as error:
        raise MissingExtraError("Permissions in SpiceDB", "spicedb") from error
    client = connect(spicedb.target, spicedb.token.get_secret_value(), tls=spicedb.tls)
    return SpiceDBEngine(database, client)
