"""How to reach a Managed Sync API, read from environment variables.

``MANAGED_SYNC_BASE_URL``, ``MANAGED_SYNC_PROJECT_ID``, then either ``MANAGED_SYNC_TOKEN`` or
``MANAGED_SYNC_SIGNING_KEY`` (an RSA private key in PEM) with ``MANAGED_SYNC_USER_ID``. Where one of
these is not set, the same name with ``PARAGON_`` in place of ``MANAGED_SYNC_`` is read.
``MANAGED_SYNC_API`` names the wire format: ``projects``, or ``hosted`` for the hosted service's.
"""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from managed_sync.errors import ConfigurationError

__all__ = ["DEFAULT_BASE_URLS", "ApiName", "Settings"]

ApiName: TypeAlias = Literal["projects", "hosted"]

DEFAULT_BASE_URLS: dict[ApiName, str] = {
    "projects": "https://managed-sync.useparagon.com",
    "hosted": "https://sync.useparagon.com",
}

_PREFIX = "MANAGED_SYNC_"
_OTHER_PREFIX = "PARAGON_"


class Settings(BaseSettings):
    """The settings of a client.

    Examples:
        >>> Settings(project_id="p1", token="secret").token
        SecretStr('**********')
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True)

    base_url: str | None = None
    project_id: str | None = None
    token: SecretStr | None = None
    signing_key: SecretStr | None = None
    user_id: str | None = None
    api: ApiName = "projects"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then this package's variables, then those of the hosted service."""
        theirs = EnvSettingsSource(settings_cls, env_prefix=_OTHER_PREFIX)
        return init_settings, env_settings, theirs

    @classmethod
    def from_env(cls) -> Settings:
        """Reads the environment.

        Raises:
            ConfigurationError: A variable has a value that makes no sense. The message names it.
        """
        try:
            return cls()
        except ValidationError as error:
            # The values are left out: one of them may be a key pasted into the wrong variable.
            problems = "; ".join(
                f"{_variable(str(problem['loc'][0]))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise ConfigurationError(f"Cannot use the environment: {problems}") from None


def _variable(field: str) -> str:
    """The variable that a field was read from."""
    ours, theirs = (f"{prefix}{field.upper()}" for prefix in (_PREFIX, _OTHER_PREFIX))
    return theirs if os.environ.get(theirs) and not os.environ.get(ours) else ours
