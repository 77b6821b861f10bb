"""A server on loopback that answers like a vendor's service, and keeps the requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, TypeVar


class Request(NamedTuple):
    """A request; the body is an object of JSON, or a list of those in its lines."""

    method: str
    path: str
    body: Any


class Service:
    """The answers of a service. A subclass says what is in them.

    Attributes:
        requests: All requests, in their order.
        headers: Headers of all answers.
    """

    headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.address = ""

    def answer(self, request: Request) -> tuple[int, Any]:
        """The status and the object of an answer."""
        raise NotImplementedError

    def bodies(self, end_of_path: str) -> list[Any]:
        """The bodies of the requests to a path, without its query."""
        return [
            request.body
            for request in self.requests
            if request.path.split("?")[0].endswith(end_of_path)
        ]


AnyService = TypeVar("AnyService", bound=Service)


@contextmanager
def running(service: AnyService) -> Iterator[AnyService]:
    """Runs a service; its address is that of the server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            request = Request(self.command, self.path, _parsed(sent))
            service.requests.append(request)
            status, found = service.answer(request)
            body = b"" if found is None else json.dumps(found).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **service.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.address = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield service
        finally:
            server.shutdown()


def _parsed(sent: str) -> Any:
    try:
        return json.loads(sent) if sent else None
    except json.JSONDecodeError:
        return [json.loads(line) for line in sent.splitlines() if line]
