"""Carries out flows for the synchronous client: blocking, and in threads where it is at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from threading import Event
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
    decoder_of,
    failure_of,
    http_request,
    is_content,
    opened_answer,
    raw_parts,
)
from managed_sync.client.transport.process_connections import ProcessConnections
from managed_sync.client.wire.content import ContentCheck
from managed_sync.client.wire.request import Answer

__all__ = ["ThreadDriver"]

T = TypeVar("T")


class ThreadDriver:
    """Does what the steps of flows say.

    Args:
        connections: What requests are sent with.
        base_url: Where the API is.
        credentials: Where tokens come from.
        clock: How to wait.
        max_answer_bytes: How large an answer that is read whole may be.
        max_threads: How many flows of one ``Together`` step are carried out at once.
    """

    def __init__(
        self,
        connections: ProcessConnections[httpx.Client],
        *,
        base_url: str,
        credentials: Credentials,
        clock: Clock,
        max_answer_bytes: int,
        max_threads: int,
    ) -> None:
        self._connections = connections
        self._base_url = base_url
        self._credentials = credentials
        self._clock = clock
        self._max_answer_bytes = max_answer_bytes
        self._max_threads = max_threads

    def run(self, flow: Flow[T], abandoned: Event | None = None) -> T:
        """Carries out a flow, until it ends or is abandoned."""
        answer: Any = None
        failure: Exception | None = None
        try:
            while abandoned is None or not abandoned.is_set():
                try:
                    step = flow.send(answer) if failure is None else flow.throw(failure)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                answer = failure = None
                try:
                    answer = self._carry_out(step)
                except Exception as error:  # noqa: BLE001 - the flow raises it
                    failure = error
            raise CancelledError
        finally:
            failure = None
            flow.close()

    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Like ``run``, for a flow that emits records and has another one in the background."""
        answer: Any = None
        failure: Exception | None = None
        abandoned = Event()
        pool = ThreadPoolExecutor(1, thread_name_prefix="managed-sync-pages")
        try:
            while True:
                try:
                    step = flow.send(answer) if failure is None else flow.throw(failure)
                except StopIteration:
                    return
                answer = failure = None
                if isinstance(step, Emit):
                    yield from step.records
                    continue
                try:
                    if isinstance(step, Begin):
                        answer = pool.submit(copy_context().run, self.run, step.flow, abandoned)
                    else:
                        answer = self._carry_out(step)
                except Exception as error:  # noqa: BLE001 - the flow raises it
                    failure = error
        finally:
            failure = None
            flow.close()
            abandoned.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _carry_out(self, step: Step) -> Any:
        answer: Any = None
        match step:
            case Send():
                answer = self._send(step)
            case Authorize():
                answer = self._credentials.get(step.rejected)
            case Pause():
                self._clock.sleep(step.seconds)
            case WaitFor():
                step.place.result()
            case Together():
                answer = self._together(step)
            case Open():
                answer = self._open(step)
            case Drain():
                answer = self._drain(step)
            case Finish():
                answer = step.begun.result()
            case Begin() | Emit():
                raise TypeError(f"Only a listing has a step {type(step).__name__}.")
        return answer

    def _send(self, step: Send) -> Answer:
        watch, http = ConnectionWatch(), self._connections.get()
        try:
            response = http.send(
                http_request(http, self._base_url, step, watch.note),
                auth=None,
                follow_redirects=False,
                stream=True,
            )
            with closing(response):
                return answer_to(step, response, self._whole(step, response))
        except HTTP_ERRORS as error:
            failure = failure_of(step.request, error, step.token, watch)
        raise failure

    def _whole(self, step: Send, response: httpx.Response) -> bytes:
        now = self._clock.monotonic
        decoder = decoder_of(step.request, response)
        body = Body(step.request, decoder, max_bytes=self._max_answer_bytes, now=now())
        for part in raw_parts(response):
            body.take(part, now=now())
        return body.whole()

    def _open(self, step: Open) -> Opened:
        watch, http = ConnectionWatch(), self._connections.get()
        try:
            response = http.send(
                http_request(http, self._base_url, step, watch.note),
                auth=None,
                follow_redirects=False,
                stream=True,
            )
            if is_content(response):
                return opened_answer(step, response, None)
            with closing(response):
                body, decoder = b"", decoder_of(step.request, response)
                for part in raw_parts(response):
                    body += decoder.decode(part, READ_OF_ERRORS - len(body))
                    if len(body) >= READ_OF_ERRORS:
                        break
            return opened_answer(step, response, body)
        except HTTP_ERRORS as error:
            failure = failure_of(step.request, error, step.token or SecretStr(""), watch)
        raise failure

    def _drain(self, step: Drain) -> bytes:
        with closing(step.opened.response):
            check = ContentCheck(step.record_id, step.opened, step.max_bytes)
            return b"".join(self.parts(step.opened, check))

    def parts(self, opened: Opened, check: ContentCheck) -> Iterator[bytes]:
        """The content of an opened answer, counted and checked."""
        response: httpx.Response = opened.response
        decoder = decoder_of(opened.request, response)
        parts = raw_parts(response)
        while True:
            began = self._clock.monotonic()
            try:
                part = next(parts, None)
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

    def _together(self, step: Together) -> list[Any]:
        if len(step.flows) <= 1:
            return [self.run(flow) for flow in step.flows]
        abandoned = Event()
        pool = ThreadPoolExecutor(
            min(len(step.flows), self._max_threads),
            thread_name_prefix="managed-sync-client",
        )
        try:
            running: list[Future[Any]] = [
                pool.submit(copy_context().run, self.run, flow, abandoned) for flow in step.flows
            ]
            return [each.result() for each in running]
        finally:
            # Nobody waits for what is still under way: it ends by itself at its next step.
            abandoned.set()
            pool.shutdown(wait=False, cancel_futures=True)
