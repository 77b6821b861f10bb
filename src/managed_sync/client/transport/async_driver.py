"""Performs the effects of the asynchronous client: awaiting, and in tasks for what is gathered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from typing import TypeVar

import httpx
from pydantic import SecretStr

from managed_sync.client.clock import Clock
from managed_sync.client.credentials import Credentials
from managed_sync.client.transport.bodies import Body
from managed_sync.client.transport.connections import ConnectionWatch, ProcessConnections
from managed_sync.client.transport.effects import StreamedResponse
from managed_sync.client.transport.httpx_adapter import (
    HTTP_ERRORS,
    READ_OF_ERRORS,
    araw_parts,
    decoder_of,
    failure_of,
    http_request,
    is_content,
    open_request,
    streamed_response,
)
from managed_sync.client.transport.listing import Listing
from managed_sync.client.wire.content import ContentCheck
from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import Response
from managed_sync.effects import AsyncBackground, Program, agather, arun

__all__ = ["AsyncDriver"]

R = TypeVar("R")
Item = TypeVar("Item")


class AsyncDriver:
    """Performs effects without blocking the event loop.

    Args:
        connections: The connections that requests are sent on.
        base_url: The API's URL.
        credentials: The source of tokens.
        clock: The clock by which pauses and deadlines are kept.
        max_answer_bytes: The limit for a response that is read whole.
    """

    def __init__(
        self,
        connections: ProcessConnections[httpx.AsyncClient],
        *,
        base_url: str,
        credentials: Credentials,
        clock: Clock,
        max_answer_bytes: int,
    ) -> None:
        self.authorize = credentials.aget
        self.pause = clock.asleep
        self._connections = connections
        self._base_url = base_url
        self._clock = clock
        self._max_answer_bytes = max_answer_bytes

    async def iterate(self, listing: Listing[Item]) -> AsyncGenerator[Item, None]:
        """Yields the items of a listing, and reads its next page meanwhile."""
        async with AsyncBackground() as background:
            while (items := await arun(listing.read(background.begin))) is not None:
                for item in items:
                    yield item
                # Two pages in memory would double what the garbage collection has to look at.
                del items

    async def send(self, request: Request, token: SecretStr) -> Response:
        """Sends a request and reads the whole response."""
        watch, http = ConnectionWatch(), self._connections.get()
        now = self._clock.monotonic
        try:
            response = await http.send(
                http_request(http, self._base_url, request, token, watch.anote),
                auth=None,
                follow_redirects=False,
                stream=True,
            )
            async with aclosing(response):
                headers = dict(response.headers)
                decoder = decoder_of(request, response)
                body = Body(request, decoder, self._max_answer_bytes, began=now())
                async for part in araw_parts(response):
                    body.take(part, now=now())
                return Response(response.status_code, headers, body.whole(), token)
        except HTTP_ERRORS as error:
            failure = failure_of(request, error, token, watch)
        raise failure

    async def open(self, request: Request, url: str, token: SecretStr | None) -> StreamedResponse:
        """Sends a request and leaves the body of a success unread."""
        watch, http = ConnectionWatch(), self._connections.get()
        try:
            response = await http.send(
                open_request(http, request, url, token, watch.anote),
                auth=None,
                follow_redirects=False,
                stream=True,
            )
            if is_content(response):
                return streamed_response(request, response, b"", token)
            async with aclosing(response):
                body, decoder = b"", decoder_of(request, response)
                async for part in araw_parts(response):
                    room = READ_OF_ERRORS - len(body)
                    body += part if decoder is None else decoder.decode(part, room)
                    if len(body) >= READ_OF_ERRORS:
                        break
            return streamed_response(request, response, body, token)
        except HTTP_ERRORS as error:
            failure = failure_of(request, error, token or SecretStr(""), watch)
        raise failure

    async def read_body(self, response: StreamedResponse, record_id: str, max_bytes: int) -> bytes:
        """Reads the content in a streamed response and closes it."""
        async with aclosing(response.stream):
            check = ContentCheck(record_id, response, max_bytes)
            return b"".join([part async for part in self.parts(response, check)])

    async def parts(self, streamed: StreamedResponse, check: ContentCheck) -> AsyncIterator[bytes]:
        """Yields the content of a streamed response, counted and checked."""
        response: httpx.Response = streamed.stream
        decoder = decoder_of(streamed.request, response)
        parts = araw_parts(response)
        while True:
            began = self._clock.monotonic()
            try:
                part = await anext(parts, None)
            except HTTP_ERRORS as error:
                failure = failure_of(streamed.request, error, streamed.token)
                failure.is_of_one_record = True
                break
            if part is None:
                check.end(response.num_bytes_downloaded)
                if decoder is not None:
                    decoder.end()
                return
            if decoder is not None:
                part = decoder.decode(part, check.room)
            check.take(part, waited=self._clock.monotonic() - began)
            yield part
        raise failure

    async def wait_for(self, permit: Future[None]) -> None:
        """Waits until a permit is given."""
        await asyncio.wrap_future(permit)

    async def gather(self, programs: Sequence[Program[R]]) -> list[R]:
        """Runs programs in tasks and returns their results in order."""
        return await agather(programs)
