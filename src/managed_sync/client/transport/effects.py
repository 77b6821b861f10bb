"""The effects of a client's programs: the methods of its driver.

``ThreadDriver`` has them as ordinary functions that block, ``AsyncDriver`` as coroutine functions.
Programs perform them without knowing which driver they have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr

from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import Response
from managed_sync.effects import Program

__all__ = ["Driver", "StreamedResponse"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class StreamedResponse(Response):
    """A response whose body, if it is a success, is still to be read from ``stream``."""

    request: Request = field(kw_only=True)
    stream: Any = field(kw_only=True, repr=False)


class Driver(Protocol):
    """Performs the effects of one client."""

    def authorize(self, rejected: SecretStr | None = None) -> SecretStr | Awaitable[SecretStr]:
        """Returns a token, in place of ``rejected`` if the API did not accept that one."""

    def send(self, request: Request, token: SecretStr) -> Response | Awaitable[Response]:
        """Sends a request and reads the whole response."""

    def open(
        self, request: Request, url: str, token: SecretStr | None
    ) -> StreamedResponse | Awaitable[StreamedResponse]:
        """Sends a request and leaves the body of a success unread.

        Without a token nothing that belongs to the API is sent: ``url`` is on another host.
        """

    def read_body(
        self, response: StreamedResponse, record_id: str, max_bytes: int
    ) -> bytes | Awaitable[bytes]:
        """Reads the content in a streamed response and closes it."""

    def pause(self, seconds: float) -> Awaitable[None] | None:
        """Waits."""

    def wait_for(self, permit: Future[None]) -> Awaitable[None] | None:
        """Waits until a permit is given."""

    def gather(self, programs: Sequence[Program[R]]) -> list[R] | Awaitable[list[R]]:
        """Runs programs at the same time and returns their results in order."""
