"""An API that answers every operation, and every operation to ask it for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from managed_sync import AccessCheck

IDLE = {"integration": "box", "syncType": "files", "status": "IDLE"}
RECORD = {"id": "r1", "integration": "box", "syncType": "files"}
CHECKS = [AccessCheck(subject="a", relation="viewer", object=f"file:{n}") for n in range(4)]


def answer(request: httpx.Request) -> httpx.Response:
    """Returns a valid response to any operation; a listing has three pages."""
    path = request.url.path
    if path.endswith("/records"):
        number = int(request.url.params.get("cursor", 1))
        return httpx.Response(
            200, json={"records": [RECORD], "nextCursor": str(number + 1) if number < 3 else None}
        )
    if path.endswith("/batch-check-access"):
        count = len(json.loads(request.content)["checks"])
        return httpx.Response(200, json={"results": [{"allowed": True}] * count})
    said: dict[str, Any] = {
        "/enable": IDLE,
        "/status": IDLE,
        "/check-access": {"allowed": True},
        "/list-users": ["a"],
        "/list-objects": ["file:1"],
        "/expand": {"object": "file:1", "relation": "viewer"},
        "/r1": RECORD,
    }
    for end, body in said.items():
        if path.endswith(end):
            return httpx.Response(200, json=body)
    assert path.endswith("/content")
    return httpx.Response(200, content=b"data")


OPERATIONS: list[Callable[[Any], Any]] = [
    lambda client: client.enable_sync("box", "files"),
    lambda client: client.get_sync_status("box", "files"),
    lambda client: client.list_records("box", "files"),
    lambda client: client.get_record("r1"),
    lambda client: client.download_content("r1"),
    lambda client: client.check_access("a", "viewer", "file:1"),
    lambda client: client.batch_check_access(CHECKS),
    lambda client: client.list_users("file:1", "viewer"),
    lambda client: client.list_objects("a", "viewer"),
    lambda client: client.expand("a", "viewer", "file:1"),
]
