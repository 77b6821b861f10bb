"""Carries out flows for the asynchronous client: awaiting, and in tasks where it is at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from managed_sync.client.credentials import Credentials
from managed_sync.client.transport.bodies import Body
from managed_sync.client.transport.clock import Clock
from managed_sync.client.transport.connections import ConnectionWatch
from managed_sync.client.transport.effects import (
    Authorize,
    Begin,
    Drain,
    Emit,
    Finish,
    Flow,
    Open,
    Opened,
    Pause,
    Send,
    Step,
    Together,
    WaitFor,
)
from managed_sync.client.transport.httpx_adapter import (
    HTTP_ERRORS,
    READ_OF_ERRORS,
    answer_to,
    araw_parts,
    decoder_of,
    failure_of,
    http_request,
    is_content,
    opened_answer,
)
from managed_sync.client.transport.process_connections import ProcessConnections
from managed_sync.client.wire.content import ContentCheck
from managed_sync.client.wire.request import Answer

__all__ = ["TaskDriver"]

T = TypeVar("T")


class TaskDriver:
    """Does what the steps of flows say.

    Args:
        connections: What requests are sent with.
        base_url: Where the API is.
        credentials: Where tokens come from.
        clock: How to wait.
        max_answer_bytes: How large an answer that is read whole may be.
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
        self._connections = connections
        self._base_url = base_url
        self._credentials = credentials
        self._clock = clock
        self._max_answer_bytes = max_answer_bytes

    async def run(self, flow: Flow[T]) -> T:
        """Carries out a flow until it ends."""
        answer: Any = None
        failure: Exception | None = None
        try:
            while True:
                try:
                    step = flow.send(answer) if failure is None else flow.throw(failure)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                answer = failure = None
                try:
                    answer = await self._carry_out(step)
                except Exception as error:  # noqa: BLE001 - the flow raises it
                    failure = error
        finally:
            failure = None
            flow.close()

    async def iterate(self, flow: Flow[None]) -> AsyncGenerator[Any, None]:
        """Like ``run``, for a flow that emits records and has another one in the background."""
        answer: Any = None
        failure: Exception | None = None
        background: asyncio.Task[Any] | None = None
        try:
            while True:
                try:
                    step = flow.send(answer) if failure is None else flow.throw(failure)
                except StopIteration:
                    return
                answer = failure = None
                if isinstance(step, Emit):
                    for record in step.records:
                        yield record
                    continue
                try:
                    if isinstance(step, Begin):
                        answer = background = asyncio.create_task(self.run(step.flow))
                    else:
                        answer = await self._carry_out(step)
                except Exception as error:  # noqa: BLE001 - the flow raises it
                    failure = error
        finally:
            failure = None
            flow.close()
            if background is not None:
                await _end([background])

    async def _carry_out(self, step: Step) -> Any:
        answer: Any = None
        match step:
            case Send():
                answer = await self._send(step)
            case Authorize():
                answer = await self._credentials.aget(step.rejected)
            case Pause():
                await self._clock.asleep(step.seconds)
            case WaitFor():
                await asyncio.wrap_future(step.place)
            case Together():
                answer = await self._together(step)
            case Open():
                answer = await self._open(step)
            case Drain():
                answer = await self._drain(step)
            case Finish():
                answer = await step.begun
            case Begin() | Emit():
                raise TypeError(f"Only a listing has a step {type(step).__name__}.")
        return answer

    async def _send(self, step: Send) -> Answer:
        watch, http = ConnectionWatch(), self._connections.get()
        try:
            response = await http.send(
                http_request(http, self._base_url, step, watch.anote),
                auth=None,
                follow_redirects=False,
                stream=True,
            )
            async with aclosing(response):
                return answer_to(step, response, await self._whole(step, response))
        except HTTP_ERRORS as error:
            failure = failure_of(step.request, error, step.token, watch)
        raise failure

    async def _whole(self, step: Send, response: httpx.Response) -> bytes:
        now = self._clock.monotonic
        decoder = decoder_of(step.request, response)
        body = Body(step.request, decoder, max_bytes=self._max_answer_bytes, now=now())
        async for part in araw_parts(response):
            body.take(part, now=now())
        return body.whole()

    async def _open(self, step: Open) -> Opened:
        watch, http = ConnectionWatch(), self._connections.get()
        try:
            response = await http.send(
                http_request(http, self._base_url, step, watch.anote),
                auth=None,
                follow_redirects=False,
                stream=True,
            )
            if is_content(response):
                return opened_answer(step, response, None)
            async with aclosing(response):
                body, decoder = b"", decoder_of(step.request, response)
                async for part in araw_parts(response):
                    body += decoder.decode(part, READ_OF_ERRORS - len(body))
                    if len(body) >= READ_OF_ERRORS:
                        break
            return opened_answer(step, response, body)
        except HTTP_ERRORS as error:
            failure = failure_of(step.request, error, step.token or SecretStr(""), watch)
        raise failure

    async def _drain(self, step: Drain) -> bytes:
        async with aclosing(step.opened.response):
            check = ContentCheck(step.record_id, step.opened, step.max_bytes)
            return b"".join([part async for part in self.parts(step.opened, check)])

    async def parts(self, opened: Opened, check: ContentCheck) -> AsyncIterator[bytes]:
        """The content of an opened answer, counted and checked."""
        response: httpx.Response = opened.response
        decoder = decoder_of(opened.request, response)
        parts = araw_parts(response)
        while True:
            began = self._clock.monotonic()
            try:
                part = await anext(parts, None)
            except HTTP_ERRORS as error:
                failure = failure_of(opened.request, error, opened.token)
                failure.is_of_one_record = True
                break
            if part is None:
                check.end(response.num_bytes_downloaded)
                decoder.end()
                return
            part = decoder.decode(part, check.room)
            check.take(part, waited=self._clock.monotonic() - began)
            yield part
        raise failure

    async def _together(self, step: Together) -> list[Any]:
        running = [asyncio.create_task(self.run(flow)) for flow in step.flows]
        try:
            return [await each for each in running]
        finally:
            await _end(running)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Ends tasks that nobody waits for any more; their outcome is nobody's."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
