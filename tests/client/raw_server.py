"""A server of raw bytes on loopback, for what no framework would send."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread


@dataclass
class Connection:
    """One connection of a client.

    Attributes:
        number: How many there were before it.
    """

    number: int
    socket: socket.socket
    _rest: bytes = b""

    def request(self) -> bytes:
        """The next request, with its body; nothing when the client has gone."""
        while b"\r\n\r\n" not in self._rest:
            if not self._receive():
                return b""
        head, _, body = self._rest.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(body) < length:
            if not self._receive():
                return b""
            body = self._rest.partition(b"\r\n\r\n")[2]
        self._rest = body[length:]
        return head + b"\r\n\r\n" + body[:length]

    def send(self, data: bytes) -> bool:
        """Sends; ``False`` when the client has gone."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def _receive(self) -> bool:
        try:
            part = self.socket.recv(65_536)
        except OSError:
            part = b""
        self._rest += part
        return bool(part)


@dataclass
class RawServer:
    """Hands each connection to a function, in a thread, and closes it afterwards.

    Attributes:
        requests: The first line of each request and its authorization, as they came.
    """

    serve: Callable[[RawServer, Connection], None]
    requests: list[bytes] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its URL, while it runs."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            Thread(target=self._accept, args=[listener], daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            # Wakes the thread that waits for a connection.
            listener.shutdown(socket.SHUT_RDWR)

    def take(self, connection: Connection) -> bytes:
        """The next request of a connection, which is noted."""
        request = connection.request()
        if request:
            self.requests.append(request)
        return request

    def _accept(self, listener: socket.socket) -> None:
        number = 0
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            connection = Connection(number, accepted)
            number += 1
            Thread(target=self._handle, args=[connection], daemon=True).start()

    def _handle(self, connection: Connection) -> None:
        with connection.socket:
            self.serve(self, connection)


def json_answer(body: bytes, *further: bytes) -> bytes:
    """An answer whose connection stays open."""
    head = [
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *further,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body
