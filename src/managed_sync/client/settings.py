"""The environment variables of a client.

- ``MANAGED_SYNC_BASE_URL``: the API's URL.
- ``MANAGED_SYNC_PROJECT_ID``: the project.
- ``MANAGED_SYNC_TOKEN``: a token; or ``MANAGED_SYNC_SIGNING_KEY``, an RSA private key in PEM, with
  ``MANAGED_SYNC_USER_ID``.
- ``MANAGED_SYNC_API``: the wire format, ``projects`` or ``hosted``.

If one of these is not set, the same name with ``PARAGON_`` in place of ``MANAGED_SYNC_`` is read.
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
_HOSTED_PREFIX = "PARAGON_"


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
        """Reads arguments first, then this package's variables, then the hosted service's."""
        hosted = EnvSettingsSource(settings_cls, env_prefix=_HOSTED_PREFIX)
        return init_settings, env_settings, hosted

    @classmethod
    def from_env(cls) -> Settings:
        """Reads the environment.

        Raises:
            ConfigurationError: A variable has an invalid value. The message names the variable.
        """
        try:
            return cls()
        except ValidationError as error:
            # Without the values: one of them may be a key pasted into the wrong variable.
            problems = "; ".join(
                f"{_variable(str(problem['loc'][0]))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise ConfigurationError(
                f"The environment has invalid variables: {problems}."
            ) from None


def _variable(field: str) -> str:
    """Returns the variable that a field was read from."""
    own, hosted = (f"{prefix}{field.upper()}" for prefix in (_PREFIX, _HOSTED_PREFIX))
    return hosted if os.environ.get(hosted) and not os.environ.get(own) else own
