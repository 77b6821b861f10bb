"""Sends requests as programs: with a token, within the limits, and again where that is safe.

Guarantees:

- A request is sent again only if the API may carry it out twice, or cannot have carried it out.
- A token that the API rejects is replaced once for a request, and never sent to another host.
- Slots are given back however a request ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from pydantic import SecretStr

from managed_sync.client.clock import Clock
from managed_sync.client.transport.effects import Driver, StreamedResponse
from managed_sync.client.transport.limits import FairSemaphore, Rate, RequestSlot
from managed_sync.client.transport.retry import RetryPolicy
from managed_sync.client.wire.base import Operation
from managed_sync.client.wire.content import (
    MAX_REDIRECTS,
    REDIRECTS,
    content_kind,
    is_own_origin,
    redirect_target,
)
from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import Response, raise_for_content, raise_for_status
from managed_sync.effects import Program, perform
from managed_sync.errors import ApiError, ResponseFormatError
from managed_sync.logs import get_logger
from managed_sync.models import FileContent

__all__ = ["Sender"]

R = TypeVar("R")
AnyResponse = TypeVar("AnyResponse", bound=Response)

_logger = get_logger("managed_sync.client")


class Sender:
    """Sends the requests of one client; ``connect`` it before the first one.

    Args:
        retries: Decides when a request is sent again.
        clock: The time by which retries end.
        request_slots: The limit of requests that run at once.
        rate: The limit of requests in a second.
    """

    driver: Driver

    def __init__(
        self,
        *,
        retries: RetryPolicy,
        clock: Clock,
        request_slots: FairSemaphore,
        rate: Rate,
    ) -> None:
        self.retries = retries
        self.clock = clock
        self._request_slots = request_slots
        self._rate = rate

    def connect(self, driver: Driver, *, base_url: str, can_renew_token: bool) -> None:
        """Sets how requests are sent.

        Args:
            driver: Performs the effects.
            base_url: The API's URL, without a slash at the end.
            can_renew_token: Whether there is another token after one that was rejected.
        """
        self.driver = driver
        self._base_url = base_url
        self._can_renew_token = can_renew_token

    def call(self, operation: Operation[R], *also_in: FairSemaphore) -> Program[R]:
        """Sends an operation's request, again where that is safe, and reads the response."""
        request = operation.request

        def attempt(slot: RequestSlot) -> Program[R]:
            response = yield from self._authorized(partial(self.driver.send, request), slot)
            _logger.debug("%s was answered with %d", request, response.status)
            raise_for_status(request, response)
            try:
                return operation.parse(response)
            except ApiError as error:
                error.status = response.status
                error.request_id = response.request_id
                error.excerpt = response.excerpt
                raise

        return self._retrying(request, attempt, *also_in)

    def gather(self, programs: Sequence[Program[R]]) -> Program[list[R]]:
        """Runs programs at the same time and returns their results in order."""
        return perform(self.driver.gather, programs)

    def open(self, request: Request) -> Program[StreamedResponse]:
        """Opens content, which the caller has to read and close.

        The slot is given back when the response begins: how long it is read is up to the caller,
        who may ask for other things meanwhile.
        """
        return self._retrying(request, lambda slot: self._open(request, slot))

    def download(self, request: Request, record_id: str, max_bytes: int) -> Program[FileContent]:
        """Reads the whole content; repeats the request if only a part arrived."""

        def attempt(slot: RequestSlot) -> Program[FileContent]:
            streamed = yield from self._open(request, slot)
            data = yield from perform(self.driver.read_body, streamed, record_id, max_bytes)
            content_type, filename = content_kind(streamed.headers)
            return FileContent(data=data, content_type=content_type, filename=filename)

        return self._retrying(request, attempt)

    def _retrying(
        self,
        request: Request,
        attempt: Callable[[RequestSlot], Program[R]],
        *also_in: FairSemaphore,
    ) -> Program[R]:
        slot = RequestSlot(
            (*also_in, self._request_slots), self._rate, self.clock.monotonic, self.driver
        )
        retries = 0
        while True:
            try:
                try:
                    return (yield from attempt(slot))
                finally:
                    slot.release()
            except ApiError as error:
                spent = slot.spent
                wait = self.retries.next_wait(request, error, retries=retries, spent=spent)
                if wait is None:
                    if retries:
                        error.add_note(f"It was tried {retries + 1} times in {spent:.1f} s.")
                    raise
            retries += 1
            yield from perform(self.driver.pause, wait)

    def _authorized(
        self, send: Callable[[SecretStr], AnyResponse | Awaitable[AnyResponse]], slot: RequestSlot
    ) -> Program[AnyResponse]:
        """Sends with a token, and once more if the API wants another token."""
        token = yield from perform(self.driver.authorize)
        yield from slot.acquire()
        response = yield from perform(send, token)
        if response.status == 401 and self._can_renew_token:
            renewed = yield from perform(self.driver.authorize, token)
            if renewed != token:
                yield from slot.acquire()
                response = yield from perform(send, renewed)
        return response

    def _open(self, request: Request, slot: RequestSlot) -> Program[StreamedResponse]:
        """Opens content, wherever it is kept."""
        url = f"{self._base_url}{request.path}"
        gets_token = True
        for _ in range(MAX_REDIRECTS + 1):
            # Another host cannot bring the token back by a redirect of its own.
            gets_token = gets_token and is_own_origin(self._base_url, url)
            try:
                if gets_token:
                    send = partial(self.driver.open, request, url)
                    response = yield from self._authorized(send, slot)
                else:
                    yield from slot.acquire()
                    response = yield from perform(self.driver.open, request, url, None)
                _logger.debug("%s was answered with %d", request, response.status)
                if response.status not in REDIRECTS or not response.headers.get("location"):
                    raise_for_content(request, response)
                    return response
            except ApiError as error:
                error.is_of_one_record = not gets_token
                raise
            url = redirect_target(request, response, self._base_url, url)
        raise ResponseFormatError(
            f"{request} was redirected more than {MAX_REDIRECTS} times.",
            status=response.status,
            request_id=response.request_id,
        )
