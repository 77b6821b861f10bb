"""Reads ``server.yaml``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from managed_sync.errors import ConfigurationError
from managed_sync.server.config import ServerConfig

__all__ = ["DATABASE_VARIABLE", "SPICEDB_VARIABLE", "read_config"]

DATABASE_VARIABLE = "MANAGED_SYNC_DATABASE_URL"
SPICEDB_VARIABLE = "MANAGED_SYNC_SPICEDB_TOKEN"

_EXAMPLE = "state: ./state\nprojects:\n  demo:\n    folder: ./company"


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
