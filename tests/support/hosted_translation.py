"""Lets a handler that is written in the specification's format be asked in the hosted one.

So one set of tests of a client's behavior runs in both. There is one sync, ``s1``, and ids are
``s1/<name>``, which are as good as any in the specification's format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

Handler = Callable[[httpx.Request], httpx.Response]

SYNC = "s1"
_LISTED = {"id": SYNC, "integration": "box", "pipeline": "files", "status": "IDLE"}
_NAMED = {"integration": "box", "syncType": "files"}
_STATES = {"SYNCING": "ACTIVE", "ERROR": "ERRORED"}


def hosted_face(handler: Handler) -> Handler:
    """A handler of hosted requests in front of one of the specification's requests."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "/api/" not in request.url.path:
            # Where a redirect led.
            return handler(request)
        if request.url.path.endswith("/api/syncs"):
            return httpx.Response(200, json={"data": [_LISTED]})
        path, body = _as_specified(request)
        params = {**_NAMED, **request.url.params} if request.method == "GET" else {}
        response = handler(
            httpx.Request(
                request.method,
                f"{str(request.url).partition('/api/')[0]}/projects/p1{path}",
                params=params,
                json=body,
                headers={"Authorization": request.headers["Authorization"]},
            )
        )
        return _as_hosted(path, request, response)

    return answer


def _as_specified(request: httpx.Request) -> tuple[str, Any]:
    raw = request.url.raw_path.decode().partition("?")[0]
    if found := re.search(rf"/api/syncs/{SYNC}/records/(.+)$", raw):
        name, slash, rest = found[1].partition("/")
        return f"/sync/records/{SYNC}%2F{name}{slash}{rest}", None
    if raw.endswith(f"/api/syncs/{SYNC}/records"):
        return "/sync/records", None
    if raw.endswith(f"/api/syncs/{SYNC}"):
        return "/sync/status", None
    body = json.loads(request.content)
    if raw.endswith("/batch-check"):
        return "/permissions/batch-check-access", {"checks": [_check(e) for e in body["checks"]]}
    if raw.endswith("/check"):
        return "/permissions/check-access", _check(body)
    return f"/permissions/{raw.rpartition('/')[2]}", body


def _check(asked: dict[str, str]) -> dict[str, str]:
    return {
        "subject": asked["user"].removeprefix("user:"),
        "relation": {"can_read": "viewer"}[asked["role"]],
        "object": f"file:{SYNC}/{asked['object']}",
    }


def _as_hosted(path: str, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    if path.endswith("/content") or not response.is_success or response.is_stream_consumed is False:
        return response
    try:
        said = json.loads(response.content)
    except ValueError:
        return response
    return httpx.Response(response.status_code, json=_translated(path, request, said))


def _translated(path: str, request: httpx.Request, said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    match path:
        case "/sync/status":
            state = said.get("status")
            return {"status": _STATES.get(str(state), state)} if state else {}
        case "/sync/records":
            return _page(said)
        case "/permissions/batch-check-access":
            return _decisions(json.loads(request.content)["checks"], said.get("results"))
        case "/permissions/check-access":
            return {"hasAccess": said.get("allowed")}
        case _:
            return _record(said)


def _page(said: dict[str, Any]) -> dict[str, Any]:
    records, cursor = said.get("records"), said.get("nextCursor")
    return {
        "data": [_record(each) for each in records] if isinstance(records, list) else records,
        "paging": {"cursor": cursor, "remainingRecords": 1 if cursor else 0},
    }


def _decisions(asked: list[Any], results: Any) -> dict[str, Any]:
    if not isinstance(results, list) or len(results) != len(asked):
        return {"result": results}
    echoed = [
        {**each, "request": check} if isinstance(each, dict) else each
        for each, check in zip(results, asked, strict=True)
    ]
    return {"result": echoed}


def _record(record: Any) -> Any:
    if not isinstance(record, dict) or not record.get("id"):
        return record
    return {"id": record["id"].removeprefix(f"{SYNC}/"), **(record.get("data") or {})}
