"""A Sync API that answers at once, in a process of its own: pages of records, and decisions.

    python -m benchmarks.client.sync_service 10000        # prints its URL, and ends with its input

Its answers are made beforehand, so that what is measured is the client.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["PAGE_SIZE", "main", "served"]

PAGE_SIZE = 100


@contextmanager
def served(pages: int) -> Iterator[str]:
    """The URL of a service with so many pages, while it runs."""
    command = [sys.executable, "-m", "benchmarks.client.sync_service", str(pages)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.kill()


def record(number: int) -> dict[str, object]:
    """A record of a file as a drive describes it."""
    return {
        "id": f"rec_{number:08}",
        "integration": "googleDrive",
        "syncType": "files",
        "sourceId": f"1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms{number:04}",
        "data": {
            "name": f"Quarterly report {number}.docx",
            "mimeType": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "size": 48_213 + number,
            "url": f"https://drive.example.com/file/d/{number}/view",
            "path": ["Finance", "Reports", "2026"],
            "createdBy": {"name": "Alice Ångström", "email": "alice@example.com"},
        },
        "permissions": {"viewer": ["group:finance"], "owner": ["alice@example.com"]},
        "updatedAt": "2026-03-14T09:26:53Z",
    }


class _Service(asyncio.Protocol):
    """Reads requests by their first line and their length, and writes answers."""

    # Each page has ids of its own: a client refuses a listing that repeats itself.
    records = json.dumps([record(number) for number in range(PAGE_SIZE)]).encode()
    decisions = json.dumps({"results": [{"allowed": True}] * 100}).encode()

    def __init__(self, pages: int) -> None:
        self._pages = pages
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP server
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(rest) >= (int(length[1]) if length else 0):
            self._received = b""
            body = self._answer(head)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                + str(len(body)).encode()
                + b"\r\n\r\n"
                + body
            )

    def _answer(self, head: bytes) -> bytes:
        if head.startswith(b"POST"):
            return self.decisions
        cursor = re.search(rb"cursor=(\d+)", head)
        number = int(cursor[1]) if cursor else 1
        following = b"null" if number >= self._pages else b'"%d"' % (number + 1)
        records = self.records.replace(b'"rec_', b'"rec_%d_' % number)
        return b'{"records": ' + records + b', "nextCursor": ' + following + b"}"


async def _serve(pages: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Service(pages), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def main() -> None:
    """Serves until the standard input ends."""
    asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
