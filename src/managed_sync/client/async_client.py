"""The asynchronous client, which carries out the steps of flows in tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from managed_sync.client.base import (
    DEFAULT_CHECK_BATCH_SIZE,
    DEFAULT_MAX_CONCURRENT_CHECKS,
    BaseClient,
)
from managed_sync.client.credentials import AsyncTokenCallable
from managed_sync.client.transport.async_driver import AsyncDriver
from managed_sync.client.transport.bodies import DEFAULT_MAX_ANSWER_BYTES
from managed_sync.client.transport.clock import Clock
from managed_sync.client.transport.connections import (
    DEFAULT_TIMEOUT,
    ProcessConnections,
    check_http_client,
    no_cookies,
    pool_limits,
)
from managed_sync.client.transport.limits import DEFAULT_MAX_CONCURRENT_REQUESTS
from managed_sync.client.transport.proxies import direct_hosts
from managed_sync.client.transport.retry import DEFAULT_RETRY_BUDGET
from managed_sync.client.wire.content import (
    DEFAULT_MAX_CONTENT_BYTES,
    AsyncContentStream,
    ContentCheck,
    content_kind,
)
from managed_sync.effects import arun
from managed_sync.models import (
    AccessCheck,
    FileContent,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
)
from managed_sync.settings import ApiName

__all__ = ["AsyncManagedSyncClient"]


class AsyncManagedSyncClient(BaseClient):
    """Talks to a Managed Sync API, without blocking the event loop.

    It has the methods of ``ManagedSyncClient``, which are awaited. Safe to share between the tasks
    of one event loop, to which its connections belong: where each call has a loop of its own, as
    with ``asyncio.run`` or LlamaIndex's ``QueryFusionRetriever(use_async=True)``, calls fail with
    "Event loop is closed". Use a ``ManagedSyncClient`` there; retrievers call it in threads. Close
    it, or use it as an asynchronous context manager. Each method raises
    ``ApiError`` or one of its kinds when the API cannot be reached, answers with an error status,
    or answers with something that the specification does not allow. What may pass by itself (no
    connection, no answer in time, 408, 425, 429, 500, 502, 503, 504) is tried again before that.

    Args:
        project_id: The project, as in the API's paths; the hosted service reads it from the token.
        token: A bearer token for the connected user whose data is asked for, or a function that
            gives one: it is called again when a token is about to expire, and when the API rejects
            one. A coroutine function is awaited; any other is called in a thread.
        signing_key: In place of a token: the project's RSA private key in PEM, with which the
            client makes short-lived tokens for ``user_id``.
        user_id: The connected user; only with ``signing_key``.
        base_url: Where the API is, if it is not where the vendor has it.
        api: The wire format: ``"projects"`` is the specification's, ``"hosted"`` that of the hosted
            service's own documentation. With it, record ids and object ids name the sync too.
        timeout: Seconds to wait for a connection, and for each part of an answer.
        transport: A transport of httpx to use in place of its own, as for tests or proxies.
        http_client: A client of httpx to send with, as for event hooks; its own timeout and
            transport hold, its ``auth`` is not used, and whoever made it closes it.
        retry_budget: Seconds from the first sending after which a request is not sent again; 0
            means that nothing is. A minute outlasts the restart of a server.
        check_batch_size: How many access checks are sent in one request.
        max_concurrent_checks: How many such requests are under way at once, in all tasks.
        max_concurrent_requests: How many requests of any kind are under way at once, in all
            tasks; others wait in the order in which they came. A stream counts until its answer
            begins, since how long it is read is up to the caller.
        max_requests_per_second: How many requests are sent in a second, spread evenly, those that
            are sent again included; ``None`` means as many as come.
        max_answer_bytes: How large an answer other than content may be; a larger one raises
            ``ResponseFormatError``.
        clock: The time, for tests.

    Raises:
        ConfigurationError: An argument is missing or makes no sense.

    Examples:
        ```python
        async with AsyncManagedSyncClient("p1", "t", base_url="http://127.0.0.1:8080") as client:
            async for record in client.iter_records("googleDrive", "files"):
                ...
        ```
    """

    def __init__(
        self,
        project_id: str,
        token: str | SecretStr | AsyncTokenCallable | None = None,
        *,
        signing_key: str | SecretStr | None = None,
        user_id: str | None = None,
        base_url: str | None = None,
        api: ApiName = "projects",
        timeout: float = DEFAULT_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
        http_client: httpx.AsyncClient | None = None,
        retry_budget: float = DEFAULT_RETRY_BUDGET,
        check_batch_size: int = DEFAULT_CHECK_BATCH_SIZE,
        max_concurrent_checks: int = DEFAULT_MAX_CONCURRENT_CHECKS,
        max_concurrent_requests: int = DEFAULT_MAX_CONCURRENT_REQUESTS,
        max_requests_per_second: float | None = None,
        max_answer_bytes: int = DEFAULT_MAX_ANSWER_BYTES,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            project_id,
            token,
            signing_key=signing_key,
            user_id=user_id,
            base_url=base_url,
            api=api,
            retry_budget=retry_budget,
            check_batch_size=check_batch_size,
            max_concurrent_checks=max_concurrent_checks,
            max_concurrent_requests=max_concurrent_requests,
            max_requests_per_second=max_requests_per_second,
            max_answer_bytes=max_answer_bytes,
            clock=clock,
        )
        check_http_client(http_client, transport, httpx.AsyncClient)
        self._closes_http = http_client is None
        self._connections = ProcessConnections(
            lambda: (
                http_client
                or httpx.AsyncClient(
                    timeout=timeout,
                    transport=transport,
                    mounts=direct_hosts(self._base_url),
                    limits=pool_limits(max_concurrent_requests),
                    cookies=no_cookies(),
                )
            ),
            is_repeatable=http_client is None and transport is None,
        )
        self._driver = AsyncDriver(
            self._connections,
            base_url=self._base_url,
            credentials=self._credentials,
            clock=self._clock,
            max_answer_bytes=max_answer_bytes,
        )
        self._connect(self._driver)

    async def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None = None
    ) -> SyncStatus:
        """Enables a pipeline, which begins to sync.

        It is sent again only where the API cannot have received it, or says to come back.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            frequency: How often to sync: ``"1m"``, ``"15m"``, ``"1h"``, ``"1d"``. The hosted
                service decides that by itself.

        Returns:
            The state of the pipeline.

        Raises:
            ConfigurationError: The API takes no frequency.

        Examples:
            await client.enable_sync("googleDrive", "files")
        """
        return await arun(self._operations.enable_sync(integration, sync_type, frequency))

    async def get_sync_status(self, integration: str, sync_type: str) -> SyncStatus:
        """The state of a pipeline.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.

        Raises:
            NotFoundError: There is no such pipeline.

        Examples:
            (await client.get_sync_status("googleDrive", "files")).record_count
        """
        return await arun(self._operations.get_sync_status(integration, sync_type))

    async def wait_until_idle(
        self,
        integration: str,
        sync_type: str,
        *,
        timeout: float = 600.0,  # noqa: ASYNC109 - as in the synchronous client
        on_progress: Callable[[SyncStatus], None] | None = None,
    ) -> SyncStatus:
        """Waits until a pipeline's sync has ended.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            timeout: Seconds to wait at most.
            on_progress: Called with each status that is read.

        Raises:
            SyncFailedError: The sync failed, is disabled, or did not end in time.

        Examples:
            (await client.wait_until_idle("googleDrive", "files", timeout=60)).record_count
        """
        return await arun(
            self._operations.wait_until_idle(integration, sync_type, timeout, on_progress)
        )

    async def list_records(
        self, integration: str, sync_type: str, cursor: str | None = None
    ) -> RecordPage:
        """One page of a pipeline's records.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            cursor: The ``next_cursor`` of the page before, or a ``resume_cursor`` that was kept.

        Returns:
            The records; ``next_cursor`` is ``None`` on the last page.

        Raises:
            NotFoundError: There is no such pipeline.

        Examples:
            page = await client.list_records("googleDrive", "files")
        """
        return await arun(self._operations.list_records(integration, sync_type, cursor))

    async def iter_records(self, integration: str, sync_type: str) -> AsyncIterator[SyncedRecord]:
        """All records of a pipeline, page after page.

        The next page is fetched while one is consumed, unless that takes less than a millisecond;
        no more than these two are held in memory.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.

        Raises:
            ApiError: A page cannot be read, or the listing does not end; the message has the
                number of the page. The records before it were handed out.

        Examples:
            ```python
            async for record in client.iter_records("googleDrive", "files"):
                print(record.id)
            ```
        """
        async with aclosing(
            self._driver.iterate(self._operations.iter_records(integration, sync_type))
        ) as records:
            async for record in records:
                yield record

    async def iter_changes(
        self, integration: str, sync_type: str, cursor: str | None = None
    ) -> AsyncIterator[RecordPage]:
        """Pages of what was added or changed since a cursor was given; of everything without one.

        Where the API's cursors are made to be kept, as the hosted service's are, every page has a
        ``resume_cursor``: keep it once the page is worked through, and the next time only changes
        come. What was deleted is not among them. Where they are not, no page has one.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            cursor: The ``resume_cursor`` of an earlier page.

        Raises:
            BadRequestError: The API does not take the cursor any more: begin again without one.
            NotFoundError: The same; or there is no such pipeline.
            ApiError: A page cannot be read, or the listing does not end; the message has the
                number of the page. The pages before it were handed out.

        Examples:
            ```python
            async for page in client.iter_changes("googleDrive", "files", cursor=None):
                print(len(page.records), page.resume_cursor)
            ```
        """
        async with aclosing(
            self._driver.iterate(self._operations.iter_changes(integration, sync_type, cursor))
        ) as pages:
            async for page in pages:
                yield page

    async def get_record(self, record_id: str) -> SyncedRecord:
        """One record.

        Args:
            record_id: As ``list_records`` gives it.

        Raises:
            NotFoundError: There is no such record.
            InvalidIdentifierError: It is not the id of a record.

        Examples:
            (await client.get_record("r1")).data["name"]
        """
        return await arun(self._operations.get_record(record_id))

    @asynccontextmanager
    async def stream_content(
        self, record_id: str, *, max_bytes: int = DEFAULT_MAX_CONTENT_BYTES
    ) -> AsyncIterator[AsyncContentStream]:
        """The bytes of a file-type record, part after part; the file is never held in memory.

        Opening is tried again like any request. What breaks off later raises, since parts of it
        were handed out; ``download_content`` starts over.

        Raises:
            ContentTooLargeError: The file is larger than ``max_bytes``; hardly more was read.
            IncompleteResponseError: There are not as many bytes as the API announced.

        Examples:
            ```python
            async with client.stream_content("r1") as content:
                async for part in content:
                    file.write(part)
            ```
        """
        streamed = await arun(self._operations.open_content(record_id, max_bytes))
        async with aclosing(streamed.stream):
            check = ContentCheck(record_id, streamed, max_bytes)
            content_type, filename = content_kind(streamed.headers)
            parts = self._driver.parts(streamed, check)
            yield AsyncContentStream(content_type, filename, check.size, parts)

    async def download_content(
        self, record_id: str, *, max_bytes: int = DEFAULT_MAX_CONTENT_BYTES
    ) -> FileContent:
        """The bytes of a file-type record.

        Redirects are followed to https or to the API's own host, which alone gets the token.

        Args:
            record_id: As ``list_records`` gives it.
            max_bytes: The limit of its size.

        Raises:
            ContentTooLargeError: The file is larger than ``max_bytes``; hardly more was read.
            IncompleteResponseError: There are not as many bytes as the API announced.

        Examples:
            (await client.download_content("r1")).data
        """
        return await arun(self._operations.download_content(record_id, max_bytes))

    async def check_access(self, subject: str, relation: str, object_id: str) -> bool:
        """Whether a subject has a relation to an object, now.

        Args:
            subject: Such as ``"alice@example.com"``.
            relation: ``"viewer"``, ``"editor"`` or ``"owner"``.
            object_id: Such as ``"file:3f2a"``.

        Raises:
            InvalidIdentifierError: The API cannot be asked about the subject or the object.

        Examples:
            await client.check_access("alice@example.com", "viewer", "file:3f2a")
        """
        return await arun(self._operations.check_access(subject, relation, object_id))

    async def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Decides any number of checks, in their order.

        They are sent in requests of ``check_batch_size``, some of them at the same time, and of
        less where the API says that this is too much.

        Raises:
            AccessCheckError: Some check has no decision; ``undecided`` names the objects of the
                first request that failed. No decision of the others is handed out.

        Examples:
            check = AccessCheck(subject="alice@example.com", relation="viewer", object="file:3f2a")
            await client.batch_check_access([check])
        """
        return await arun(self._operations.batch_check_access(checks))

    async def list_users(self, object_id: str, relation: str) -> list[str]:
        """The subjects that have a relation to an object.

        Args:
            object_id: Such as ``"file:3f2a"``.
            relation: ``"viewer"``, ``"editor"`` or ``"owner"``.

        Returns:
            E-mail addresses, and other subjects with their type. The hosted service lists a
            thousand at most; a list of that length is logged.

        Raises:
            ResponseFormatError: The list cannot be read, or not to its end.

        Examples:
            await client.list_users("file:3f2a", "viewer")
        """
        return await arun(self._operations.list_users(object_id, relation))

    async def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """The ids of the objects to which a subject has a relation.

        Args:
            subject: Such as ``"alice@example.com"``.
            relation: ``"viewer"``, ``"editor"`` or ``"owner"``.
            object_type: Such as ``"file"``; objects of every type if it is left out.

        Returns:
            Object ids. A server may cut the list off without saying so; see ``list_limit``.

        Raises:
            ResponseFormatError: The list cannot be read, or not to its end.

        Examples:
            await client.list_objects("alice@example.com", "viewer", "file")
        """
        return await arun(self._operations.list_objects(subject, relation, object_type))

    async def expand(self, subject: str, relation: str, object_id: str) -> RelationshipNode:
        """How a subject comes to have a relation to an object, as a tree.

        Where the API gives a tree of names, the root is decided by a check.

        Args:
            subject: Such as ``"alice@example.com"``.
            relation: ``"viewer"``, ``"editor"`` or ``"owner"``.
            object_id: Such as ``"file:3f2a"``.

        Raises:
            ResponseFormatError: The tree is of no known form.

        Examples:
            (await client.expand("alice@example.com", "viewer", "file:3f2a")).granted
        """
        return await arun(self._operations.expand(subject, relation, object_id))

    async def close(self) -> None:
        """Closes the connections."""
        http = self._connections.made_here()
        if self._closes_http and http is not None:
            await http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
