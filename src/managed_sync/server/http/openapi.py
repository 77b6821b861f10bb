"""The server's own OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from managed_sync.server.graph.schema import RELATIONS
from managed_sync.server.http.problems import PROBLEM_SCHEMA

__all__ = ["describe"]

_TOKENS = "A JWT with sub, aud (useparagon.com/<project id>), iat and exp, signed RS256."
_OPEN_TAG = "Operation"


def describe(app: FastAPI) -> None:
    """Makes an application's ``openapi()`` describe its tokens and its problem details."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Managed Sync API",
        version="1.0.0",
        summary="Synced records, and who may read them.",
        routes=app.routes,
    )
    schemas = document["components"]["schemas"]
    # FastAPI's own error schemas, which this server never sends.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for name in ("AccessCheck", "ListObjectsRequest", "ListUsersRequest"):
        schemas[name]["properties"]["relation"]["enum"] = list(RELATIONS)
    document["components"]["securitySchemes"] = {
        "bearerAuth": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": _TOKENS,
        }
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            if _OPEN_TAG not in operation["tags"]:
                operation["security"] = [{"bearerAuth": []}]
    return document
