"""How to reach a Managed Sync API, read from environment variables.

``MANAGED_SYNC_BASE_URL``, ``MANAGED_SYNC_PROJECT_ID``, then either ``MANAGED_SYNC_TOKEN`` or
``MANAGED_SYNC_SIGNING_KEY`` (an RSA private key in PEM) with ``MANAGED_SYNC_USER_ID``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from managed_sync.errors import ConfigurationError

__all__ = ["DEFAULT_BASE_URL", "Settings"]

DEFAULT_BASE_URL = "https://managed-sync.useparagon.com"


class Settings(BaseSettings):
    """The settings of a client.

    Example:
        >>> Settings(project_id="p1", token="secret").token
        SecretStr('**********')
    """

    model_config = SettingsConfigDict(env_prefix="MANAGED_SYNC_", env_ignore_empty=True)

    base_url: str = DEFAULT_BASE_URL
    project_id: str | None = None
    token: SecretStr | None = None
    signing_key: SecretStr | None = None
    user_id: str | None = None
    api: Literal["projects"] = "projects"

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
                f"MANAGED_SYNC_{'_'.join(str(part) for part in problem['loc']).upper()}: "
                f"{problem['msg']}"
                for problem in error.errors()
            )
            raise ConfigurationError(f"Cannot use the environment: {problems}") from None
