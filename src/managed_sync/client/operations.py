"""The logic of both clients: each method as a flow of steps, without I/O.

Guarantees:

- A batch of checks has one decision for each check, given by the API, or the flow raises.
- A request is sent again only if the API may carry it out twice, or cannot have carried it out.
- A token that the API rejects is replaced once for a request, and never sent to another host.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import SecretStr

from managed_sync.arguments import check_integer
from managed_sync.client.credentials import Credentials
from managed_sync.client.transport.clock import Clock
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
)
from managed_sync.client.transport.limits import Places, Rate, Turn
from managed_sync.client.transport.retry import RetryPolicy
from managed_sync.client.wire.base import Asked, AtOnce, WireFormat
from managed_sync.client.wire.content import (
    MOST_REDIRECTS,
    REDIRECTS,
    content_kind,
    is_own_origin,
    redirect_target,
)
from managed_sync.client.wire.pagination import PageWalk
from managed_sync.client.wire.request import (
    Answer,
    Operation,
    Request,
    in_batches,
    raise_for_content,
)
from managed_sync.errors import (
    AccessCheckError,
    ApiError,
    ConfigurationError,
    IncompleteResponseError,
    MalformedRecordsError,
    ManagedSyncError,
    ResponseFormatError,
    SyncFailedError,
)
from managed_sync.logs import get_logger
from managed_sync.models import (
    AccessCheck,
    FileContent,
    MalformedRecord,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncState,
    SyncStatus,
)

__all__ = ["Flows"]

T = TypeVar("T")

_logger = get_logger("managed_sync.client")

_FIRST_POLL_SECONDS = 0.2
_POLL_GROWTH = 1.5
_LONGEST_POLL_SECONDS = 5.0
_MOST_TIMES_ASKED_AGAIN = 6
# A caller who is back sooner would only pay for the changes between threads.
_SECONDS_WORTH_READING_AHEAD = 0.001
_ABOUT_SIZE = re.compile(r"too (large|long|many|big)|at most|maximum|exceed|limit", re.IGNORECASE)


class Flows:
    """The flows of one client's methods, with the same names.

    Args:
        api: The wire format.
        base_url: Where the API is, without a slash at the end.
        credentials: Whether there is another token after one that was rejected.
        retries: When a request is sent again.
        clock: The time, by which retries and waiting end.
        check_batch_size: How many checks are sent in one request.
        request_places: How many requests are under way at once.
        check_places: How many requests with batches of checks are.
        rate: How many requests are sent in a second.
    """

    def __init__(
        self,
        api: WireFormat,
        *,
        base_url: str,
        credentials: Credentials,
        retries: RetryPolicy,
        clock: Clock,
        check_batch_size: int,
        request_places: Places,
        check_places: Places,
        rate: Rate,
    ) -> None:
        self._api = api
        self._base_url = base_url
        self._credentials = credentials
        self._retries = retries
        self._clock = clock
        self._check_batch_size = check_batch_size
        self._request_places = request_places
        self._check_places = check_places
        self._rate = rate

    def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Flow[SyncStatus]:
        """Enables a pipeline."""
        return self._ask(self._api.enable_sync(integration, sync_type, frequency))

    def get_sync_status(self, integration: str, sync_type: str) -> Flow[SyncStatus]:
        """Reads the state of a pipeline."""
        return self._ask(self._api.get_sync_status(integration, sync_type))

    def wait_until_idle(
        self,
        integration: str,
        sync_type: str,
        timeout: float,
        on_progress: Callable[[SyncStatus], None] | None,
    ) -> Flow[SyncStatus]:
        """Reads the state of a pipeline until its sync has ended."""
        if inspect.iscoroutinefunction(on_progress):
            raise ConfigurationError(
                "on_progress must be an ordinary function: nobody would await a coroutine."
            )
        deadline = self._clock.monotonic() + timeout
        pause = _FIRST_POLL_SECONDS
        while True:
            status = yield from self.get_sync_status(integration, sync_type)
            if on_progress is not None:
                on_progress(status)
            if status.status is SyncState.IDLE:
                return status
            _raise_unless_syncing(integration, sync_type, status)
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise SyncFailedError(
                    f"The sync of {integration} {sync_type} has not ended after {timeout:.0f} s, "
                    f"with {status.record_count:,} records so far. It goes on in the API: wait "
                    f"again, or with a larger timeout."
                )
            yield Pause(min(pause, left))
            pause = min(pause * _POLL_GROWTH, _LONGEST_POLL_SECONDS)

    def list_records(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Flow[RecordPage]:
        """Reads one page."""
        return self._ask(self._api.list_records(integration, sync_type, cursor))

    def iter_records(self, integration: str, sync_type: str) -> Flow[None]:
        """Reads all records; raises at the end if there were malformed ones among them."""
        malformed: list[MalformedRecord] = []
        pages = 0

        def emitted(page: RecordPage) -> Sequence[SyncedRecord]:
            nonlocal pages
            pages += 1
            malformed.extend(
                each._replace(reason=f"Page {pages}: {each.reason}") for each in page.malformed
            )
            return page.records

        yield from self._pages(integration, sync_type, None, emitted)
        if malformed:
            raise MalformedRecordsError(
                f"The listing of {integration} {sync_type} has {len(malformed):,} malformed "
                f"records; all others were handed out. {malformed[0].reason}",
                malformed=malformed,
            )

    def iter_changes(self, integration: str, sync_type: str, cursor: str | None) -> Flow[None]:
        """Reads all pages from a cursor on."""
        return self._pages(integration, sync_type, cursor, lambda page: (page,))

    def get_record(self, record_id: str) -> Flow[SyncedRecord]:
        """Reads one record."""
        return self._ask(self._api.get_record(record_id))

    def open_content(self, record_id: str, max_bytes: int) -> Flow[Opened]:
        """Content that the client's ``stream_content`` has to read and close."""
        check_integer("max_bytes", max_bytes, at_least=0)
        request = self._api.download_content(record_id)
        # The turn ends when the answer begins: how long it is read is up to the caller, who may
        # ask for other things meanwhile.
        return (yield from self._retrying(request, partial(self._open, request)))

    def download_content(self, record_id: str, max_bytes: int) -> Flow[FileContent]:
        """Reads content whole, and again where it came in part."""
        check_integer("max_bytes", max_bytes, at_least=0)
        request = self._api.download_content(record_id)

        def attempt(turn: Turn) -> Flow[FileContent]:
            opened = yield from self._open(request, turn)
            data: bytes = yield Drain(opened, record_id, max_bytes)
            content_type, filename = content_kind(opened.headers)
            return FileContent(data=data, content_type=content_type, filename=filename)

        return (yield from self._retrying(request, attempt))

    def check_access(self, subject: str, relation: str, object_id: str) -> Flow[bool]:
        """Decides one check."""
        check = AccessCheck(subject=subject, relation=relation, object=object_id)
        return self._ask(self._api.check_access(check))

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Flow[list[bool]]:
        """Decides all checks, or raises."""
        places: defaultdict[Hashable | None, list[int]] = defaultdict(list)
        for place, check in enumerate(checks):
            places[self._api.batch_of(check)].append(place)
        # What no request can ask about is nothing that anybody has access to.
        unknown = places.pop(None, [])
        if unknown:
            _logger.warning(
                "%d checks are denied unasked: the API can know no object such as %.80r. What was "
                "indexed through another API has other ids: index it again.",
                len(unknown),
                checks[unknown[0]].object,
            )
        size = self._check_batch_size
        batches = [batch for group in places.values() for batch in in_batches(group, size)]
        answers: list[list[bool]] = yield Together(
            [self._check_batch([checks[place] for place in batch]) for batch in batches]
        )
        decisions = [False] * len(checks)
        for batch, answer in zip(batches, answers, strict=True):
            for place, decision in zip(batch, answer, strict=True):
                decisions[place] = decision
        return decisions

    def list_users(self, object_id: str, relation: str) -> Flow[list[str]]:
        """Lists subjects."""
        return self._ask(self._api.list_users(object_id, relation))

    def list_objects(self, subject: str, relation: str, object_type: str | None) -> Flow[list[str]]:
        """Lists objects."""
        return self._ask(self._api.list_objects(subject, relation, object_type))

    def expand(self, subject: str, relation: str, object_id: str) -> Flow[RelationshipNode]:
        """Reads the tree of a relation."""
        check = AccessCheck(subject=subject, relation=relation, object=object_id)
        tree = yield from self._ask(self._api.expand(check))
        if tree.granted is None:
            granted = yield from self._ask(self._api.check_access(check))
            tree = tree.model_copy(update={"granted": granted})
        return tree

    def _ask(self, asked: Asked[T]) -> Flow[T]:
        """Carries out what a wire format asks for: one operation, or several that depend."""
        if isinstance(asked, Operation):
            return (yield from self._call(asked))
        return (yield from self._exchange(asked))

    def _exchange(self, exchange: Generator[Operation[Any] | AtOnce, Any, T]) -> Flow[T]:
        answer: Any = None
        failure: ManagedSyncError | None = None
        while True:
            try:
                step = exchange.send(answer) if failure is None else exchange.throw(failure)
            except StopIteration as stop:
                result: T = stop.value
                return result
            answer = failure = None
            try:
                if isinstance(step, AtOnce):
                    answer = yield Together([self._exchange(each) for each in step.exchanges])
                else:
                    answer = yield from self._call(step)
            except ManagedSyncError as error:
                failure = error

    def _call(self, operation: Operation[T], *also_in: Places) -> Flow[T]:
        """Sends an operation, again where that is safe, and reads its answer."""
        request = operation.request

        def attempt(turn: Turn) -> Flow[T]:
            answer: Answer = yield from self._authorized(partial(Send, request), turn)
            _logger.debug("%s was answered with %d", request, answer.status)
            return operation.read(answer)

        return (yield from self._retrying(request, attempt, *also_in))

    def _retrying(
        self, request: Request, attempt: Callable[[Turn], Flow[T]], *also_in: Places
    ) -> Flow[T]:
        turn = Turn([*also_in, self._request_places], self._rate, self._clock)
        retries = 0
        while True:
            try:
                with turn:
                    return (yield from attempt(turn))
            except ApiError as error:
                spent = turn.spent
                wait = self._retries.next_wait(request, error, retries=retries, spent=spent)
                if wait is None:
                    if retries:
                        error.add_note(f"It was tried {retries + 1} times in {spent:.1f} s.")
                    raise
            retries += 1
            yield Pause(wait)

    def _authorized(self, step_with: Callable[[SecretStr], Step], turn: Turn) -> Flow[Any]:
        """Carries out a step with a token, and once more if the API wants another token."""
        token: SecretStr = yield Authorize()
        yield from turn.wait()
        answer: Answer = yield step_with(token)
        if answer.status == 401 and self._credentials.can_renew:
            renewed: SecretStr = yield Authorize(rejected=token)
            if renewed != token:
                yield from turn.wait()
                answer = yield step_with(renewed)
        return answer

    def _open(self, request: Request, turn: Turn) -> Flow[Opened]:
        """Opens content, wherever it is kept."""
        url = f"{self._base_url}{request.path}"
        gets_token = True
        for _ in range(MOST_REDIRECTS + 1):
            opened: Opened
            # Another host cannot bring the token back by a redirect of its own.
            gets_token = gets_token and is_own_origin(self._base_url, url)
            try:
                if gets_token:
                    opened = yield from self._authorized(partial(Open, request, url), turn)
                else:
                    yield from turn.wait()
                    opened = yield Open(request, url, None)
                _logger.debug("%s was answered with %d", request, opened.status)
                if opened.status not in REDIRECTS or not opened.headers.get("location"):
                    raise_for_content(request, opened)
                    return opened
            except ApiError as error:
                error.is_of_one_record = not gets_token
                raise
            url = redirect_target(request, opened, self._base_url, url)
        raise ResponseFormatError(
            f"{request} was redirected more than {MOST_REDIRECTS} times.",
            status=opened.status,
            request_id=opened.request_id,
        )

    def _pages(
        self,
        integration: str,
        sync_type: str,
        cursor: str | None,
        emitted: Callable[[RecordPage], Sequence[SyncedRecord] | Sequence[RecordPage]],
    ) -> Flow[None]:
        """Reads all pages, each while the one before it is consumed if that takes any time."""
        walk = PageWalk(f"{integration} {sync_type}", cursor)
        page: RecordPage = yield from self._page(integration, sync_type, walk)
        is_ahead = True
        while walk.follow(page.next_cursor, items=_items(page)):
            following = self._page(integration, sync_type, walk)
            coming = (yield Begin(following)) if is_ahead else None
            began = self._clock.monotonic()
            yield Emit(emitted(page))
            consumed_in = self._clock.monotonic() - began
            del page  # two in memory would double what the garbage collection has to look at
            page = (yield Finish(coming)) if is_ahead else (yield from following)
            is_ahead = consumed_in > _SECONDS_WORTH_READING_AHEAD
        yield Emit(emitted(page))

    def _page(self, integration: str, sync_type: str, walk: PageWalk) -> Flow[RecordPage]:
        """The page at which a walk has arrived, asked for again if its cursor leads astray."""
        listing = Request("GET", f"a page of {integration} {sync_type}")
        retries = 0
        with walk.naming_the_page():
            page = yield from self.list_records(integration, sync_type, walk.cursor)
            while retries < _MOST_TIMES_ASKED_AGAIN and walk.leads_astray(
                page.next_cursor, is_empty=_is_empty(page)
            ):
                error = IncompleteResponseError("The page leads astray.")
                wait = self._retries.next_wait(listing, error, retries=retries, spent=0)
                if wait is None:
                    break
                retries += 1
                yield Pause(wait)
                page = yield from self.list_records(integration, sync_type, walk.cursor)
        return page

    def _check_batch(self, checks: Sequence[AccessCheck]) -> Flow[list[bool]]:
        try:
            return (yield from self._call(self._api.batch_check_access(checks), self._check_places))
        except ApiError as error:
            if len(checks) == 1 or not _is_too_large(error):
                raise AccessCheckError(
                    f"{len(checks)} access checks have no decision: {error}",
                    undecided=[check.object for check in checks],
                ) from error
        half = len(checks) // 2
        first = yield from self._check_batch(checks[:half])
        return first + (yield from self._check_batch(checks[half:]))


def _items(page: RecordPage) -> list[str]:
    """What is on a page, so that what it has in common with others can be told."""
    # Where nothing says when a record changed, its data do.
    records = [f"{record.id} {record.updated_at or record.data}" for record in page.records]
    return records + [each.reason for each in page.malformed]


def _is_empty(page: RecordPage) -> bool:
    return not page.records and not page.malformed


def _raise_unless_syncing(integration: str, sync_type: str, status: SyncStatus) -> None:
    how = f"with enable_sync, or with `managed-sync enable {integration} {sync_type}`"
    if status.status is SyncState.DISABLED:
        raise SyncFailedError(f"The sync of {integration} {sync_type} is disabled. Start it {how}.")
    if status.status is not SyncState.SYNCING:
        raise SyncFailedError(
            f"The sync of {integration} {sync_type} is in state {status.status}: "
            f"{(status.error or 'the API gives no reason').rstrip('.')}. Mend the cause, then "
            f"start it again {how}."
        )


def _is_too_large(error: ApiError) -> bool:
    """Whether the API refused a batch for its size; if it is a mistake, it costs requests only."""
    if error.status in {400, 422}:
        return _ABOUT_SIZE.search(error.excerpt) is not None
    return error.status == 413
