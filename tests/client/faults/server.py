"""A server over HTTP that answers wrongly, as often and in the ways that a test asks for."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

__all__ = ["FaultyServer", "content_of"]

PAGE_SIZE = 100


def content_of(record_id: str) -> bytes:
    """The file of a record: some kilobytes that are unlike any other's."""
    return f"content of {record_id}\n".encode() * 100


class FaultyServer:
    """Serves records and files.

    Args:
        record_count: How many records there are.
        faults: The share of requests that fail, for each kind of fault.
        stall: Seconds that a stalled answer takes.
    """

    def __init__(self, record_count: int, faults: Mapping[str, float], stall: float) -> None:
        self.record_count = record_count
        self.stall = stall
        self.happened: Counter[str] = Counter()
        self.requests = 0
        self._faults = dict(faults)
        self._random = random.Random(20)
        self._lock = threading.Lock()

    def next_fault(self, is_page: bool, number: int) -> str | None:
        """The fault of the next request, if it has one."""
        with self._lock:
            self.requests += 1
            kinds = [*self._faults, None]
            weights = [*self._faults.values(), 1 - sum(self._faults.values())]
            fault = self._random.choices(kinds, weights)[0]
            if fault in {"repeated page", "half JSON"} and not (is_page and number > 1):
                fault = None
            if fault is not None:
                self.happened[fault] += 1
            return fault

    @cached_property
    def pages(self) -> list[bytes]:
        count = self.record_count // PAGE_SIZE
        return [
            json.dumps(
                {
                    "records": [
                        {"id": str(n), "integration": "box", "syncType": "files"}
                        for n in range(number * PAGE_SIZE, (number + 1) * PAGE_SIZE)
                    ],
                    "nextCursor": str(number + 2) if number + 1 < count else None,
                }
            ).encode()
            for number in range(count)
        ]

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its URL, while it runs."""
        outer = self

        class Handler(_Handler):
            server_of_faults = outer

        with _Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is what is tested here."""


class _Handler(BaseHTTPRequestHandler):
    server_of_faults: FaultyServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        faulty = self.server_of_faults
        url = urlsplit(self.path)
        is_page = url.path.endswith("/records")
        number = int(parse_qs(url.query).get("cursor", ["1"])[0])
        fault = faulty.next_fault(is_page, number)
        if is_page:
            page = number - 1 if fault == "repeated page" else number
            kind, body = "application/json", faulty.pages[page - 1]
        else:
            kind, body = "text/plain", content_of(url.path.split("/")[-2])
        match fault:
            case None | "repeated page":
                self._answer(200, body, {"Content-Type": kind})
            case "429" | "500" | "503":
                self._answer(int(fault), b'{"detail": "later"}', {})
            case "429 with Retry-After":
                self._answer(429, b"", {"Retry-After": "1"})
            case "half JSON":
                self._answer(200, body[: len(body) // 2], {"Content-Type": kind})
            case "breaks off":
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.close_connection = True
            case "stalls":
                time.sleep(faulty.stall)
                self.close_connection = True

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""
