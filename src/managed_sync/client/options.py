"""The options of both clients, as ``from_env`` takes them.

They are typed dictionaries, so that ``from_env`` need not repeat the signature of its class. A test
compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import httpx
from pydantic import SecretStr

from managed_sync.client.clock import Clock
from managed_sync.client.credentials import AsyncTokenCallable, TokenCallable
from managed_sync.client.settings import ApiName, Settings
from managed_sync.errors import ConfigurationError

__all__ = ["AsyncClientOptions", "ClientOptions", "with_environment"]


class _CommonOptions(TypedDict, total=False):
    project_id: str
    signing_key: str | SecretStr | None
    user_id: str | None
    base_url: str | None
    api: ApiName
    timeout: float
    retry_budget: float
    check_batch_size: int
    max_concurrent_checks: int
    max_concurrent_requests: int
    max_requests_per_second: float | None
    max_answer_bytes: int
    clock: Clock | None


class ClientOptions(_CommonOptions, total=False):
    """The options of ``ManagedSyncClient``, which describes them."""

    token: str | SecretStr | TokenCallable | None
    transport: httpx.BaseTransport | None
    http_client: httpx.Client | None


class AsyncClientOptions(_CommonOptions, total=False):
    """The options of ``AsyncManagedSyncClient``, which describes them."""

    token: str | SecretStr | AsyncTokenCallable | None
    transport: httpx.AsyncBaseTransport | None
    http_client: httpx.AsyncClient | None


def with_environment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Completes a client's options with the environment's.

    The environment's credentials are left out if the options have some: a token of the environment
    would take precedence over a signing key of the caller's.

    Raises:
        ConfigurationError: The project is missing, or a variable is invalid.
    """
    passed = {name: value for name, value in options.items() if value is not None}
    settings = Settings.from_env()
    found: dict[str, Any] = {
        "project_id": settings.project_id,
        "user_id": settings.user_id,
        "base_url": settings.base_url,
        "api": settings.api,
    }
    if not passed.keys() & {"token", "signing_key"}:
        found |= {"token": settings.token, "signing_key": settings.signing_key}
    completed = {**found, **passed}
    if not completed["project_id"]:
        raise ConfigurationError(
            "project_id is missing: set MANAGED_SYNC_PROJECT_ID, or pass project_id."
        )
    return completed
