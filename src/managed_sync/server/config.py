"""What the embedded server needs to know to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from managed_sync.errors import ConfigurationError

__all__ = ["ServerConfig"]


@dataclass(frozen=True)
class ServerConfig:
    """The settings of one server.

    Attributes:
        folder: The company folder: ``permissions.yaml``, ``files/`` and the JSON Lines files.
        state: Where the server keeps its database and its signing key. Made when missing.
        project_id: The one project that this server serves.

    Raises:
        ConfigurationError: The project id cannot stand in a URL's path.

    Examples:
        >>> ServerConfig(Path("company"), Path("state")).database.name
        'server.db'
    """

    folder: Path
    state: Path
    project_id: str = "demo"

    def __post_init__(self) -> None:
        if not self.project_id.isprintable() or not self.project_id.strip("./ "):
            raise ConfigurationError(f"{self.project_id!r} is not a project id; try 'demo'.")
        if "/" in self.project_id:
            raise ConfigurationError(f"A project id holds no '/': {self.project_id!r}; try 'demo'.")

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.state / "server.db"
