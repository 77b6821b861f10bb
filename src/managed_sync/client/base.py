"""The part that both clients share: their arguments, and the programs of their methods."""

from __future__ import annotations

from pydantic import SecretStr

from managed_sync.arguments import check_integer
from managed_sync.client.clock import Clock, SystemClock
from managed_sync.client.credentials import AsyncTokenCallable, credentials_of
from managed_sync.client.operations import Operations
from managed_sync.client.settings import ApiName
from managed_sync.client.transport.bodies import DEFAULT_MAX_ANSWER_BYTES
from managed_sync.client.transport.connections import checked_base_url
from managed_sync.client.transport.effects import Driver
from managed_sync.client.transport.limits import (
    DEFAULT_MAX_CONCURRENT_REQUESTS,
    FairSemaphore,
    Rate,
)
from managed_sync.client.transport.retry import DEFAULT_RETRY_BUDGET, RetryPolicy
from managed_sync.client.transport.sender import Sender
from managed_sync.client.wire.base import WireFormat
from managed_sync.client.wire.hosted.api import HostedApi
from managed_sync.client.wire.projects import ProjectsApi
from managed_sync.errors import ConfigurationError

__all__ = ["DEFAULT_CHECK_BATCH_SIZE", "DEFAULT_MAX_CONCURRENT_CHECKS", "BaseClient"]

DEFAULT_CHECK_BATCH_SIZE = 100
DEFAULT_MAX_CONCURRENT_CHECKS = 8


class BaseClient:
    """A client without a driver to carry its programs out."""

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
        self._clock = clock or SystemClock()
        self._retries = RetryPolicy(retry_budget)
        self._sender = Sender(
            retries=self._retries,
            clock=self._clock,
            request_slots=FairSemaphore(max_concurrent_requests),
            rate=Rate(max_requests_per_second),
        )
        self._api = _wire_format(api, project_id, self._sender)
        self._base_url = checked_base_url(
            self._api.default_base_url if base_url is None else base_url
        )
        self._credentials = credentials_of(project_id, token, signing_key, user_id, self._clock)
        self._operations = Operations(
            self._api,
            self._sender,
            check_batch_size=check_batch_size,
            check_slots=FairSemaphore(max_concurrent_checks),
        )

    def _connect(self, driver: Driver) -> None:
        """Lets the client's requests be sent by a driver."""
        self._sender.connect(
            driver, base_url=self._base_url, can_renew_token=self._credentials.can_renew
        )

    @property
    def base_url(self) -> str:
        """The API's URL."""
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
        """The number of requests that this client has sent again."""
        return self._retries.count

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self.project_id!r}, base_url={self.base_url!r})"


def _wire_format(api: ApiName, project_id: str, sender: Sender) -> WireFormat:
    match api:
        case "projects":
            return ProjectsApi(project_id, sender)
        case "hosted":
            return HostedApi(sender)
        case _:
            raise ConfigurationError(
                f"There is no wire format {api!r}; use 'projects' for the specification's, or "
                f"'hosted' for that of the hosted service."
            )
