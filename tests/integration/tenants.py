"""Tenants of one API whose records and objects bear the same ids, served over HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from managed_sync import ManagedSyncClient

USERS = {"north": "ann@north.example", "south": "bob@south.example"}
# Each pipeline has tickets of its own, and all of them have the ids 0, 1, 2, ...
PIPELINES = ("zendesk", "jira")
TICKETS = 6


def text_of(project_id: str, integration: str, number: int) -> str:
    """Returns the first text of a ticket."""
    return f"The budget of {project_id} in {integration} is {number}."


@dataclass
class Tenants:
    """The tickets of two projects, as ``[project][integration][record id]``."""

    tickets: dict[str, dict[str, dict[str, str]]] = field(
        default_factory=lambda: {
            project: {
                integration: {
                    str(number): text_of(project, integration, number) for number in range(TICKETS)
                }
                for integration in PIPELINES
            }
            for project in USERS
        }
    )

    def answer(self, method: str, url: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Returns the API's decisions; ``None`` for unknown objects."""
        parts = urlsplit(url)
        _, _, project, *operation = parts.path.split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match operation:
            case ["sync", "records"]:
                pipeline = self.tickets[project][query["integration"]]
                return {
                    "records": [
                        _record(query["integration"], key, text) for key, text in pipeline.items()
                    ]
                }
            case ["sync", "records", record_id]:
                for integration, pipeline in self.tickets[project].items():
                    if record_id in pipeline:
                        return _record(integration, record_id, pipeline[record_id])
            case ["sync", "status"]:
                count = len(self.tickets[project][query["integration"]])
                return {**query, "status": "IDLE", "recordCount": count}
            case ["permissions", "batch-check-access"]:
                readable = self._readable(project)
                return {
                    "results": [
                        {"allowed": one["subject"] == USERS[project] and one["object"] in readable}
                        for one in body["checks"]
                    ]
                }
            case ["permissions", "list-objects"]:
                is_known = body["subject"] == USERS[project]
                return {"objects": sorted(self._readable(project)) if is_known else []}
        return None

    def _readable(self, project: str) -> set[str]:
        return {f"ticket:{key}" for pipeline in self.tickets[project].values() for key in pipeline}

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serves them; yields the base URL."""
        tenants = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # the whole answer in one packet

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                said = tenants.answer(self.command, self.path, body)
                content = json.dumps({"title": "Not found"} if said is None else said).encode()
                self.send_response(404 if said is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - a name of http.server

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _record(integration: str, record_id: str, text: str) -> dict[str, Any]:
    return {
        "id": record_id,
        "integration": integration,
        "syncType": "tickets",
        "sourceId": record_id,
        "data": {"subject": "Budget", "description": text},
    }


@contextmanager
def clients(base_url: str) -> Iterator[dict[str, ManagedSyncClient]]:
    """A client of each project."""
    made = {
        project: ManagedSyncClient(project, "token", base_url=base_url, retry_budget=0)
        for project in USERS
    }
    try:
        yield made
    finally:
        for client in made.values():
            client.close()
