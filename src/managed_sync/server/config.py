"""The settings of a server, and ``server.yaml``, which holds them."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from managed_sync.errors import ConfigurationError

__all__ = [
    "DATABASE_VARIABLE",
    "SPICEDB_VARIABLE",
    "Limits",
    "ProjectConfig",
    "ServerConfig",
    "SpiceDBAddress",
    "is_loopback",
    "read_config",
]

DATABASE_VARIABLE = "MANAGED_SYNC_DATABASE_URL"
SPICEDB_VARIABLE = "MANAGED_SYNC_SPICEDB_TOKEN"

_EXAMPLE = "state: ./state\nprojects:\n  demo:\n    folder: ./company"

_Positive: TypeAlias = Annotated[int, Field(gt=0)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Config):
    """Limits on single requests, and on all requests of one user.

    Attributes:
        body_bytes: The largest body, in bytes.
        body_seconds: The longest time in which a body must arrive.
        head_seconds: The longest time in which the head of a request must arrive.
        answer_seconds: The longest time for which a client may leave a response unread.
        write_seconds: The longest time for which a request that writes waits for other writers,
            first for its turn and then for the database.
        connections_per_address: The most connections without a valid token from one address. A
            connection above the limit closes the oldest of them. Raise it if the server is behind
            a proxy, whose address all clients then share.
        connections_without_token: The most connections without a valid token in total.
        checks: The most checks in one batch.
        requests_per_second: The requests per second that a connected user may send on average; no
            limit if left out.
        burst: The requests that a user may send at once before that limit applies.
    """

    body_bytes: _Positive = 4 << 20
    body_seconds: Annotated[float, Field(gt=0)] = 30
    head_seconds: Annotated[float, Field(gt=0)] = 10
    answer_seconds: Annotated[float, Field(gt=0)] = 60
    write_seconds: Annotated[float, Field(gt=0)] = 10
    connections_per_address: _Positive = 64
    connections_without_token: _Positive = 512
    checks: _Positive = 1_000
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    burst: _Positive = 100


class ProjectConfig(_Config):
    """One project.

    Attributes:
        folder: The company folder: ``permissions.yaml``, ``files/`` and the JSON Lines files.
        keys: A folder with the project's RSA keys in ``*.pem`` files, public or private. A token
            that any of them signed is valid. If left out, a folder below the state folder.
    """

    folder: Path
    keys: Path | None = None


class SpiceDBAddress(_Config):
    """The address of a SpiceDB.

    Attributes:
        target: The host and port of its gRPC service, such as ``spicedb:50051``.
        token: The preshared key that it was started with.
        tls: Whether the connection is encrypted. Without TLS, the token is sent in plain text.
    """

    target: Annotated[str, Field(min_length=1)]
    token: SecretStr
    tls: bool = True


class ServerConfig(_Config):
    """The settings of one server.

    Attributes:
        projects: The projects to serve, by project id.
        state: The folder for the server's database, contents and keys. Created if it is missing.
        database: The URL of a PostgreSQL database. If left out, a file in the state folder.
        spicedb: The SpiceDB that evaluates the permissions. If left out, the database does.
        content: The origin of the content of files: the ``source``, as it is now,
            or copies in the state folder (``blobs``), as they were at the last sync.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        log: The format of the log.
        limits: The limits on requests.

    Examples:
        >>> ServerConfig.of_folder(Path("company"), Path("state")).database_place.name
        'server.db'
    """

    projects: dict[str, ProjectConfig] = Field(min_length=1)
    state: Path
    database: SecretStr | None = None
    spicedb: SpiceDBAddress | None = None
    content: Literal["source", "blobs"] = "source"
    host: str = "127.0.0.1"
    port: int = 8642
    log: Literal["json", "text"] = "json"
    limits: Limits = Limits()

    @classmethod
    def of_folder(
        cls, folder: Path, state: Path, project_id: str = "demo", **further: object
    ) -> ServerConfig:
        """Returns the settings of a server with one project, whose keys are in the state folder.

        Raises:
            ConfigurationError: A setting is invalid; the message names a valid value.
        """
        project = ProjectConfig(folder=folder, keys=state)
        try:
            return cls.model_validate(
                {"projects": {project_id: project}, "state": state, **further}
            )
        except ValidationError as error:
            reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise ConfigurationError(reason) from None

    @model_validator(mode="after")
    def _project_ids_stand_in_paths(self) -> Self:
        for project_id in self.projects:
            if not project_id.isprintable() or not project_id.strip("./ "):
                raise ValueError(f"A project id must be a name such as 'demo', got {project_id!r}.")
            if "/" in project_id:
                raise ValueError(
                    f"A project id must not contain '/', got {project_id!r}; try 'demo'."
                )
        return self

    @property
    def database_place(self) -> Path | str:
        """The file of the database, or its URL."""
        if self.database is not None:
            return self.database.get_secret_value()
        return self.state / "server.db"

    def keys_of(self, project_id: str) -> Path:
        """Returns the folder with a project's keys."""
        keys = self.projects[project_id].keys
        return keys or self.state / "keys" / quote(project_id, safe="")


def read_config(path: Path) -> ServerConfig:
    """Reads the settings in a file; its paths are relative to the folder of the file.

    The environment variables ``MANAGED_SYNC_DATABASE_URL`` and ``MANAGED_SYNC_SPICEDB_TOKEN``
    replace ``database`` and the token below ``spicedb``, so that the file need not hold a secret.

    Raises:
        ConfigurationError: The file is missing or malformed; the message names the setting.
    """
    content = _content(path)
    if url := os.environ.get(DATABASE_VARIABLE):
        content["database"] = url
    if (token := os.environ.get(SPICEDB_VARIABLE)) and isinstance(content.get("spicedb"), dict):
        content["spicedb"]["token"] = token
    try:
        config = ServerConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {'; '.join(_problems(error))}") from None
    return _resolved(config, path.absolute().parent)


def is_loopback(host: str) -> bool:
    """Returns whether only programs on this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read {path}: {error.strerror}. A server's settings look like this:\n{_EXAMPLE}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{line}: this is not valid YAML; correct it.") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must contain settings such as these:\n{_EXAMPLE}")
    return content


def _problems(error: ValidationError) -> list[str]:
    # The values are left out, since a password may be among them.
    problems = []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"])) or "settings"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "there is no such setting; remove it or correct its name"
        problems.append(f"{name}: {message}")
    return problems


def _resolved(config: ServerConfig, folder: Path) -> ServerConfig:
    projects = {
        project_id: project.model_copy(
            update={
                "folder": folder / project.folder,
                "keys": None if project.keys is None else folder / project.keys,
            }
        )
        for project_id, project in config.projects.items()
    }
    return config.model_copy(update={"projects": projects, "state": folder / config.state})
