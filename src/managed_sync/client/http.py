"""The client: sends operations over HTTP and turns what goes wrong into this package's errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
from pydantic import SecretStr

from managed_sync.client.credentials import Credentials, FixedToken, SigningKey
from managed_sync.client.operations import (
    Answer,
    Operation,
    PageWalk,
    Request,
    in_batches,
    raise_for_status,
)
from managed_sync.client.projects_api import ProjectsApi, content_from
from managed_sync.errors import (
    AccessCheckError,
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    ConfigurationError,
    ContentTooLargeError,
    SyncFailedError,
)
from managed_sync.models import (
    AccessCheck,
    FileContent,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncState,
    SyncStatus,
)
from managed_sync.settings import DEFAULT_BASE_URL, Settings

__all__ = ["DEFAULT_MAX_CONTENT_BYTES", "ManagedSyncClient"]

T = TypeVar("T")

DEFAULT_MAX_CONTENT_BYTES = 100 * 1024 * 1024
_DEFAULT_TIMEOUT = 30.0
_CHECKS_PER_REQUEST = 100
_CHECK_REQUESTS_AT_ONCE = 8
_POLL_SECONDS = 0.2


class ManagedSyncClient:
    """Talks to a Managed Sync API.

    Safe to share between threads. Close it, or use it as a context manager. Each method raises
    ``ApiError`` or one of its kinds when the API cannot be reached, answers with an error status,
    or answers with something that the specification does not allow.

    Args:
        project_id: The project, as in the API's paths.
        token: A bearer token for the connected user whose data is asked for.
        signing_key: In place of a token: the project's RSA private key in PEM, with which the
            client makes short-lived tokens for ``user_id``.
        user_id: The connected user; only with ``signing_key``.
        base_url: Where the API is.
        api: The wire format; ``"projects"`` is the specification's.
        timeout: Seconds to wait for a connection, and for each part of an answer.
        transport: A transport of httpx to use in place of its own, as for tests or proxies.

    Raises:
        ConfigurationError: An argument is missing or makes no sense.

    Example:
        >>> client = ManagedSyncClient(project_id="p1", token="t", base_url="http://127.0.0.1:8080")
        >>> client.project_id
        'p1'
        >>> client.close()
    """

    def __init__(
        self,
        project_id: str,
        token: str | SecretStr | None = None,
        *,
        signing_key: str | SecretStr | None = None,
        user_id: str | None = None,
        base_url: str = DEFAULT_BASE_URL,
        api: Literal["projects"] = "projects",
        timeout: float = _DEFAULT_TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if api != "projects":
            raise ConfigurationError(f"There is no wire format {api!r}; use 'projects'.")
        self.project_id = project_id
        self._api = ProjectsApi(project_id)
        self._credentials = _credentials(project_id, token, signing_key, user_id)
        self._http = httpx.Client(
            base_url=_checked_base_url(base_url), timeout=timeout, transport=transport
        )

    @classmethod
    def from_env(cls) -> Self:
        """A client from ``MANAGED_SYNC_*`` environment variables; see ``managed_sync.settings``.

        Raises:
            ConfigurationError: A variable is missing or makes no sense.
        """
        settings = Settings.from_env()
        if not settings.project_id:
            raise ConfigurationError("Set MANAGED_SYNC_PROJECT_ID to the project's id.")
        return cls(
            settings.project_id,
            settings.token,
            signing_key=settings.signing_key,
            user_id=settings.user_id,
            base_url=settings.base_url,
            api=settings.api,
        )

    def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None = None
    ) -> SyncStatus:
        """Enables a pipeline, which begins to sync.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            frequency: How often to sync: ``"1m"``, ``"15m"``, ``"1h"``, ``"1d"``.
        """
        return self._send(self._api.enable_sync(integration, sync_type, frequency))

    def get_sync_status(self, integration: str, sync_type: str) -> SyncStatus:
        """The state of a pipeline."""
        return self._send(self._api.get_sync_status(integration, sync_type))

    def wait_until_idle(
        self,
        integration: str,
        sync_type: str,
        *,
        timeout: float = 600.0,
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
        """
        deadline = time.monotonic() + timeout
        while True:
            status = self.get_sync_status(integration, sync_type)
            if on_progress is not None:
                on_progress(status)
            if status.status is SyncState.IDLE:
                return status
            if status.status is not SyncState.SYNCING:
                raise SyncFailedError(
                    f"The sync of {integration} {sync_type} is {status.status}: "
                    f"{status.error or 'the API gives no reason'}"
                )
            if time.monotonic() > deadline:
                raise SyncFailedError(
                    f"The sync of {integration} {sync_type} has not ended after {timeout:.0f} s; "
                    f"it goes on in the API, so ask again later."
                )
            time.sleep(_POLL_SECONDS)

    def list_records(
        self, integration: str, sync_type: str, cursor: str | None = None
    ) -> RecordPage:
        """One page of a pipeline's records; pass its ``next_cursor`` for the next one."""
        return self._send(self._api.list_records(integration, sync_type, cursor))

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        """All records of a pipeline, page after page; no more than a page is held in memory."""
        walk = PageWalk()
        more = True
        while more:
            page = self.list_records(integration, sync_type, walk.cursor)
            yield from page.records
            more = walk.follow(page)

    def get_record(self, record_id: str) -> SyncedRecord:
        """One record."""
        return self._send(self._api.get_record(record_id))

    def download_content(
        self, record_id: str, *, max_bytes: int = DEFAULT_MAX_CONTENT_BYTES
    ) -> FileContent:
        """The bytes of a file-type record.

        Raises:
            ContentTooLargeError: The file is larger than ``max_bytes``; no more than that was read.
        """
        request = self._api.download_content(record_id)
        with _connection_errors(request), self._stream(request) as response:
            if not response.is_success:
                response.read()
                raise_for_status(request, _answer(response))
            data = bytearray()
            for part in response.iter_bytes():
                data += part
                if len(data) > max_bytes:
                    raise ContentTooLargeError(
                        f"The content of record {record_id} is larger than the limit of "
                        f"{max_bytes:,} bytes; pass a larger max_bytes to read it."
                    )
        return content_from(_headers(response), bytes(data))

    def check_access(self, subject: str, relation: str, object_id: str) -> bool:
        """Whether a subject has a relation to an object, now."""
        check = AccessCheck(subject=subject, relation=relation, object=object_id)
        return self._send(self._api.check_access(check))

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Decides any number of checks, in their order.

        They are sent in requests of a hundred, some of them at the same time.

        Raises:
            AccessCheckError: Some check has no decision; ``undecided`` names the objects of the
                first request that failed. No decision of the others is handed out.
        """
        batches = list(in_batches(checks, _CHECKS_PER_REQUEST))
        if len(batches) <= 1:
            return [decision for batch in batches for decision in self._check_batch(batch)]
        with ThreadPoolExecutor(min(len(batches), _CHECK_REQUESTS_AT_ONCE)) as pool:
            answers = [pool.submit(self._check_batch, batch) for batch in batches]
            try:
                return [decision for answer in answers for decision in answer.result()]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def list_users(self, object_id: str, relation: str) -> list[str]:
        """The subjects that have a relation to an object."""
        return self._send(self._api.list_users(object_id, relation))

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        """The ids of the objects to which a subject has a relation."""
        return self._send(self._api.list_objects(subject, relation, object_type))

    def expand(self, subject: str, relation: str, object_id: str) -> RelationshipNode:
        """How a subject comes to have a relation to an object, as a tree."""
        check = AccessCheck(subject=subject, relation=relation, object=object_id)
        return self._send(self._api.expand(check))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ManagedSyncClient(project_id={self.project_id!r}, base_url={self.base_url!r})"

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return str(self._http.base_url).rstrip("/")

    def _send(self, operation: Operation[T]) -> T:
        request = operation.request
        with _connection_errors(request):
            response = self._http.request(
                request.method,
                request.path,
                params=dict(request.params),
                json=request.body,
                headers=self._authorization(),
            )
        return operation.read(_answer(response))

    def _check_batch(self, checks: Sequence[AccessCheck]) -> list[bool]:
        try:
            return self._send(self._api.batch_check_access(checks))
        except ApiError as error:
            raise AccessCheckError(
                f"{len(checks)} access checks have no decision: {error}",
                undecided=[check.object for check in checks],
            ) from error

    def _stream(self, request: Request) -> AbstractContextManager[httpx.Response]:
        return self._http.stream(request.method, request.path, headers=self._authorization())

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._credentials.token()}"}


@contextmanager
def _connection_errors(request: Request) -> Iterator[None]:
    """Turns httpx's errors into this package's, without the request's headers."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ApiTimeoutError(
            f"{request} was not answered in time ({type(error).__name__}); try again, or pass a "
            f"larger timeout."
        ) from None
    except httpx.TransportError as error:
        raise ApiConnectionError(
            f"{request} failed: {error or type(error).__name__}. Check that the API runs at the "
            f"base URL (MANAGED_SYNC_BASE_URL)."
        ) from None


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, _headers(response), response.content)


def _headers(response: httpx.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _credentials(
    project_id: str,
    token: str | SecretStr | None,
    signing_key: str | SecretStr | None,
    user_id: str | None,
) -> Credentials:
    if token:
        return FixedToken(_secret(token))
    if signing_key and user_id:
        return SigningKey(_secret(signing_key), user_id=user_id, project_id=project_id)
    raise ConfigurationError(
        "No credentials: pass token, or signing_key and user_id (from the environment: "
        "MANAGED_SYNC_TOKEN, or MANAGED_SYNC_SIGNING_KEY and MANAGED_SYNC_USER_ID)."
    )


def _secret(value: str | SecretStr) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)


def _checked_base_url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError(
            f"{value!r} is not the URL of an API; it should look like {DEFAULT_BASE_URL!r}."
        )
    return value
