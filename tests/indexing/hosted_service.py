"""The hosted service as its documentation describes it: real HTTP, state in memory.

It knows nothing of this package's code, so that both can be wrong in different ways only.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LIST_LIMIT = 1000
ROLES = ("can_read", "can_write", "is_owner")


@dataclass
class Content:
    data: bytes
    media_type: str
    name: str


@dataclass
class Sync:
    """One pipeline; ``access`` says for a role and a record who has it, if it has permissions."""

    id: str
    integration: str
    pipeline: str
    status: str = "IDLE"
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    access: Callable[[str, str], set[str]] | None = None
    clock: int = 0
    # Where listings began or went on; where none can any more; where one breaks.
    asked: list[int] = field(default_factory=list)
    expired: set[int] = field(default_factory=set)
    broken_at: int | None = None

    def put(self, record: dict[str, Any], content: Content | None = None) -> None:
        """Adds or changes a record, as a sync from the source does."""
        self.clock += 1
        self.records[record["id"]] = record
        self.changes[record["id"]] = self.clock
        if content is not None:
            self.contents[record["id"]] = content

    def remove(self, record: str) -> None:
        """Removes a record, which listings do not tell of."""
        del self.records[record], self.changes[record]
        self.contents.pop(record, None)

    def listed(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "integration": self.integration,
            "pipeline": self.pipeline,
            "status": self.status,
            "configurationName": None,
            "dateCreated": "2026-11-01T00:00:00Z",
            "dateUpdated": "2026-11-02T00:00:00Z",
        }

    def page(self, after: int, size: int) -> dict[str, Any]:
        changed = sorted((at, each) for each, at in self.changes.items() if at > after)
        shown = changed[:size]
        return {
            "data": [self.records[each] for _, each in shown],
            "paging": {
                "totalRecords": len(self.records),
                "totalActiveRecords": len(self.records),
                "remainingRecords": len(changed) - len(shown),
                "cursor": f"at-{shown[-1][0] if shown else after}",
                "lastSeen": after,
            },
        }

    def is_folder(self, record: str) -> bool:
        return str(self.records[record].get("mimeType", "")).endswith(".folder")


class HostedService:
    """A running service of one project with one connected user."""

    def __init__(self, *, project_id: str = "p1", user_id: str = "u1", page_size: int = 20) -> None:
        self.project_id, self.user_id, self.page_size = project_id, user_id, page_size
        self.syncs: dict[str, Sync] = {}
        self.requests: list[str] = []
        # How a batch is answered, for services that are not honest.
        self.tamper: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public_key = key.public_key()
        self.signing_key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        service = self

        class Handler(_Handler):
            pass

        Handler.service = service
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HostedService:
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, sync: Sync) -> Sync:
        self.syncs[sync.id] = sync
        return sync


class _RefusalError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    service: HostedService
    protocol_version = "HTTP/1.1"
    # Many small answers on kept connections are slow where one waits for the other's receipt.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        self.service.requests.append(f"{self.command} {parts.path}")
        try:
            self._authorize()
            body = json.loads(raw) if raw else {}
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            status, content, kind, headers = self._route(parts.path, query, body)
        except _RefusalError as refusal:
            status, kind, headers = refusal.status, "application/json", {}
            content = json.dumps({"message": str(refusal)}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _authorize(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        audience = f"useparagon.com/{self.service.project_id}"
        try:
            claims = jwt.decode(token, self.service.public_key, ["RS256"], audience=audience)
        except jwt.PyJWTError:
            raise _RefusalError(401, "The token is not valid.") from None
        if claims["sub"] != self.service.user_id:
            raise _RefusalError(403, "Another user.")

    def _route(
        self, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, bytes, str, dict[str, str]]:
        if path == "/api/syncs":
            return _json(200, {"data": [each.listed() for each in self.service.syncs.values()]})
        found = re.fullmatch(r"/api/syncs/([^/]+)(?:/records(?:/([^/]+)(/content)?)?)?", path)
        if found and self.command == "GET":
            return self._sync_route(path, found, query)
        found = re.fullmatch(r"/api/permissions/([^/]+)/([a-z-]+)", path)
        if found and self.command == "POST":
            return self._permission_route(self._sync(found[1]), found[2], body)
        raise _RefusalError(404, "No such route.")

    def _sync(self, sync_id: str) -> Sync:
        if sync_id not in self.service.syncs:
            raise _RefusalError(404, "No such sync.")
        return self.service.syncs[sync_id]

    def _sync_route(
        self, path: str, found: re.Match[str], query: dict[str, str]
    ) -> tuple[int, bytes, str, dict[str, str]]:
        sync, record, content = self._sync(found[1]), found[2], found[3]
        if path.endswith("/records"):
            after = int(query.get("cursor", "at-0").removeprefix("at-"))
            sync.asked.append(after)
            if "cursor" in query and after in sync.expired:
                raise _RefusalError(400, "The cursor has expired.")
            if after == sync.broken_at:
                raise _RefusalError(500, "Out of order.")
            size = int(query.get("pageSize", self.service.page_size))
            return _json(200, sync.page(after, size))
        if record is None:
            count = len(sync.records)
            summary = {
                "totalRecords": count,
                "syncedRecordsCount": count,
                "lastSyncedAt": "2026-11-02T00:00:00Z",
                "latestCursor": f"at-{sync.clock}",
            }
            return _json(200, {"status": sync.status, "summary": summary})
        if record not in sync.records or (content and record not in sync.contents):
            raise _RefusalError(404, "No such record.")
        if not content:
            return _json(200, sync.records[record])
        file = sync.contents[record]
        disposition = {"Content-Disposition": f"attachment; filename*=UTF-8''{_quoted(file.name)}"}
        return 200, file.data, file.media_type, disposition

    def _permission_route(
        self, sync: Sync, name: str, body: dict[str, Any]
    ) -> tuple[int, bytes, str, dict[str, str]]:
        if sync.access is None:
            raise _RefusalError(400, "This sync has no permissions.")
        match name:
            case "check":
                return _json(200, {"hasAccess": _has(sync, body)})
            case "batch-check":
                checks = body["checks"]
                if len(checks) > 50:
                    raise _RefusalError(400, "At most 50 checks in a batch.")
                if not all(check["user"].startswith("user:") for check in checks):
                    raise _RefusalError(400, "Users in a batch have a prefix.")
                results = [
                    {
                        "allowed": _has(sync, {**each, "user": each["user"].removeprefix("user:")}),
                        "request": each,
                    }
                    for each in checks
                ]
                return _json(200, {"result": self.service.tamper(results)})
            case "list-users":
                _known(sync, body)
                users = sorted(sync.access(body["role"], body["object"]))
                return _json(200, {"users": users[:LIST_LIMIT]})
            case "streamed-list-objects":
                listed = [
                    each
                    for each in sync.records
                    if sync.is_folder(each) == (body["objectType"] == "folder")
                    and _has(sync, {**body, "object": each})
                ]
                text = "".join(f"{json.dumps({'object': each})}\n" for each in listed)
                return 200, text.encode(), "application/x-ndjson", {}
            case "expand":
                _known(sync, {**body, "role": body["relation"]})
                users = sorted(sync.access(body["relation"], body["object"]))
                leaf = {"users": {"users": [f"user:{user}" for user in users]}}
                kind = "folder" if sync.is_folder(body["object"]) else "file"
                name = f"{kind}:{body['object']}#{body['relation']}"
                return _json(200, {"tree": {"root": {"name": name, "leaf": leaf}}})
        raise _RefusalError(404, "No such route.")


def _has(sync: Sync, question: dict[str, Any]) -> bool:
    _known(sync, question)
    assert sync.access is not None
    return question["user"] in sync.access(question["role"], question["object"])


def _known(sync: Sync, question: dict[str, Any]) -> None:
    if question["role"] not in ROLES or question.get("object") not in sync.records:
        raise _RefusalError(400, "No such role or object.")


def _json(status: int, document: Any) -> tuple[int, bytes, str, dict[str, str]]:
    return status, json.dumps(document).encode(), "application/json", {}


def _quoted(name: str) -> str:
    return "".join(f"%{byte:02X}" for byte in name.encode())
