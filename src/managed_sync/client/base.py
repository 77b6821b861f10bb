"""What both clients are made of, besides sending."""

from __future__ import annotations

from typing import Self

from pydantic import SecretStr

from managed_sync.arguments import check_integer
from managed_sync.client.credentials import AsyncTokenCallable, credentials_of
from managed_sync.client.operations import Flows
from managed_sync.client.transport.bodies import DEFAULT_MAX_ANSWER_BYTES
from managed_sync.client.transport.clock import Clock, SystemClock
from managed_sync.client.transport.httpx_adapter import checked_base_url
from managed_sync.client.transport.limits import DEFAULT_MAX_CONCURRENT_REQUESTS, Places, Rate
from managed_sync.client.transport.retry import DEFAULT_RETRY_BUDGET, RetryPolicy
from managed_sync.client.wire.base import WireFormat
from managed_sync.client.wire.hosted.api import HostedApi
from managed_sync.client.wire.projects import ProjectsApi
from managed_sync.errors import ConfigurationError
from managed_sync.settings import ApiName, Settings

__all__ = ["DEFAULT_CHECK_BATCH_SIZE", "DEFAULT_MAX_CONCURRENT_CHECKS", "BaseClient"]

DEFAULT_CHECK_BATCH_SIZE = 100
DEFAULT_MAX_CONCURRENT_CHECKS = 8


class BaseClient:
    """Reads the arguments of a client, and keeps what its methods share."""

    def __init__(
        self,
        project_id: str,
        token: str | SecretStr | AsyncTokenCallable | None = None,
        *,
        signing_key: str | SecretStr | None = None,
        user_id: str | None = None,
        base_url: str | None = None,
        api: ApiName = "projects",
        retry_budget: float = DEFAULT_RETRY_BUDGET,
        check_batch_size: int = DEFAULT_CHECK_BATCH_SIZE,
        max_concurrent_checks: int = DEFAULT_MAX_CONCURRENT_CHECKS,
        max_concurrent_requests: int = DEFAULT_MAX_CONCURRENT_REQUESTS,
        max_requests_per_second: float | None = None,
        max_answer_bytes: int = DEFAULT_MAX_ANSWER_BYTES,
        clock: Clock | None = None,
    ) -> None:
        for name, value in (
            ("check_batch_size", check_batch_size),
            ("max_concurrent_checks", max_concurrent_checks),
            ("max_concurrent_requests", max_concurrent_requests),
            ("max_answer_bytes", max_answer_bytes),
        ):
            check_integer(name, value)
        self.project_id = project_id
        self._api = _wire_format(api, project_id)
        self._base_url = checked_base_url(
            self._api.default_base_url if base_url is None else base_url
        )
        self._clock = clock or SystemClock()
        self._retries = RetryPolicy(retry_budget)
        self._credentials = credentials_of(project_id, token, signing_key, user_id, self._clock)
        self._flows = Flows(
            self._api,
            base_url=self._base_url,
            credentials=self._credentials,
            retries=self._retries,
            clock=self._clock,
            check_batch_size=check_batch_size,
            request_places=Places(max_concurrent_requests),
            check_places=Places(max_concurrent_checks),
            rate=Rate(max_requests_per_second),
        )

    @classmethod
    def from_env(cls, *, retry_budget: float = DEFAULT_RETRY_BUDGET) -> Self:
        """A client from ``MANAGED_SYNC_*`` environment variables; see ``managed_sync.settings``.

        Args:
            retry_budget: Seconds from the first sending after which a request is not sent again.

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
            retry_budget=retry_budget,
        )

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self._base_url

    @property
    def connected_user(self) -> str | None:
        """The user whose data the client asks for, as its token says; ``None`` if it does not."""
        return self._credentials.user

    @property
    def list_limit(self) -> int | None:
        """The length at which lists of objects are cut off; ``None`` if they never are."""
        return self._api.list_limit

    @property
    def retry_count(self) -> int:
        """How many requests this client has sent again."""
        return self._retries.count

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self.project_id!r}, base_url={self.base_url!r})"


def _wire_format(api: ApiName, project_id: str) -> WireFormat:
    match api:
        case "projects":
            return ProjectsApi(project_id)
        case "hosted":
            return HostedApi()
        case _:
            raise ConfigurationError(
                f"There is no wire format {api!r}; use 'projects' for the specification's, or "
                f"'hosted' for that of the hosted service."
            )
