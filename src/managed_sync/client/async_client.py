"""The asynchronous client, which runs the programs of its operations in tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Self, Unpack

import httpx
from pydantic import SecretStr

from managed_sync.client.base import (
    DEFAULT_CHECK_BATCH_SIZE,
    DEFAULT_MAX_CONCURRENT_CHECKS,
    BaseClient,
)
from managed_sync.client.clock import Clock
from managed_sync.client.credentials import AsyncTokenCallable
from managed_sync.client.options import AsyncClientOptions, with_environment
from managed_sync.client.settings import ApiName
from managed_sync.client.transport.async_driver import AsyncDriver
from managed_sync.client.transport.bodies import DEFAULT_MAX_ANSWER_BYTES
from managed_sync.client.transport.connections import DEFAULT_TIMEOUT, open_connections
from managed_sync.client.transport.limits import DEFAULT_MAX_CONCURRENT_REQUESTS
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

__all__ = ["AsyncManagedSyncClient"]


class AsyncManagedSyncClient(BaseClient):
    """An asynchronous client of a Managed Sync API.

    It has the methods of ``ManagedSyncClient``, to be awaited. Safe to share between the tasks of
    one event loop, to which its connections belong. If each call runs in an event loop of its own,
    as with ``asyncio.run`` or LlamaIndex's ``QueryFusionRetriever(use_async=True)``, calls fail
    with "Event loop is closed": use a ``ManagedSyncClient`` there, which retrievers call in
    threads. Close the client, or use it as an asynchronous context manager.

    Every method raises ``ApiError`` or one of its subclasses when the API cannot be reached,
    returns an error status, or sends a response that violates the specification. Transient failures
    (no connection, timeout, 408, 425, 429, 500, 502, 503, 504) are retried first.

    The arguments are those of ``ManagedSyncClient``, apart from these:

    Args:
        token: A bearer token, or a function that returns one. A coroutine function is awaited; any
            other function is called in a thread.
        transport: An asynchronous transport of httpx.
        http_client: An existing ``httpx.AsyncClient``.

    Raises:
        ConfigurationError: An argument is missing or invalid.

    Examples:
        >>> async with AsyncManagedSyncClient("p1", "t", base_url="http://localhost") as client:
        ...     print(client)
        AsyncManagedSyncClient(project_id='p1', base_url='http://localhost')
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
        self._closes_http = http_client is None
        self._connections = open_connections(
            httpx.AsyncClient,
            http_client,
            transport,
            timeout=timeout,
            base_url=self._base_url,
            max_concurrent_requests=max_concurrent_requests,
        )
        self._driver = AsyncDriver(
            self._connections,
            base_url=self._base_url,
            credentials=self._credentials,
            clock=self._clock,
            max_answer_bytes=max_answer_bytes,
        )
        self._connect(self._driver)

    @classmethod
    def from_env(cls, **options: Unpack[AsyncClientOptions]) -> Self:
        """Creates a client from environment variables; see ``managed_sync.client.settings``.

        ``options`` are arguments of the client; they take precedence over the environment. A token
        or a signing key among them replaces all credentials of the environment.

        Raises:
            ConfigurationError: A variable is missing or invalid.

        Examples:
            >>> AsyncManagedSyncClient.from_env(retry_budget=5).project_id
            'p1'
        """
        return cls(**with_environment(options))

    async def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None = None
    ) -> SyncStatus:
        """Enables a pipeline, starts its first sync, and returns its status.

        ``frequency`` is the time between two syncs, such as ``"15m"``, ``"1h"`` or ``"1d"``; the
        hosted service chooses its own. The request is retried only if the API cannot have received
        it, or asks to repeat it.

        Raises:
            ConfigurationError: The API does not accept a frequency.

        Examples:
            >>> (await client.enable_sync("googleDrive", "files")).status
            <SyncState.SYNCING: 'SYNCING'>
        """
        return await arun(self._operations.enable_sync(integration, sync_type, frequency))

    async def get_sync_status(self, integration: str, sync_type: str) -> SyncStatus:
        """Returns the status of a pipeline.

        Raises:
            NotFoundError: The pipeline does not exist.

        Examples:
            >>> (await client.get_sync_status("googleDrive", "files")).record_count
            2
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
        """Waits until a pipeline's sync has ended, and returns its status.

        It waits ``timeout`` seconds at most; ``on_progress`` is called with each status it reads.

        Raises:
            SyncFailedError: The sync failed, is disabled, or did not end in time.

        Examples:
            >>> (await client.wait_until_idle("googleDrive", "files", timeout=60)).record_count
            2
        """
        return await arun(
            self._operations.wait_until_idle(integration, sync_type, timeout, on_progress)
        )

    async def list_records(
        self, integration: str, sync_type: str, cursor: str | None = None
    ) -> RecordPage:
        """Returns one page of a pipeline's records.

        ``cursor`` is the ``next_cursor`` of the previous page, which is ``None`` on the last page,
        or a stored ``resume_cursor``.

        Raises:
            NotFoundError: The pipeline does not exist.

        Examples:
            >>> page = await client.list_records("googleDrive", "files")
            >>> [record.id for record in page.records], page.next_cursor
            (['3f2a'], 'c2')
        """
        return await arun(self._operations.list_records(integration, sync_type, cursor))

    async def iter_records(self, integration: str, sync_type: str) -> AsyncIterator[SyncedRecord]:
        """Iterates over all records of a pipeline.

        The next page is fetched while the caller works on the current one, unless that takes less
        than a millisecond. At most these two pages are held in memory.

        Raises:
            ApiError: A page cannot be read, or the listing does not end; the message has the number
                of the page. All records before it were yielded.

        Examples:
            >>> async for record in client.iter_records("googleDrive", "files"):
            ...     print(record.id, record.data["name"])
            3f2a Plan.md
            7b1c Budget.xlsx
        """
        async with aclosing(
            self._driver.iterate(self._operations.iter_records(integration, sync_type))
        ) as records:
            async for record in records:
                yield record

    async def iter_changes(
        self, integration: str, sync_type: str, cursor: str | None = None
    ) -> AsyncIterator[RecordPage]:
        """Iterates over pages of records that were added or changed since a cursor was returned.

        Without a cursor, it iterates over all records. Where the API's cursors can be stored, as
        the hosted service's can, every page has a ``resume_cursor``. Store it once you have
        processed the page, and pass it as ``cursor`` the next time to get only later changes.
        Deletions are not among them. Elsewhere ``resume_cursor`` is ``None``.

        Raises:
            BadRequestError: The API no longer accepts the cursor: start again without one.
            NotFoundError: The same, or the pipeline does not exist.
            ApiError: As in ``iter_records``.

        Examples:
            >>> async for page in client.iter_changes("googleDrive", "files", cursor=None):
            ...     print(len(page.records), page.resume_cursor)
            1 None
            1 None
        """
        async with aclosing(
            self._driver.iterate(self._operations.iter_changes(integration, sync_type, cursor))
        ) as pages:
            async for page in pages:
                yield page

    async def get_record(self, record_id: str) -> SyncedRecord:
        """Returns one record.

        Raises:
            NotFoundError: The record does not exist.
            InvalidIdentifierError: ``record_id`` is not the id of a record.

        Examples:
            >>> (await client.get_record("3f2a")).data["name"]
            'Plan.md'
        """
        return await arun(self._operations.get_record(record_id))

    @asynccontextmanager
    async def stream_content(
        self, record_id: str, *, max_bytes: int = DEFAULT_MAX_CONTENT_BYTES
    ) -> AsyncIterator[AsyncContentStream]:
        """Streams the bytes of a file record; the file is never held in memory.

        Opening the stream is retried like any request. A stream that breaks off later raises, since
        parts of it were yielded already; ``download_content`` starts over instead.

        Raises:
            ContentTooLargeError: The file is larger than ``max_bytes``; hardly more was read.
            IncompleteResponseError: The number of bytes differs from what the API announced.

        Examples:
            >>> async with client.stream_content("3f2a") as content:
            ...     async for part in content:
            ...         print(content.filename, len(part))
            Plan.md 21
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
        """Returns the bytes of a file record.

        Redirects are followed to https and to the API's own host; only the latter gets the token.
        The errors are those of ``stream_content``.

        Examples:
            >>> (await client.download_content("3f2a")).data[:6]
            b'# Plan'
        """
        return await arun(self._operations.download_content(record_id, max_bytes))

    async def check_access(self, subject: str, relation: str, object_id: str) -> bool:
        """Returns whether a subject has a relation to an object now.

        Raises:
            InvalidIdentifierError: The API does not accept the subject or the object.

        Examples:
            >>> await client.check_access("alice@example.com", "viewer", "file:3f2a")
            True
        """
        return await arun(self._operations.check_access(subject, relation, object_id))

    async def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Decides any number of checks; returns the decisions in the order of the checks.

        The checks are sent in requests of ``check_batch_size``, several at once, and in smaller
        ones if the API says that these are too large.

        Raises:
            AccessCheckError: A check has no decision; ``undecided`` names the objects of the first
                request that failed. No other decision is returned.

        Examples:
            >>> check = AccessCheck(subject="alice@example.com", relation="viewer", object="file:1")
            >>> await client.batch_check_access([check])
            [True]
        """
        return await arun(self._operations.batch_check_access(checks))

    async def list_users(self, object_id: str, relation: str) -> list[str]:
        """Returns the subjects that have a relation to an object, users by their address alone.

        The hosted service lists at most 1,000 users; a list of that length is logged.

        Examples:
            >>> await client.list_users("file:3f2a", "viewer")
            ['alice@example.com']
        """
        return await arun(self._operations.list_users(object_id, relation))

    async def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """Returns the ids of the objects to which a subject has a relation.

        Objects of every type are listed unless ``object_type``, such as ``"file"``, names one. A
        server may cut the list off without a sign; see ``list_limit``.

        Examples:
            >>> await client.list_objects("alice@example.com", "viewer", "file")
            ['file:3f2a']
        """
        return await arun(self._operations.list_objects(subject, relation, object_type))

    async def expand(self, subject: str, relation: str, object_id: str) -> RelationshipNode:
        """Explains how a subject comes to have a relation to an object, as a tree.

        If the API returns a tree of names alone, the client decides its root with a check.

        Examples:
            >>> (await client.expand("alice@example.com", "viewer", "file:3f2a")).granted
            True
        """
        return await arun(self._operations.expand(subject, relation, object_id))

    async def close(self) -> None:
        """Closes the connections."""
        http = self._connections.made_here()
        if self._closes_http and http is not None:
            await http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
