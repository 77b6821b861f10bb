"""A Managed Sync server: the same API over folders on this machine.

It serves the operations of the Managed Sync specification, and the hosted service's paths to the
same data. The data comes from folders of files, each with a ``permissions.yaml``. Embed it in a
program (``EmbeddedServer``), or run it on its own with a settings file (``Server``).

Examples:
    >>> from pathlib import Path
    >>> with EmbeddedServer(Path("company"), Path("state")) as server:
    ...     print(server.project_id)
    demo
"""

from __future__ import annotations

from managed_sync.errors import MissingExtraError

try:
    from managed_sync.server.config import (
        Limits,
        ProjectConfig,
        ServerConfig,
        SpiceDBAddress,
        read_config,
    )
    from managed_sync.server.runtime.app import create_app
    from managed_sync.server.runtime.embedded import EmbeddedServer
    from managed_sync.server.runtime.server import Server
except ModuleNotFoundError as error:
    if (error.name or "").startswith("managed_sync"):
        raise
    raise MissingExtraError("The embedded server", "server") from error

__all__ = [
    "EmbeddedServer",
    "Limits",
    "ProjectConfig",
    "Server",
    "ServerConfig",
    "SpiceDBAddress",
    "create_app",
    "read_config",
]
