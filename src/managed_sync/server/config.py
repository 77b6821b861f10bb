"""What a server needs to know to run."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
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

_Positive = Annotated[int, Field(gt=0)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Config):
    """What one request, or one user's many requests, may cost.

    Attributes:
        body_bytes: The largest body.
        body_seconds: How long a body may take to arrive.
        head_seconds: How long a request's head may take to arrive.
        answer_seconds: How long a client may leave an answer unread that is ready to be sent.
        write_seconds: How long a request that writes may wait for other writers, first for its
            turn and then for the database.
        connections_per_address: How many connections one address may hold that have not brought a
            valid token; for one more, the oldest of them is closed. Raise it where a proxy stands
            in front of the server, whose address all clients share then.
        connections_without_token: How many such connections there may be in total.
        checks: How many checks one batch may hold.
        requests_per_second: What a connected user may send in the long run; no limit if left out.
        burst: How many requests may come at once before that limit counts.
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
        keys: A folder whose ``*.pem`` files are the project's RSA keys, public or private: a token
            that any of them signed is good. If left out, one below the state folder.
    """

    folder: Path
    keys: Path | None = None


class SpiceDBAddress(_Config):
    """Where a SpiceDB listens.

    Attributes:
        target: Host and port of its gRPC service, such as ``spicedb:50051``.
        token: The preshared key that it was started with.
        tls: Whether the connection is encrypted. Without, the token travels in the clear.
    """

    target: Annotated[str, Field(min_length=1)]
    token: SecretStr
    tls: bool = True


class ServerConfig(_Config):
    """The settings of one server.

    Attributes:
        projects: What is served, by project id.
        state: Where the server keeps its database, contents and keys. Made when missing.
        database: The URL of a PostgreSQL database; a file in the state folder if left out.
        spicedb: The SpiceDB that evaluates the permissions; the database does if left out.
        content: Where files are read from when they are asked for: the ``source``, as they are
            now, or copies in the state folder (``blobs``), as they were at the last sync.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        log: The form of the log's lines.
        limits: What requests may cost.

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
        """The settings of a server of one project, whose keys lie in the state folder itself.

        Raises:
            ConfigurationError: A setting makes no sense.
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
                raise ValueError(f"{project_id!r} is not a project id; try 'demo'.")
            if "/" in project_id:
                raise ValueError(f"A project id holds no '/': {project_id!r}; try 'demo'.")
        return self

    @property
    def database_place(self) -> Path | str:
        """The file of the database, or its URL."""
        if self.database is not None:
            return self.database.get_secret_value()
        return self.state / "server.db"

    def keys_of(self, project_id: str) -> Path:
        """The folder with a project's keys."""
        keys = self.projects[project_id].keys
        return keys or self.state / "keys" / quote(project_id, safe="")


def read_config(path: Path) -> ServerConfig:
    """The settings that a file holds; its paths are relative to the folder it lies in.

    The environment variables ``MANAGED_SYNC_DATABASE_URL`` and ``MANAGED_SYNC_SPICEDB_TOKEN``
    replace ``database`` and the token below ``spicedb``, so that no secret need stand in a file.

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
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{place}: this is not YAML; correct it.") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds no settings; they look like this:\n{_EXAMPLE}")
    return content


def _problems(error: ValidationError) -> list[str]:
    # Without the values, among which there may be a password.
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
